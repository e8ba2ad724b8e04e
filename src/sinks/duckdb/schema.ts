import { MillraceError } from "../../core/errors.ts";
import { sameType } from "../../core/logical-type.ts";
import { quoteIdentifier, type TableSchema } from "../../core/table-schema.ts";
import { duckdbType, existingRowsDefault } from "../../formats/duckdb-sql.ts";

/**
 * CREATE TABLE for a target. No NOT NULL: the source may drop its own while the pipeline runs. A PRIMARY KEY only where
 * it is asked for (`primary-key: true`).
 */
export function createTableSql(table: string, schema: TableSchema, primaryKey: boolean): string {
  const lines = schema.columns.map((column) => `${quoteIdentifier(column.name)} ${duckdbType(column.type)}`);
  if (primaryKey && schema.key.length > 0)
    lines.push(`PRIMARY KEY (${schema.key.map((i) => quoteIdentifier(schema.columns[i]!.name)).join(", ")})`);
  return `CREATE TABLE ${table} (${lines.join(", ")})`;
}

/** A column that the target has, and the default it was added with, where that is still there. */
export interface PresentColumn {
  readonly name: string;
  readonly hasDefault: boolean;
}

/**
 * ALTER TABLE for every column of `schema` that the target does not have yet. Each statement is a transaction of its own
 * (DuckDB fails to commit two on one table that has rows), so this begins from what an earlier attempt has left. The
 * default only serves the rows that are there, and goes: the source sends every later value itself.
 */
export function addColumnsSql(
  table: string,
  schema: TableSchema,
  present: readonly PresentColumn[],
): readonly string[] {
  const have = new Map(present.map((column) => [column.name, column]));
  const statements: string[] = [];
  for (const column of schema.columns) {
    const there = have.get(column.name);
    const name = quoteIdentifier(column.name);
    const value = column.existingRowsDefault === null ? "" : ` DEFAULT ${existingRowsDefault(column)}`;
    if (there === undefined)
      statements.push(`ALTER TABLE ${table} ADD COLUMN ${name} ${duckdbType(column.type)}${value}`);
    if (there === undefined ? value !== "" : there.hasDefault)
      statements.push(`ALTER TABLE ${table} ALTER COLUMN ${name} DROP DEFAULT`);
  }
  return statements;
}

/**
 * Where each column of the target stands in a batch of `batch`'s version; −1: it was added later. A batch column that
 * the target does not have, or has with another type, means that `applySchema` was not called.
 */
export function columnMapping(target: TableSchema, batch: TableSchema): readonly number[] {
  const places = new Map(batch.columns.map((column, i) => [column.name, i]));
  const mapping = target.columns.map((column) => {
    const place = places.get(column.name);
    if (place === undefined) return -1;
    if (!sameType(batch.columns[place]!.type, column.type))
      throw new MillraceError("INTERNAL", `column ${column.name} of ${target.id} has another type than its target`);
    places.delete(column.name);
    return place;
  });
  if (places.size > 0)
    throw new MillraceError("INTERNAL", `${target.id} has columns that its target was not given by applySchema`);
  return mapping;
}
