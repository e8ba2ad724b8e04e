import { MillraceError } from "../../core/errors.ts";
import { type TableId, tableId, type TableSchema } from "../../core/table-schema.ts";
import type { TableLog } from "../../decoding/table-log.ts";
import { alteredSchema, type StatementTerms } from "./altered-schema.ts";
import type { ShapeChange, Statement, TableEffect } from "./ddl-statement.ts";
import { changedError } from "./schema.ts";
import type { NamedTable } from "./token-cursor.ts";

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
  const changes = [
    ...statement.effects.flatMap((effect) => effectChanges(effect, database, tables)),
    ...statement.shapes.flatMap((shape) => (shape.kind === "alter" ? alterations(shape, database, tables, terms) : [])),
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

function effectChanges({ table: named, what }: TableEffect, database: string, tables: Tables): readonly TableChange[] {
  const table = tables.get(tableId(named.database ?? database, named.name));
  if (table === undefined) return nearlyNamed(named, database, tables).map((near) => stop(near, unclearError(near)));
  if (what === "truncate") return [{ kind: "truncate", table }];
  return [stop(table, changedError(table.schema.id, CHANGED[what]))];
}

function alterations(
  shape: Extract<ShapeChange, { kind: "alter" }>,
  database: string,
  tables: Tables,
  terms: StatementTerms,
): readonly TableChange[] {
  const table = tables.get(tableId(shape.table.database ?? database, shape.table.name));
  if (table === undefined)
    return nearlyNamed(shape.table, database, tables).map((near) => stop(near, unclearError(near)));
  const schema = alteredSchema(table.schema, shape, terms);
  if (schema instanceof MillraceError) return [stop(table, schema)];
  return schema === table.schema ? [] : [{ kind: "schema", table, schema }];
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
