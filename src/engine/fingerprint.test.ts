import { describe, expect, test } from "vitest";
import type { TablePart } from "../core/record.ts";
import { tableId, type ColumnSchema, type TableId, type TableSchema } from "../core/table-schema.ts";
import { compareTables, fingerprintOf, tablesChanged, type TableTerms } from "./fingerprint.ts";

const id: ColumnSchema = {
  name: "id",
  type: { kind: "text" },
  nullable: false,
  sourceType: "text",
  collation: "C",
  existingRowsDefault: null,
};

function schemaOf(name: string, ...columns: ColumnSchema[]): TableSchema {
  return { id: tableId("shop", name), namespace: "shop", name, version: 1, columns: [id, ...columns], key: [0] };
}

function terms(name: string, change: Partial<TableTerms> = {}): TableTerms {
  const nonFinite = { decimalNaN: false, dateInfinity: true, timestampInfinity: true };
  return {
    schema: schemaOf(name),
    object: "1",
    target: `shop_${name}`,
    unrepresentable: "error",
    nonFinite,
    ...change,
  };
}

function part(of: TableTerms): TablePart {
  return { state: { kind: "planned" }, incarnation: 1, fingerprint: fingerprintOf(of), schema: of.schema };
}

describe("a table's fingerprint", () => {
  const compare = (stored: TableTerms[], now: TableTerms[]): ReturnType<typeof compareTables> =>
    compareTables(
      new Map<TableId, TablePart>(stored.map((table) => [table.schema.id, part(table)])),
      new Map<TableId, TableTerms>(now.map((table) => [table.schema.id, table])),
    );

  test("is the same in every version that writes this form", () => {
    expect(fingerprintOf(terms("a"))).toMatchInlineSnapshot(`"1:391552c099c1:fb0cc48ee65c:67d96d1da482:ae62da31cfe6"`);
  });

  test("tells added, removed and kept tables", () => {
    expect(compare([terms("a"), terms("b")], [terms("b"), terms("c")])).toEqual({
      added: ["shop.c"],
      removed: ["shop.a"],
      changed: [],
      kept: ["shop.b"],
    });
  });

  test("stays over columns that are no part of the key, and over a new schema version", () => {
    const grown = { ...schemaOf("a", { ...id, name: "more" }), version: 2 };
    expect(compare([terms("a")], [terms("a", { schema: grown })]).kept).toEqual(["shop.a"]);
  });

  test.each<[string, Partial<TableTerms>]>([
    ["key", { schema: { ...schemaOf("a"), columns: [{ ...id, collation: "de" }] } }],
    ["key", { schema: { ...schemaOf("a"), columns: [{ ...id, sourceType: "uuid" }] } }],
    ["key", { schema: { ...schemaOf("a"), key: [] } }],
    ["the table itself", { object: "2" }],
    ["target name", { target: "elsewhere" }],
    ["policy for values", { unrepresentable: "text" }],
    ["policy for values", { nonFinite: { decimalNaN: true, dateInfinity: true, timestampInfinity: true } }],
  ])("names a changed %s", (aspect, change) => {
    const { changed } = compare([terms("a")], [terms("a", change)]);
    expect(changed).toEqual([{ table: "shop.a", aspects: [aspect] }]);
    expect(tablesChanged(changed)).toMatchObject({
      code: "TABLES_CHANGED",
      message: `these tables are not what the pipeline was begun with: shop.a (${aspect})`,
    });
  });

  test("of another form counts as changed in everything", () => {
    const stored = new Map([[tableId("shop", "a"), { ...part(terms("a")), fingerprint: "0" }]]);
    const { changed } = compareTables(stored, new Map([[tableId("shop", "a"), terms("a")]]));
    expect(changed[0]?.aspects).toHaveLength(4);
  });
});
