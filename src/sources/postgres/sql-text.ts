import type { ChunkRange, KeyBound } from "../../core/chunk.ts";
import { MillraceError } from "../../core/errors.ts";
import { keyColumns, quoteIdentifier, type ColumnSchema, type TableSchema } from "../../core/table-schema.ts";

/** Sessions run with `standard_conforming_strings`, so a backslash is itself. */
export function quoteLiteral(text: string): string {
  if (text.includes("\0")) throw new MillraceError("INTERNAL", "a text with a NUL has no place in a statement");
  return `'${text.replaceAll("'", "''")}'`;
}

/** Qualified and quoted, for a statement. */
export function tableName(schema: { readonly namespace: string; readonly name: string }): string {
  return `${quoteIdentifier(schema.namespace)}.${quoteIdentifier(schema.name)}`;
}

/**
 * The key's columns of table `t`, each followed by `suffix`. Qualified, since a bare name in ORDER BY would mean the
 * select list's `"a"::text` before the column, and sort by that.
 */
export function keyList(schema: TableSchema, suffix = ""): string {
  return keyColumns(schema)
    .map((column) => `t.${quoteIdentifier(column.name)}${suffix}`)
    .join(", ");
}

/** A text expression read as a value of a column, comparing in the column's own collation. */
export function typed(column: ColumnSchema, expression: string): string {
  const value = `${expression}::${column.sourceType}`;
  return column.collation === null ? value : `(${value} COLLATE ${column.collation})`;
}

/** The literal is read by the type's input function, the inverse of the output function that printed it. */
function keyLiteral(schema: TableSchema, key: KeyBound): string {
  const columns = keyColumns(schema);
  if (key.length !== columns.length) throw new MillraceError("INTERNAL", `a key of ${schema.id} has another length`);
  return columns.map((column, i) => typed(column, quoteLiteral(key[i]!))).join(", ");
}

/** `WHERE` of a range, in the row comparison that a key index answers by itself; empty for all rows. */
export function rangeCondition(schema: TableSchema, range: ChunkRange): string {
  const keys = keyList(schema);
  const conditions: string[] = [];
  if (range.lower !== null) conditions.push(`(${keys}) > (${keyLiteral(schema, range.lower)})`);
  if (range.upper !== null) conditions.push(`(${keys}) <= (${keyLiteral(schema, range.upper)})`);
  return conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
}
