import { readAlterations } from "./alter-actions.ts";
import type { Alteration } from "./alteration.ts";
import type { DdlRules } from "./rules.ts";
import { sqlTokens } from "./sql-tokens.ts";
import { readCreation, type TableCreation } from "./table-creation.ts";
import { type NamedTable, TokenCursor } from "./token-cursor.ts";

/** What a statement does to a table, other than to its shape, which the next table map shows. */
export interface TableEffect {
  readonly table: NamedTable;
  /** `partition`: rows came or went without row events. */
  readonly what: "truncate" | "drop" | "rename" | "replace" | "partition";
}

/** What a statement does to the form of a table. Null instead of how: that is not understood. */
export type ShapeChange =
  | {
      readonly kind: "alter";
      readonly table: NamedTable;
      readonly alterations: readonly Alteration[] | null;
      /** MariaDB's ALTER IGNORE: rows that are in the way go. */
      readonly ignore: boolean;
    }
  | {
      readonly kind: "create";
      readonly table: NamedTable;
      readonly creation: TableCreation | null;
      readonly unlessThere: boolean;
    }
  | { readonly kind: "rename"; readonly table: NamedTable; readonly to: NamedTable }
  | { readonly kind: "drop"; readonly table: NamedTable };

export type Statement =
  | { readonly kind: "begin" | "commit" | "rollback" | "dml" }
  | { readonly kind: "xa" }
  | { readonly kind: "savepoint" | "rollback-to"; readonly name: string }
  /** Of no effect on rows, but for these. */
  | {
      readonly kind: "ddl";
      readonly effects: readonly TableEffect[];
      /** In their order. */
      readonly shapes: readonly ShapeChange[];
      readonly droppedDatabase: string | null;
    }
  /** Not understood: `words` are all names that it could mean, in lower case; null: not even those can be told. */
  | { readonly kind: "unclear"; readonly words: ReadonlySet<string> | null };

const DML = new Set(["insert", "update", "delete", "replace", "load", "call", "do", "select", "with", "values"]);
/** Statements that touch no rows of tables, or (CREATE, ALTER, DROP …) only as told below. */
const HARMLESS = new Set(
  [
    "grant",
    "revoke",
    "set",
    "analyze",
    "optimize",
    "repair",
    "check",
    "checksum",
    "flush",
    "install",
    "uninstall",
  ].concat([
    "reset",
    "kill",
    "use",
    "cache",
    "lock",
    "unlock",
    "create",
    "alter",
    "drop",
    "rename",
    "change",
    "start",
    "stop",
  ]),
);
const NOTHING: Statement = { kind: "ddl", effects: [], shapes: [], droppedDatabase: null };

/** What a logged statement does. Anything that is not known to be harmless is `unclear`. */
export function parseStatement(sql: string, rules: DdlRules): Statement {
  const tokens = sqlTokens(sql, rules);
  if (tokens === null) return { kind: "unclear", words: null };
  const cursor = new TokenCursor(tokens);
  // MariaDB: variables for the one statement behind FOR.
  while (cursor.take("set", "statement")) while (!cursor.atEnd && !cursor.take("for")) cursor.skip();
  const statement = frame(cursor) ?? ddl(cursor, rules);
  if (statement !== null) return statement;
  return {
    kind: "unclear",
    words: new Set(tokens.filter(({ kind }) => kind !== "symbol").map(({ text }) => text.toLowerCase())),
  };
}

/** The frame of a transaction, and DML; null: something else. */
function frame(cursor: TokenCursor): Statement | null {
  const first = cursor.word();
  if (first === "begin") return { kind: "begin" };
  if (first === "commit") return { kind: "commit" };
  if (cursor.take("savepoint")) return savepoint("savepoint", cursor);
  if (first === "release") return NOTHING;
  if (first === "xa") return { kind: "xa" };
  if (cursor.take("rollback")) {
    cursor.take("work");
    if (!cursor.take("to")) return { kind: "rollback" };
    cursor.take("savepoint");
    return savepoint("rollback-to", cursor);
  }
  if (first !== null && DML.has(first)) return { kind: "dml" };
  return null;
}

function savepoint(kind: "savepoint" | "rollback-to", cursor: TokenCursor): Statement | null {
  const name = cursor.name();
  return name === null || !cursor.atEnd ? null : { kind, name };
}

function ddl(cursor: TokenCursor, rules: DdlRules): Statement | null {
  if (cursor.take("truncate")) return truncate(cursor);
  if (cursor.word() === "drop") return drop(cursor);
  if (cursor.take("rename", "table") || cursor.take("rename", "tables")) return rename(cursor);
  if (cursor.word() === "create") return create(cursor, rules);
  if (cursor.word() === "alter") return alter(cursor, rules);
  const first = cursor.word();
  return first !== null && HARMLESS.has(first) ? NOTHING : null;
}

function effects(
  what: TableEffect["what"],
  tables: readonly NamedTable[],
  shapes: readonly ShapeChange[] = [],
): Statement {
  return { kind: "ddl", effects: tables.map((table) => ({ table, what })), shapes, droppedDatabase: null };
}

function shaped(...shapes: readonly ShapeChange[]): Statement {
  return { kind: "ddl", effects: [], shapes, droppedDatabase: null };
}

