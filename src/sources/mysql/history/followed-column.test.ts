import { expect, it } from "vitest";
import { RULES } from "../../../../test/support/mysql-source.ts";
import { columnDifference, keepsComputed } from "./followed-column.ts";

const of = (sourceType: string) => ({ sourceType, collation: null });

it.each(["time", "datetime", "timestamp"])(
  "follows a %s that gets more digits, unless the sink has its text",
  (type) => {
    expect(columnDifference(of(type), of(`${type}(3)`), RULES)).toBeNull();
    const asText = { ...RULES, unrepresentable: "text" } as const;
    expect(columnDifference(of(type), of(`${type}(3)`), asText)).toBe(`became ${type}(3) instead of ${type}`);
    expect(columnDifference(of(`${type}(3)`), of(type), RULES)).toBe(`became ${type} instead of ${type}(3)`);
  },
);

it.each([
  ["varchar(10)", "varchar(20)", true],
  ["tinytext", "text", true],
  ["int(5)", "int", true],
  ["enum('b','c')", "enum('a','b','c')", false],
  ["datetime", "datetime(3)", false],
])("may leave what is computed from %s that became %s as it was: %s", (before, after, kept) => {
  expect(keepsComputed(of(before), of(after))).toBe(kept);
});
