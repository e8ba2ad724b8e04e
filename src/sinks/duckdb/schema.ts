import { MillraceError } from "../../core/errors.ts";
import { sameType, type LogicalType } from "../../core/logical-type.ts";
import { quoteIdentifier, type ColumnSchema, type TableSchema } from "../../core/table-schema.ts";
import { quoteText } from "./sql-text.ts";

/** DuckDB's name of the type a logical type is stored as. Lossless for every value a batch can hold. */
export function duckdbType(type: LogicalType): string {
  switch (type.kind) {
    case "bool":
      return "BOOLEAN";
    case "int":
      return type.bits === 16 ? "SMALLINT" : type.bits === 32 ? "INTEGER" : "BIGINT";
    case "float":
      return type.bits === 32 ? "FLOAT" : "DOUBLE";
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "text":
      return "VARCHAR";
    case "json":
      return "JSON";
    case "bytes":
      return "BLOB";
    case "uuid":
      return "UUID";
    case "date":
      return "DATE";
    case "time":
      return "TIME";
    case "timestamp":
      return type.zone ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
  }
}

/**
 * The value rows written before the column have, as an expression of the column's type. The source's text form is
 * DuckDB's too, but for bytes (`\x00ff`) and for years before Christ, which DuckDB would silently take for years after.
 */
export function existingRowsDefault(column: ColumnSchema): string {
  const text = column.existingRowsDefault;
  const type = duckdbType(column.type);
  if (text === null) return `CAST(NULL AS ${type})`;
  if (column.type.kind === "bytes") {
    if (!text.startsWith("\\x"))
      throw new MillraceError("INTERNAL", `the default of column ${column.name} is not in the hex form of bytes`);
    return `from_hex(${quoteText(text.slice(2))})`;
  }
  if (column.type.kind === "date" || column.type.kind === "timestamp")
    return `CAST(${quoteText(text.replace(/ BC$/, " (BC)"))} AS ${type})`;
  return `CAST(${quoteText(text)} AS ${type})`;
}

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