function truncate(cursor: TokenCursor): Statement | null {
  cursor.take("table");
  const table = cursor.table();
  return table !== null && cursor.waits() && cursor.atEnd ? effects("truncate", [table]) : null;
}

function drop(cursor: TokenCursor): Statement | null {
  cursor.skip();
  if (cursor.take("database") || cursor.take("schema")) {
    cursor.take("if", "exists");
    const name = cursor.name();
    return name !== null && cursor.atEnd ? { kind: "ddl", effects: [], shapes: [], droppedDatabase: name } : null;
  }
  if (cursor.word() === "temporary") return NOTHING;
  if (cursor.take("index")) return dropIndex(cursor);
  if (!cursor.take("table") && !cursor.take("tables")) return NOTHING;
  cursor.take("if", "exists");
  const tables: NamedTable[] = [];
  do {
    const table = cursor.table();
    if (table === null) return null;
    tables.push(table);
  } while (cursor.symbol(","));
  if (!cursor.take("restrict")) cursor.take("cascade");
  if (!cursor.waits() || !cursor.atEnd) return null;
  return effects(
    "drop",
    tables,
    tables.map((table) => ({ kind: "drop", table })),
  );
}

/** An index is nothing to rows, but it may be the key. */
function dropIndex(cursor: TokenCursor): Statement | null {
  cursor.take("if", "exists");
  const index = cursor.name();
  const table = index !== null && cursor.take("on") ? cursor.table() : null;
  if (index === null || table === null) return null;
  return shaped({ kind: "alter", table, alterations: [{ kind: "drop-index", index }], ignore: false });
}

function rename(cursor: TokenCursor): Statement | null {
  cursor.take("if", "exists");
  const renames: { kind: "rename"; table: NamedTable; to: NamedTable }[] = [];
  do {
    const table = cursor.table();
    if (table === null || !cursor.waits() || !cursor.take("to")) return null;
    const to = cursor.table();
    if (to === null) return null;
    renames.push({ kind: "rename", table, to });
  } while (cursor.symbol(","));
  const tables = renames.flatMap(({ table, to }) => [table, to]);
  return cursor.atEnd ? effects("rename", tables, renames) : null;
}

function create(cursor: TokenCursor, rules: DdlRules): Statement | null {
  cursor.skip();
  const replaces = cursor.take("or", "replace");
  if (cursor.take("unique")) return createIndex(cursor);
  if (!cursor.take("table")) return NOTHING;
  const unlessThere = cursor.take("if", "not", "exists");
  const table = cursor.table();
  if (table === null) return null;
  const shape: ShapeChange = { kind: "create", table, creation: readCreation(cursor, rules), unlessThere };
  // Without OR REPLACE it fails, or does nothing, where the table is there.
  return replaces ? effects("replace", [table], [shape]) : shaped(shape);
}

/** Behind UNIQUE. */
function createIndex(cursor: TokenCursor): Statement {
  while (!cursor.atEnd && !cursor.take("on")) cursor.skip();
  const table = cursor.table();
  return table === null ? NOTHING : shaped({ kind: "alter", table, alterations: [{ kind: "unique" }], ignore: false });
}

function alter(cursor: TokenCursor, rules: DdlRules): Statement | null {
  cursor.skip();
  cursor.take("online");
  const ignore = cursor.take("ignore");
  if (!cursor.take("table")) return NOTHING;
  cursor.take("if", "exists");
  const table = cursor.table();
  if (table === null || !cursor.waits()) return null;
  const actions = cursor.place;
  const found: TableEffect[] = [];
  while (!cursor.atEnd) {
    const effect = action(cursor, table);
    if (effect === null) return null;
    found.push(...effect);
    cursor.skipAction();
  }
  cursor.goTo(actions);
  const shape: ShapeChange = { kind: "alter", table, alterations: readAlterations(cursor, rules), ignore };
  const [from, to] = found.filter(({ what }) => what === "rename");
  const renames: readonly ShapeChange[] =
    from === undefined || to === undefined ? [] : [{ kind: "rename", table: from.table, to: to.table }];
  return { kind: "ddl", effects: found, shapes: [shape, ...renames], droppedDatabase: null };
}

/** What one of the actions of an ALTER TABLE does; it is read only as far as that needs. Null: not understood. */
function action(cursor: TokenCursor, table: NamedTable): readonly TableEffect[] | null {
  const partition = { table, what: "partition" } as const;
  if (cursor.take("rename")) {
    if (["column", "index", "key"].includes(cursor.word() ?? "")) return [];
    if (!cursor.take("to") && !cursor.take("as")) cursor.symbol("=");
    const to = cursor.table();
    return to === null
      ? null
      : [
          { table, what: "rename" },
          { table: to, what: "rename" },
        ];
  }
  if (cursor.take("exchange", "partition")) {
    cursor.name();
    const other = cursor.take("with", "table") ? cursor.table() : null;
    return other === null ? null : [partition, { table: other, what: "partition" }];
  }
  if (cursor.take("convert", "table")) {
    const other = cursor.table();
    return other === null ? null : [partition, { table: other, what: "drop" }];
  }
  for (const verb of ["drop", "truncate", "discard", "import", "convert"])
    if (cursor.take(verb, "partition")) return [partition];
  return cursor.take("discard", "tablespace") || cursor.take("import", "tablespace") ? [partition] : [];
}
