import { MillraceError } from "../../core/errors.ts";
import { sameType } from "../../core/logical-type.ts";
import { tableId, type ColumnSchema, type TableId, type TableSchema } from "../../core/table-schema.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
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

export function changedError(table: TableId, what: string): MillraceError {
  return new MillraceError("SCHEMA_CHANGED", `table ${table} changed its shape: ${what}`, {
    hint: `Only added columns can be followed. Begin the table anew with \`millrace run FILE --resnapshot ${table}\`.`,
    place: { table },
  });
}

/** A column of the table's shape at some moment, whoever told of it. */
export interface ShapeColumn {
  readonly name: string;
  /** As far as the teller knows it: `COLUMN_TYPE`; null where the log does not say enough. */
  readonly sourceType: string | null;
}

/**
 * What became of a known shape, given the one that the source has `now` (in the catalog) or had (`shape`, in the log):
 * the known schema itself; the next version, where columns were only added; or the error that stops the table.
 */
export function followShape(
  known: TableSchema,
  shape: readonly ShapeColumn[],
  now: CatalogTable | null,
  rules: MysqlTypeRules,
): TableSchema | MillraceError {
  const byName = new Map(shape.map((column) => [column.name, column]));
  for (const { name, sourceType } of known.columns) {
    const there = byName.get(name);
    if (there === undefined) return changedError(known.id, `column ${name} was dropped or renamed`);
    if (there.sourceType !== null && there.sourceType !== sourceType)
      return changedError(known.id, `column ${name} became ${there.sourceType} instead of ${sourceType}`);
  }
  const knownNames = new Set(known.columns.map((column) => column.name));
  const added = shape.filter((column) => !knownNames.has(column.name));
  if (added.length === 0) return known;
  const columns = [...known.columns];
  for (const { name } of added) {
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
  if (column.nullable) return null;
  if (kind === "int" || kind === "float" || kind === "decimal") return "0";
  if (kind === "bool") return "false";
  return kind === "text" && /^(?:var)?char|text/.test(schema.sourceType) ? "" : undefined;
}

/** `followShape` of a table as it is now, its key and collations included: what a chunk really reads. */
export function followCatalog(
  known: TableSchema,
  now: CatalogTable | null,
  rules: MysqlTypeRules,
): TableSchema | MillraceError {
  if (now === null) return changedError(known.id, "it was dropped or renamed");
  const followed = followShape(known, now.columns, now, rules);
  if (followed instanceof MillraceError) return followed;
  const keyNames = known.key.map((i) => known.columns[i]!.name);
  if (keyNames.join("\0") !== (now.key?.columns ?? []).join("\0"))
    return changedError(known.id, "its key is another one");
  const present = new Map((catalogSchema(now, rules)?.columns ?? []).map((column) => [column.name, column]));
  for (const column of known.columns) {
    const there = present.get(column.name);
    if (there === undefined || !sameType(there.type, column.type))
      return changedError(known.id, `column ${column.name} is read differently`);
    if (there.collation !== column.collation)
      return changedError(known.id, `column ${column.name} has another collation`);
  }
  return followed;
}
