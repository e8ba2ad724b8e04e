import { DuckDBInstance } from "@duckdb/node-api";
import { expect, test } from "vitest";
import type { LogicalType } from "../../core/logical-type.ts";
import { tableId, type ColumnSchema, type TableSchema } from "../../core/table-schema.ts";
import { existingRowsDefault } from "../../formats/duckdb-sql.ts";
import { addColumnsSql, columnMapping, createTableSql } from "./schema.ts";

function column(name: string, type: LogicalType, value: string | null = null): ColumnSchema {
  return { name, type, nullable: true, sourceType: type.kind, collation: null, existingRowsDefault: value };
}

function schema(...columns: ColumnSchema[]): TableSchema {
  return { id: tableId("s", "t"), namespace: "s", name: "t", version: 1, columns, key: [0] };
}

const int = { kind: "int", bits: 32 } as const;

/** A default as PostgreSQL writes it, and the value as DuckDB writes it. */
const DEFAULTS: readonly (readonly [LogicalType, string, string])[] = [
  [{ kind: "bool" }, "t", "true"],
  [int, "-7", "-7"],
  [{ kind: "float", bits: 64 }, "NaN", "nan"],
  [{ kind: "float", bits: 32 }, "-Infinity", "-inf"],
  [
    { kind: "decimal", precision: 38, scale: 2 },
    "-999999999999999999999999999999999999.99",
    "-999999999999999999999999999999999999.99",
  ],
  [{ kind: "text" }, "it's \\ odd", "it's \\ odd"],
  [{ kind: "json" }, '{"a": "\'"}', '{"a": "\'"}'],
  [{ kind: "bytes" }, "\\x00ff", "\\x00\\xFF"],
  [{ kind: "uuid" }, "01234567-89ab-cdef-fedc-ba9876543210", "01234567-89ab-cdef-fedc-ba9876543210"],
  [{ kind: "date" }, "0044-03-15 BC", "0044-03-15 (BC)"],
  [{ kind: "date" }, "-infinity", "-infinity"],
  [{ kind: "time" }, "24:00:00", "24:00:00"],
  [{ kind: "timestamp", zone: false }, "2024-02-29 01:02:03.000001", "2024-02-29 01:02:03.000001"],
  [{ kind: "timestamp", zone: false }, "infinity", "infinity"],
];

test("a default in the source's text form has the same value in DuckDB", async () => {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  for (const [type, text, expected] of DEFAULTS) {
    const sql = `SELECT CAST(${existingRowsDefault(column("c", type, text))} AS VARCHAR)`;
    expect((await connection.runAndReadAll(sql)).getRowsJS()).toEqual([[expected]]);
  }
  const zoned = existingRowsDefault(column("c", { kind: "timestamp", zone: true }, "2024-02-29 01:02:03+05:30"));
  const micros = await connection.runAndReadAll(`SELECT epoch_us(${zoned})::VARCHAR`);
  expect(micros.getRowsJS()).toEqual([[`${Date.UTC(2024, 1, 28, 19, 32, 3)}000`]]);
  connection.closeSync();
});

test("only what is missing is added, and an interrupted attempt is ended", () => {
  const wide = schema(column("id", int), column("a", int, "1"), column("b", int));
  const id = { name: "id", hasDefault: false };
  expect(addColumnsSql("t", wide, [id])).toEqual([
    `ALTER TABLE t ADD COLUMN "a" INTEGER DEFAULT CAST('1' AS INTEGER)`,
    `ALTER TABLE t ALTER COLUMN "a" DROP DEFAULT`,
    `ALTER TABLE t ADD COLUMN "b" INTEGER`,
  ]);
  expect(addColumnsSql("t", wide, [id, { name: "a", hasDefault: true }])[0]).toBe(
    `ALTER TABLE t ALTER COLUMN "a" DROP DEFAULT`,
  );
});

test("a primary key only where it is asked for", () => {
  const one = schema(column("id", int), column('a"b', int));
  expect(createTableSql("t", one, false)).toBe(`CREATE TABLE t ("id" INTEGER, "a""b" INTEGER)`);
  expect(createTableSql("t", one, true)).toContain(`PRIMARY KEY ("id")`);
});

test("batch columns are found by name, and unknown or differently typed ones refused", () => {
  const target = schema(column("id", int), column("a", int), column("b", int));
  expect(columnMapping(target, schema(column("b", int), column("id", int)))).toEqual([1, -1, 0]);
  expect(() => columnMapping(target, schema(column("id", { kind: "text" })))).toThrow("another type");
  expect(() => columnMapping(target, schema(column("x", int)))).toThrow("applySchema");
});
