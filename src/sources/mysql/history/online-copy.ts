import { isDeepStrictEqual } from "node:util";
import { MillraceError } from "../../../core/errors.ts";
import { type ColumnSchema, tableId, type TableSchema } from "../../../core/table-schema.ts";
import { alterDefinition, createdDefinition } from "./altered-definition.ts";
import type { StatementTerms } from "./altered-schema.ts";
import { charsetOfName } from "../charset/width.ts";
import type { ShapeChange } from "../ddl/statement.ts";
import { followAlteration } from "./followed-table.ts";
import { columnType, type MysqlTypeRules, parseMysqlType } from "../mysql-type.ts";
import { changedError } from "../schema.ts";
import type { DefinedColumn, TableDefinition } from "./table-definition.ts";
import { historyOf, type TableCopy, type TableHistory, withHistory } from "./table-history.ts";

type Creation = Extract<ShapeChange, { kind: "create" }>;
type Alteration = Extract<ShapeChange, { kind: "alter" }>;

/** The same table with another copy; null: none. */
function withCopy(schema: TableSchema, history: TableHistory, copy: TableCopy | null): TableSchema {
  return withHistory({ ...schema, version: schema.version + 1 }, { ...history, copy });
}

/** Its copy, if it has one, can not be followed any more, for that reason. */
export function withCopyTrouble(schema: TableSchema, trouble: string): TableSchema {
  const history = historyOf(schema);
  if (history === null || history.copy === null || history.copy.trouble !== null) return schema;
  return withCopy(schema, history, { ...history.copy, trouble });
}

/** A table is made under a name by which the tools call a copy of this one. */
export function copyCreated(
  schema: TableSchema,
  creation: Creation,
  database: string,
  terms: StatementTerms,
): TableSchema {
  const history = historyOf(schema);
  if (history === null) return schema;
  const trouble = creationTrouble(schema, history.table, creation, database, terms);
  return withCopy(schema, history, { name: creation.table.name, table: history.table, added: [], trouble });
}

function creationTrouble(
  schema: TableSchema,
  table: TableDefinition,
  { creation, unlessThere }: Creation,
  database: string,
  { ddl }: StatementTerms,
): string | null {
  if (unlessThere) return "may have been there before";
  if (creation === null) return "was made by a statement that is not understood";
  if (creation.kind === "like") {
    const isOurs = tableId(creation.table.database ?? database, creation.table.name) === schema.id;
    return isOurs ? null : "was made like another table";
  }
  const created = createdDefinition(creation.alterations, ddl);
  return typeof created !== "string" && sameDefinition(created, table) ? null : "was made in another shape";
}

/** `written` by a statement, which may leave open what the catalog says of the other one. */
function sameDefinition(written: TableDefinition, table: TableDefinition): boolean {
  if (written.columns.length !== table.columns.length || !isDeepStrictEqual(written.key, table.key)) return false;
  return written.columns.every((column, i) => sameColumn(column, table.columns[i]!));
}

function sameColumn(written: DefinedColumn, column: DefinedColumn): boolean {
  const { collation } = column;
  return (
    written.name === column.name &&
    written.sourceType === column.sourceType &&
    (written.collation === collation || (collation !== null && written.collation === charsetOfName(collation))) &&
    (written.nullable === null || written.nullable === column.nullable) &&
    written.generated === column.generated
  );
}

/** The table's copy is altered. */
export function copyAltered(schema: TableSchema, alteration: Alteration, terms: StatementTerms): TableSchema {
  const history = historyOf(schema);
  const copy = history?.copy ?? null;
  if (history === null || copy === null || copy.trouble !== null) return schema;
  const { alterations, ignore } = alteration;
  const altered = alterations === null ? "it is not understood" : alterDefinition(copy.table, alterations, terms.ddl);
  if (typeof altered === "string") return withCopyTrouble(schema, `was altered in a way that is not clear: ${altered}`);
  if (altered.unique)
    return withCopyTrouble(schema, "was given a rule of uniqueness, by which rows may be missing in it");
  if (isDeepStrictEqual(altered.definition, copy.table)) return schema;
  const { strict } = terms.ddl;
  const before = copiedColumns(schema, copy, terms.types);
  const alterationTerms = { strict, ignore, position: terms.position };
  const columns = followAlteration({ ...schema, columns: before }, copy.table, altered, alterationTerms, terms.types);
  if (columns instanceof MillraceError) return withCopyTrouble(schema, `cannot be followed (${columns.message})`);
  const known = new Set(schema.columns.map(({ name }) => name));
  const added = columns
    .filter(({ name }) => !known.has(name))
    .map(({ name, existingRowsDefault: value }) => ({ name, value }));
  return withCopy(schema, history, { ...copy, table: altered.definition, added });
}

/** The table of that name is gone, or is no copy of this one any more. */
export function copyGone(schema: TableSchema): TableSchema {
  const history = historyOf(schema);
  return history === null || history.copy === null ? schema : withCopy(schema, history, null);
}

/** The columns that the table has when its copy takes its place. */
export function copiedColumns(schema: TableSchema, copy: TableCopy, rules: MysqlTypeRules): readonly ColumnSchema[] {
  const columns: ColumnSchema[] = [];
  for (const column of schema.columns) {
    const { sourceType, collation } = copy.table.columns.find(({ name }) => name === column.name) ?? column;
    columns.push({ ...column, sourceType, collation });
  }
  for (const { name, value } of copy.added) {
    const { sourceType, collation } = copy.table.columns.find((column) => column.name === name)!;
    const type = columnType(parseMysqlType(sourceType, collation)!, rules);
    columns.push({ name, type, nullable: true, sourceType, collation, existingRowsDefault: value });
  }
  return columns;
}

/** The schema behind the statement that puts the copy in the table's place; or why that cannot be followed. */
export function exchanged(schema: TableSchema, { types, position }: StatementTerms): TableSchema | MillraceError {
  const history = historyOf(schema);
  const copy = history?.copy ?? null;
  if (history === null || copy === null) return changedError(schema.id, "another table took its place", position);
  if (copy.trouble !== null)
    return changedError(schema.id, `its copy ${copy.name} took its place, which ${copy.trouble}`, position);
  const next = { ...schema, version: schema.version + 1, columns: copiedColumns(schema, copy, types) };
  return withHistory(next, { ...history, table: copy.table, copy: null });
}
