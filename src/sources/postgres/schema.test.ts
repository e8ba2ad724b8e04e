import { describe, expect, test } from "vitest";
import { RULES } from "../../../test/support/postgres-source.ts";
import { MillraceError } from "../../core/errors.ts";
import { tableId, type TableSchema, withDefinition } from "../../core/table-schema.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
import { catalogSchema, followCatalog, followShape } from "./schema.ts";

const column = { type: { kind: "text" } as const, nullable: true, collation: null, existingRowsDefault: null };
const known: TableSchema = {
  id: tableId("s", "t"),
  namespace: "s",
  name: "t",
  version: 1,
  columns: ["id", "note", "rest"].map((name) => ({ ...column, name, sourceType: "text" })),
  key: [0],
};
const shape = (...names: string[]): { name: string; sourceType: string }[] =>
  names.map((name) => ({ name, sourceType: "text" }));

const catalog = (columns: readonly CatalogColumn[]): CatalogTable => ({
  oid: 1,
  namespace: "s",
  name: "t",
  kind: "table",
  persistence: "permanent",
  identity: "key-index",
  key: { columns: ["id"], usable: true, operatorSchemas: [] },
  columns,
});

const catalogColumn = (name: string, attnum: number, changes: Partial<CatalogColumn> = {}): CatalogColumn => ({
  name,
  attnum,
  typeOid: 25,
  typmod: -1,
  baseOid: 25,
  baseTypmod: -1,
  sourceType: "text",
  collation: null,
  generated: false,
  notNull: false,
  hasMissing: false,
  missing: null,
  hasDefault: false,
  ...changes,
});

test("a column that was dropped and added again under its name and type is another one", () => {
  expect(followShape(known, shape("id", "note", "rest"), null, RULES)).toBe(known);
  const followed = followShape(known, shape("id", "rest", "note"), null, RULES);
  expect(followed).toBeInstanceOf(MillraceError);
  expect(followed).toMatchObject({ code: "SCHEMA_CHANGED", message: expect.stringContaining("column note") });
});

describe("the last column, dropped and added again", () => {
  const began = catalogSchema(catalog([catalogColumn("id", 1), catalogColumn("last", 2)]), RULES);
  const replaced = catalog([catalogColumn("id", 1), catalogColumn("last", 3)]);

  test("is another one, which the catalog alone tells", () => {
    const followed = followShape(began, shape("id", "last"), replaced, RULES);
    expect(followed).toMatchObject({ code: "SCHEMA_CHANGED", message: expect.stringContaining("column last") });
    expect(followCatalog(began, replaced, RULES)).toMatchObject({ code: "SCHEMA_CHANGED" });
  });

  test("is known by what the record keeps, also where it came later than the table", () => {
    const two = catalog([catalogColumn("id", 1), catalogColumn("last", 2), catalogColumn("new", 4)]);
    const followed = followShape(began, shape("id", "last", "new"), two, RULES) as TableSchema;
    const kept = JSON.parse(JSON.stringify(followed)) as TableSchema;
    expect(followCatalog(kept, two, RULES)).toBe(kept);
    const again = catalog([catalogColumn("id", 1), catalogColumn("last", 2), catalogColumn("new", 5)]);
    expect(followCatalog(kept, again, RULES)).toMatchObject({ message: expect.stringContaining("column new") });
  });

  test("is not looked for where the record is of before it kept that", () => {
    expect(followShape(withDefinition(began, undefined), shape("id", "last"), replaced, RULES)).not.toBeInstanceOf(
      MillraceError,
    );
  });
});

test("a column that was added and cannot be NULL, without a default now, does not tell what the rows before it have", () => {
  const before = { ...known, columns: known.columns.slice(0, 1) };
  const added = (changes: Partial<CatalogColumn>) =>
    followShape(
      before,
      shape("id", "token"),
      catalog([catalogColumn("id", 1), catalogColumn("token", 2, changes)]),
      RULES,
    );
  expect(added({ notNull: true })).toMatchObject({ code: "DDL_UNCLEAR", message: expect.stringContaining("NOT NULL") });
  expect(added({ notNull: true, hasMissing: true, missing: "x" })).toMatchObject({
    columns: [{}, { existingRowsDefault: "x" }],
  });
  expect(added({})).toMatchObject({ columns: [{}, { existingRowsDefault: null }] });
});
