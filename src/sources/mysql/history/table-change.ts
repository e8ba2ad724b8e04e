import { MillraceError } from "../../../core/errors.ts";
import { type TableId, tableId, type TableSchema } from "../../../core/table-schema.ts";
import type { TableLog } from "../../../decoding/table-log.ts";
import { alteredSchema, type StatementTerms } from "./altered-schema.ts";
import type { ShapeChange, Statement, TableEffect } from "../ddl/statement.ts";
import { copyAltered, copyCreated, copyGone, exchanged, withCopyTrouble } from "./online-copy.ts";
import { originalsOfCopy } from "./online-names.ts";
import { changedError } from "../schema.ts";
import { historyOf } from "./table-history.ts";
import type { NamedTable } from "../ddl/token-cursor.ts";

/** What a statement does to a table of ours: it empties it, gives it another shape, or the table cannot go on. */
export type TableChange =
  | { readonly kind: "truncate"; readonly table: TableLog }
  | { readonly kind: "schema"; readonly table: TableLog; readonly schema: TableSchema }
  | { readonly kind: "stop"; readonly table: TableLog; readonly error: MillraceError };

const CHANGED: Readonly<Record<Exclude<TableEffect["what"], "truncate">, string>> = {
  drop: "it was dropped",
  rename: "it was renamed, or another table was given its name",
  replace: "it was dropped and created again",
  partition: "partitions of it were dropped, emptied or exchanged, and the log does not say which rows went with them",
};

type Tables = ReadonlyMap<TableId, TableLog>;

/** The changes of our tables by a statement that was run with `database` in use. */
export function tableChanges(
  statement: Extract<Statement, { kind: "ddl" | "unclear" }>,
  sql: string,
  database: string,
  tables: Tables,
  terms: StatementTerms,
): readonly TableChange[] {
  if (statement.kind === "unclear") return unclearChanges(statement.words, sql, tables);
  const exchanges = terms.followCopies ? exchangeChanges(statement.shapes, database, tables, terms) : [];
  const taken = new Set(exchanges.map(({ table }) => table));
  const changes = [
    ...statement.effects
      .flatMap((effect) => effectChanges(effect, database, tables, terms))
      .filter(({ table }) => !taken.has(table)),
    ...exchanges,
    ...statement.shapes
      .flatMap((shape) => shapeChanges(shape, database, tables, terms))
      .filter(({ table }) => !taken.has(table)),
  ];
  const { droppedDatabase } = statement;
  if (droppedDatabase === null) return changes;
  const dropped = [...tables.values()].filter(({ schema }) => sameName(schema.namespace, droppedDatabase));
  return [
    ...changes,
    ...dropped.map((table) => stop(table, changedError(table.schema.id, "its database was dropped"))),
  ];
}

function stop(table: TableLog, error: MillraceError): TableChange {
  return { kind: "stop", table, error };
}

function effectChanges(
  { table: named, what }: TableEffect,
  database: string,
  tables: Tables,
  { followCopies }: StatementTerms,
): readonly TableChange[] {
  const table = tables.get(tableId(named.database ?? database, named.name));
  const copied = table === undefined && followCopies ? copiedTable(named, database, tables) : undefined;
  if (copied !== undefined && what !== "drop" && what !== "rename")
    return schemaChange(copied, withCopyTrouble(copied.schema, "was emptied, or made again"));
  if (table === undefined) return nearlyNamed(named, database, tables).map((near) => stop(near, unclearError(near)));
  if (what === "truncate")
    return [
      { kind: "truncate", table },
      ...schemaChange(table, withCopyTrouble(table.schema, "was not emptied with it")),
    ];
  return [stop(table, changedError(table.schema.id, CHANGED[what]))];
}

function schemaChange(table: TableLog, schema: TableSchema | MillraceError): readonly TableChange[] {
  if (schema instanceof MillraceError) return [stop(table, schema)];
  return schema === table.schema ? [] : [{ kind: "schema", table, schema }];
}

function shapeChanges(
  shape: ShapeChange,
  database: string,
  tables: Tables,
  terms: StatementTerms,
): readonly TableChange[] {
  const copied = terms.followCopies ? copiedTable(shape.table, database, tables) : undefined;
  if (copied !== undefined) return schemaChange(copied, copyChanged(copied.schema, shape, database, terms));
  if (shape.kind !== "alter") return [];
  const table = tables.get(tableId(shape.table.database ?? database, shape.table.name));
  if (table === undefined)
    return nearlyNamed(shape.table, database, tables).map((near) => stop(near, unclearError(near)));
  return schemaChange(table, alteredSchema(table.schema, shape, terms));
}

/** The table of ours that a table of that name is a copy of, by a tool's rule. */
function copiedTable(named: NamedTable, database: string, tables: Tables): TableLog | undefined {
  const namespace = named.database ?? database;
  if (tables.has(tableId(namespace, named.name))) return undefined;
  return originalsOfCopy(named.name)
    .map((original) => tables.get(tableId(namespace, original)))
    .find((table) => table !== undefined);
}

function copyChanged(schema: TableSchema, shape: ShapeChange, database: string, terms: StatementTerms): TableSchema {
  if (shape.kind === "create") return copyCreated(schema, shape, database, terms);
  if (historyOf(schema)?.copy?.name !== shape.table.name) return schema;
  return shape.kind === "alter" ? copyAltered(schema, shape, terms) : copyGone(schema);
}

/**
 * Tables whose copy takes their place in this statement: `RENAME TABLE t TO _t_del, _t_gho TO t`. Of a table whose copy
 * is not known another one takes the place, which is an effect like any other.
 */
function exchangeChanges(
  shapes: readonly ShapeChange[],
  database: string,
  tables: Tables,
  terms: StatementTerms,
): readonly TableChange[] {
  const idOf = ({ database: of, name }: NamedTable): TableId => tableId(of ?? database, name);
  const changes: TableChange[] = [];
  for (const [i, shape] of shapes.entries()) {
    if (shape.kind !== "rename") continue;
    const table = tables.get(idOf(shape.to));
    const copy = table === undefined ? null : (historyOf(table.schema)?.copy ?? null);
    if (table === undefined || copy === null || idOf(shape.table) !== tableId(table.schema.namespace, copy.name))
      continue;
    const isAway = shapes.slice(0, i).some((other) => other.kind === "rename" && idOf(other.table) === table.schema.id);
    if (isAway) changes.push(...schemaChange(table, exchanged(table.schema, terms)));
  }
  return changes;
}

/** Names that differ in case alone mean the same table on some servers, and another one on others. */
function nearlyNamed(named: NamedTable, database: string, tables: Tables): readonly TableLog[] {
  return [...tables.values()].filter(
    ({ schema }) => sameName(schema.namespace, named.database ?? database) && sameName(schema.name, named.name),
  );
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function unclearChanges(words: ReadonlySet<string> | null, sql: string, tables: Tables): readonly TableChange[] {
  const text = sql.toLowerCase();
  return [...tables.values()]
    .filter(({ schema }) => {
      const name = schema.name.toLowerCase();
      return words === null ? text.includes(name) : words.has(name);
    })
    .map((table) => stop(table, unclearError(table)));
}

function unclearError({ schema: { id } }: TableLog): MillraceError {
  return new MillraceError(
    "DDL_UNCLEAR",
    `a statement in the log names table ${id}, and what it does to it is not clear`,
    {
      place: { table: id },
    },
  );
}
