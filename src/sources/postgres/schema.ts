import { MillraceError } from "../../core/errors.ts";
import type { ValueRules } from "../../core/source.ts";
import { tableId, type ColumnSchema, type TableId, type TableSchema } from "../../core/table-schema.ts";
import { sameType } from "../../core/logical-type.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
import { columnNumbers, type ColumnNumbers, withColumnNumbers } from "./column-numbers.ts";
import { columnType, selectExpression, type PgType } from "./pg-type.ts";

function pgType(column: CatalogColumn): PgType {
  return { oid: column.typeOid, baseOid: column.baseOid, typmod: column.baseTypmod };
}

function columnSchema(column: CatalogColumn, key: boolean, rules: ValueRules): ColumnSchema {
  return {
    name: column.name,
    type: columnType(pgType(column), rules),
    // DROP NOT NULL leaves no trace in the log: only what the key promises can be relied on.
    nullable: !key,
    sourceType: column.sourceType,
    collation: column.collation,
    existingRowsDefault: null,
  };
}

/** The key columns that changes of the table are matched by; none where only whole rows tell them apart. */
function usableKey(table: CatalogTable): readonly string[] {
  return table.key !== null && table.key.usable ? table.key.columns : [];
}

/** The columns that both paths deliver. */
function deliveredColumns(table: CatalogTable): readonly CatalogColumn[] {
  return table.columns.filter((column) => !column.generated);
}

function catalogNumbers(table: CatalogTable | null): ColumnNumbers {
  return new Map(table?.columns.map((column) => [column.name, column.attnum]));
}

export function catalogSchema(table: CatalogTable, rules: ValueRules): TableSchema {
  const key = usableKey(table);
  const delivered = deliveredColumns(table);
  const schema: TableSchema = {
    id: tableId(table.namespace, table.name),
    namespace: table.namespace,
    name: table.name,
    version: 1,
    columns: delivered.map((column) => columnSchema(column, key.includes(column.name), rules)),
    key: key.map((name) => delivered.findIndex((column) => column.name === name)),
  };
  return withColumnNumbers(schema, catalogNumbers(table));
}

/** The select list of a chunk: one expression for each column of `schema`, in its order. */
export function selectList(schema: TableSchema, table: CatalogTable): string {
  const columns = new Map(table.columns.map((column) => [column.name, column]));
  return schema.columns
    .map((column) => selectExpression(column.name, pgType(columns.get(column.name)!), column.type))
    .join(", ");
}

export function changedError(table: TableId, what: string): MillraceError {
  return new MillraceError("SCHEMA_CHANGED", `table ${table} changed its shape: ${what}`, {
    hint: `Only added columns can be followed. Begin the table anew with \`millrace run FILE --resnapshot ${table}\`.`,
    place: { table },
  });
}

/** Rows would go on with the values in the sink that they had in the column before. */
export function replacedError(table: TableId, column: string): MillraceError {
  return changedError(table, `column ${column} was dropped and added again`);
}

/** A column of the table's shape at some moment, whoever told of it. */
export interface ShapeColumn {
  readonly name: string;
  readonly sourceType: string;
}

/**
 * What became of a known shape, given the one that the source has `now` (in the catalog) or had (`shape`, in the log):
 * the known schema itself; the next version, where columns were only added; or the error that stops the table.
 */
export function followShape(
  known: TableSchema,
  shape: readonly ShapeColumn[],
  now: CatalogTable | null,
  rules: ValueRules,
): TableSchema | MillraceError {
  const names = new Map(shape.map((column) => [column.name, column]));
  for (const column of known.columns) {
    const there = names.get(column.name);
    if (there === undefined) return changedError(known.id, `column ${column.name} was dropped or renamed`);
    if (there.sourceType !== column.sourceType)
      return changedError(known.id, `column ${column.name} became ${there.sourceType} instead of ${column.sourceType}`);
  }
  const knownNames = new Set(known.columns.map((column) => column.name));
  // Columns keep their order, and a new one comes last.
  const still = shape.filter((column) => knownNames.has(column.name));
  const moved = known.columns.find((column, i) => still[i]!.name !== column.name);
  if (moved !== undefined) return replacedError(known.id, moved.name);
  const numbers = columnNumbers(known);
  const numbersNow = catalogNumbers(now);
  for (const [name, number] of numbers)
    if ((numbersNow.get(name) ?? number) !== number) return replacedError(known.id, name);
  const added = shape.filter((column) => !knownNames.has(column.name));
  if (added.length === 0) return known;
  const columns = [...known.columns];
  for (const column of added) {
    const found = addedColumn(known.id, column, now, rules);
    if (found instanceof MillraceError) return found;
    columns.push(found);
  }
  const followed = { ...known, version: known.version + 1, columns };
  return withColumnNumbers(followed, new Map([...numbersNow, ...numbers]));
}

function addedColumn(
  table: TableId,
  shape: ShapeColumn,
  now: CatalogTable | null,
  rules: ValueRules,
): ColumnSchema | MillraceError {
  const column = now?.columns.find((candidate) => candidate.name === shape.name);
  if (column === undefined || column.sourceType !== shape.sourceType)
    return changedError(table, `column ${shape.name} was added, and has been dropped or changed since`);
  const schema = columnSchema(column, false, rules);
  if (column.hasMissing) return { ...schema, existingRowsDefault: column.missing };
  if (!column.hasDefault && !column.notNull) return schema;
  // NOT NULL without a default: it had one then, or was filled before the constraint came, or there were no rows.
  const how = column.hasDefault ? "with a default" : "and is NOT NULL";
  return new MillraceError(
    "DDL_UNCLEAR",
    `column ${shape.name} was added to table ${table} ${how}, and the source does not tell which values the rows before it got`,
    { place: { table } },
  );
}

/** `followShape` of a table as it is now, its key and collations included: what a chunk really reads. */
export function followCatalog(
  known: TableSchema,
  now: CatalogTable | null,
  rules: ValueRules,
): TableSchema | MillraceError {
  if (now === null) return changedError(known.id, "it was dropped or renamed");
  const followed = followShape(known, deliveredColumns(now), now, rules);
  if (followed instanceof MillraceError) return followed;
  const keyNames = known.key.map((i) => known.columns[i]!.name);
  const key = usableKey(now);
  if (keyNames.join("\0") !== key.join("\0")) return changedError(known.id, "its primary key is another one");
  const present = new Map(catalogSchema(now, rules).columns.map((column) => [column.name, column]));
  for (const column of known.columns) {
    const there = present.get(column.name)!;
    if (there.collation !== column.collation)
      return changedError(known.id, `column ${column.name} has another collation`);
    if (!sameType(there.type, column.type)) return changedError(known.id, `column ${column.name} is read differently`);
  }
  return followed;
}
