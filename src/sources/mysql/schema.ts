import { MillraceError } from "../../core/errors.ts";
import { keyColumns, tableId, type ColumnSchema, type TableId, type TableSchema } from "../../core/table-schema.ts";
import { impliedValue } from "./history/added-value.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
import { columnDifference } from "./history/followed-column.ts";
import { columnType, parseMysqlType, type MysqlTypeRules } from "./mysql-type.ts";

/** The schema of a table as the catalog has it. Null: a column has a type that is not known; `unknownColumn` says which. */
export function catalogSchema(table: CatalogTable, rules: MysqlTypeRules): TableSchema | null {
  const key = table.key?.columns ?? [];
  const columns = table.columns.map((column) => columnSchema(column, key.includes(column.name), rules));
  if (!columns.every((column) => column !== null)) return null;
  return {
    id: tableId(table.namespace, table.name),
    namespace: table.namespace,
    name: table.name,
    version: 1,
    columns,
    key: key.map((name) => columns.findIndex((column) => column.name === name)),
  };
}

export function unknownColumn(table: CatalogTable): CatalogColumn | undefined {
  return table.columns.find((column) => parseMysqlType(column.sourceType, column.collation) === null);
}

function columnSchema(column: CatalogColumn, key: boolean, rules: MysqlTypeRules): ColumnSchema | null {
  const type = parseMysqlType(column.sourceType, column.collation);
  if (type === null) return null;
  return {
    name: column.name,
    type: columnType(type, rules),
    // Changes of it are not followed: only what the key promises can be relied on.
    nullable: !key,
    sourceType: column.sourceType,
    collation: column.collation,
    existingRowsDefault: null,
  };
}

/** `position`: where in the log it was noticed, where that is known. */
export function changedError(table: TableId, what: string, position?: string): MillraceError {
  return new MillraceError("SCHEMA_CHANGED", `table ${table} changed its shape: ${what}`, {
    hint: `Only added columns, and changes that leave all values as they are, can be followed. Begin the table anew with \`millrace run FILE --resnapshot ${table}\`.`,
    place: position === undefined ? { table } : { table, position },
  });
}

/**
 * What became of a known shape, given the names of the columns that the source has now or had at a place of the log:
 * the known schema itself; the next version, where columns were only added (`now` is asked about them); or the error that
 * stops the table.
 */
export function followShape(
  known: TableSchema,
  shape: readonly string[],
  now: CatalogTable | null,
  rules: MysqlTypeRules,
): TableSchema | MillraceError {
  const lost = known.columns.find(({ name }) => !shape.includes(name));
  if (lost !== undefined) return changedError(known.id, `column ${lost.name} was dropped or renamed`);
  const knownNames = new Set(known.columns.map((column) => column.name));
  const added = shape.filter((name) => !knownNames.has(name));
  if (added.length === 0) return known;
  const columns = [...known.columns];
  for (const name of added) {
    const found = addedColumn(known.id, name, now, rules);
    if (found instanceof MillraceError) return found;
    columns.push(found);
  }
  return { ...known, version: known.version + 1, columns };
}

function addedColumn(
  table: TableId,
  name: string,
  now: CatalogTable | null,
  rules: MysqlTypeRules,
): ColumnSchema | MillraceError {
  const column = now?.columns.find((candidate) => candidate.name === name);
  if (column === undefined)
    return changedError(table, `column ${name} was added, and has been dropped or renamed since`);
  const schema = columnSchema(column, false, rules);
  if (schema === null)
    return new MillraceError(
      "TABLE_NOT_SUPPORTED",
      `column ${name} was added to table ${table} with a type that is not known: ${column.sourceType}`,
      { place: { table } },
    );
  const existing = existingRowsDefault(column, schema);
  if (existing !== undefined) return { ...schema, existingRowsDefault: existing };
  return new MillraceError(
    "DDL_UNCLEAR",
    `column ${name} was added to table ${table} with a default, and the source does not tell which values the rows before it got`,
    { place: { table } },
  );
}

/** What rows that were there have in a new column: its default, or what NOT NULL implies. Undefined: nobody can tell. */
function existingRowsDefault(column: CatalogColumn, schema: ColumnSchema): string | null | undefined {
  if (column.generated !== null || column.defaultIsExpression) return undefined;
  const { kind } = schema.type;
  if (column.defaultText !== null) return kind === "bytes" || kind === "bool" ? undefined : column.defaultText;
  const type = parseMysqlType(column.sourceType, column.collation);
  return column.nullable ? null : type === null ? undefined : impliedValue(type, schema.type);
}

/** `followShape` of a table as it is now, its key and types included: what a chunk really reads. */
export function followCatalog(
  known: TableSchema,
  now: CatalogTable | null,
  rules: MysqlTypeRules,
): TableSchema | MillraceError {
  if (now === null) return changedError(known.id, "it was dropped or renamed");
  const names = now.columns.map(({ name }) => name);
  const followed = followShape(known, names, now, rules);
  if (followed instanceof MillraceError) return followed;
  const key = keyColumns(known);
  if (key.map(({ name }) => name).join("\0") !== (now.key?.columns ?? []).join("\0"))
    return changedError(known.id, "its key is another one");
  for (const column of known.columns) {
    const there = now.columns.find(({ name }) => name === column.name)!;
    // Chunks are cut by the order of the key.
    if (key.includes(column) && (there.sourceType !== column.sourceType || there.collation !== column.collation))
      return changedError(known.id, `column ${column.name} of its primary key is ordered differently`);
    const difference = columnDifference(column, there, rules);
    if (difference !== null) return changedError(known.id, `column ${column.name} ${difference}`);
  }
  return followed;
}
