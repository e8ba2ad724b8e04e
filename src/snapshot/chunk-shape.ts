import { sameType } from "../core/logical-type.ts";
import { keyColumns, type ColumnSchema, type TableSchema, withDefinition } from "../core/table-schema.ts";

export type ChunkShape =
  | { readonly kind: "known" }
  /** The chunk has columns that the line does not know yet; `schema` is what the line's shape becomes. */
  | { readonly kind: "added"; readonly schema: TableSchema }
  | { readonly kind: "incompatible"; readonly why: string };

/**
 * How the shape that a chunk read relates to the line's, and to the one it was planned with. Columns that the line has
 * and the chunk lacks are not a problem: they were added after its cut, so its rows have their default.
 */
export function chunkShape(line: TableSchema, planned: TableSchema, read: TableSchema): ChunkShape {
  const lineKey = keyColumns(line);
  const readKey = keyColumns(read);
  if (lineKey.length !== readKey.length || lineKey.some((column, i) => !sameColumn(column, readKey[i]!)))
    return { kind: "incompatible", why: "its key is another one than planned" };
  const readColumns = byName(read);
  const lost = planned.columns.find((column) => !readColumns.has(column.name));
  if (lost !== undefined) return { kind: "incompatible", why: `its column ${lost.name} is gone` };
  const lineColumns = byName(line);
  const changed = read.columns.find((column) => {
    const known = lineColumns.get(column.name);
    return known !== undefined && !sameType(known.type, column.type);
  });
  if (changed !== undefined) return { kind: "incompatible", why: `its column ${changed.name} has another type` };
  if (read.columns.every((column) => lineColumns.has(column.name))) return { kind: "known" };
  if (line.columns.some((column) => !readColumns.has(column.name)))
    return { kind: "incompatible", why: "its columns are not those of the log" };
  // How the source reads the log's rows is a matter of the log, whatever a chunk has shown.
  return {
    kind: "added",
    schema: withDefinition({ ...read, version: Math.max(read.version, line.version + 1) }, line.definition),
  };
}

/** The shape that has all columns of both: what the line knows once an alteration has passed. */
export function knowingBoth(line: TableSchema, altered: TableSchema): TableSchema {
  const columns = byName(altered);
  if (line.columns.some((column) => !columns.has(column.name))) return withDefinition(line, altered.definition);
  if (altered.definition !== undefined) return altered;
  // What is known of a column stays: the log may say less of it (no collation) than the catalog did.
  const known = byName(line);
  return { ...altered, columns: altered.columns.map((column) => known.get(column.name) ?? column) };
}

function sameColumn(a: ColumnSchema, b: ColumnSchema): boolean {
  return a.name === b.name && a.collation === b.collation && sameType(a.type, b.type);
}

function byName(schema: TableSchema): ReadonlyMap<string, ColumnSchema> {
  return new Map(schema.columns.map((column) => [column.name, column]));
}
