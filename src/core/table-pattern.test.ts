import { describe, expect, it } from "vitest";
import { matchesDatabase, parseTablePatterns, tableMatcher } from "./table-pattern.ts";

const FORM = "database.schema.table";

function matched(include: string, names: readonly string[], exclude = ""): readonly string[] {
  const { patterns, problems } = parseTablePatterns(include, FORM);
  expect(problems).toEqual([]);
  const excluded = exclude === "" ? [] : parseTablePatterns(exclude, FORM).patterns;
  const matches = tableMatcher(patterns, excluded, "shop");
  return names.filter((name) => matches(name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)));
}

describe("table patterns", () => {
  const names = ["public.orders", "public.order_lines", "public.orders_2024", "audit.orders", "public.a.b"];

  it.each([
    ["shop.public.orders", ["public.orders"]],
    ["shop.public.\\.*", ["public.orders", "public.order_lines", "public.orders_2024", "public.a.b"]],
    [
      "shop.public.order\\.*,shop.audit.orders",
      ["public.orders", "public.order_lines", "public.orders_2024", "audit.orders"],
    ],
    [" shop.public.orders , shop.audit.orders ", ["public.orders", "audit.orders"]],
    ["shop.(public|audit).orders", ["public.orders", "audit.orders"]],
    ["shop.public.orders_\\d{1,4}", ["public.orders_2024"]],
    ["shop.public.a[.]b", ["public.a.b"]],
    ["\\.*.\\.*.orders", ["public.orders", "audit.orders"]],
    ["other.public.orders", []],
    ["shop.public.order", []],
    ["shop.public.ORDERS", []],
  ])("%s matches", (include, expected) => {
    expect(matched(include, names)).toEqual(expected);
  });

  it("leaves out what is excluded", () => {
    expect(matched("shop.public.\\.*", names, "shop.\\.*.order_\\.*,shop.public.a[.]b")).toEqual([
      "public.orders",
      "public.orders_2024",
    ]);
  });

  it.each([
    ["", [0]],
    ["shop.public.orders,", [19]],
    ["shop.public.orders,,shop.public.lines", [19]],
    ["orders", [0]],
    ["shop.public.orders, public.lines", [20]],
    ["shop.public.a.*", [0]],
    ["shop..orders", [5]],
    ["shop.public.(orders", [12]],
    ["shop.public.*", [12]],
    ["shop.pub(lic.x, shop.public.[a", [5, 28]],
  ])("%s is refused where it is wrong", (list, offsets) => {
    expect(parseTablePatterns(list, FORM).problems.map((problem) => problem.offset)).toEqual(offsets);
  });

  it("knows which database a pattern speaks of", () => {
    const [pattern] = parseTablePatterns("shop_\\.*.public.t", FORM).patterns;
    expect(matchesDatabase(pattern!, "shop_eu")).toBe(true);
    expect(matchesDatabase(pattern!, "shop")).toBe(false);
  });
});

describe("patterns of a server whose databases are its schemas", () => {
  it("have two parts", () => {
    const { patterns, problems } = parseTablePatterns("shop.orders, crm\\.*.\\.*", "database.table");
    expect(problems).toEqual([]);
    const matches = tableMatcher(patterns, [], null);
    const hits = [
      ["shop", "orders"],
      ["shop", "items"],
      ["crm_eu", "people"],
      ["CRM", "people"],
    ] as const;
    expect(hits.map(([database, table]) => matches(database, table))).toEqual([true, false, true, false]);
  });

  it("are refused with three", () => {
    expect(parseTablePatterns("a.b.c", "database.table").problems).toEqual([
      {
        message: "a table pattern has two parts, database.table, not 3 (write the dot of a regular expression as \\.)",
        offset: 0,
      },
    ]);
  });
});
