import { MillraceError } from "../../core/errors.ts";
import { type TableId, tableId } from "../../core/table-schema.ts";
import type { TableLog } from "../../decoding/table-log.ts";
import type { NamedTable, Statement, TableEffect } from "./ddl-statement.ts";
import { changedError } from "./schema.ts";

/** What a statement does to a table of ours: it empties it, or the table cannot go on. */
export type TableChange =
  | { readonly kind: "truncate"; readonly table: TableLog }
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
): readonly TableChange[] {
  if (statement.kind === "unclear") return unclearChanges(statement.words, sql, tables);
  const changes = statement.effects.flatMap((effect) => effectChanges(effect, database, tables));
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
