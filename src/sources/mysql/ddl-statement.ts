import { type SqlRules, type SqlToken, sqlTokens } from "./sql-tokens.ts";

/** A table as a statement names it; `database` is null where it means the one in use. */
export interface NamedTable {
  readonly database: string | null;
  readonly name: string;
}

/** What a statement does to a table, other than to its shape, which the next table map shows. */
export interface TableEffect {
  readonly table: NamedTable;
  /** `partition`: rows came or went without row events. */
  readonly what: "truncate" | "drop" | "rename" | "replace" | "partition";
}

export type Statement =
  | { readonly kind: "begin" | "commit" | "rollback" | "dml" }
  | { readonly kind: "xa" }
  | { readonly kind: "savepoint" | "rollback-to"; readonly name: string }
  /** Of no effect on rows, but for these. */
  | { readonly kind: "ddl"; readonly effects: readonly TableEffect[]; readonly droppedDatabase: string | null }
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
const NOTHING: Statement = { kind: "ddl", effects: [], droppedDatabase: null };

/** What a logged statement does. Anything that is not known to be harmless is `unclear`. */
export function parseStatement(sql: string, rules: SqlRules): Statement {
  const tokens = sqlTokens(sql, rules);
  if (tokens === null) return { kind: "unclear", words: null };
  const cursor = new TokenCursor(tokens);
  const statement = frame(cursor) ?? ddl(cursor);
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

function ddl(cursor: TokenCursor): Statement | null {
  if (cursor.take("set", "statement")) {
    // MariaDB: variables for the one statement behind FOR.
    while (!cursor.atEnd && !cursor.take("for")) cursor.skip();
    return frame(cursor) ?? ddl(cursor);
  }
  if (cursor.take("truncate")) return truncate(cursor);
  if (cursor.word() === "drop") return drop(cursor);
  if (cursor.take("rename", "table") || cursor.take("rename", "tables")) return rename(cursor);
  if (cursor.word() === "create") return create(cursor);
  if (cursor.word() === "alter") return alter(cursor);
  const first = cursor.word();
  return first !== null && HARMLESS.has(first) ? NOTHING : null;
}

function effects(what: TableEffect["what"], ...tables: readonly NamedTable[]): Statement {
  return { kind: "ddl", effects: tables.map((table) => ({ table, what })), droppedDatabase: null };
}

function truncate(cursor: TokenCursor): Statement | null {
  cursor.take("table");
  const table = cursor.table();
  return table !== null && cursor.waits() && cursor.atEnd ? effects("truncate", table) : null;
}

function drop(cursor: TokenCursor): Statement | null {
  cursor.skip();
  if (cursor.take("database") || cursor.take("schema")) {
    cursor.take("if", "exists");
    const name = cursor.name();
    return name !== null && cursor.atEnd ? { kind: "ddl", effects: [], droppedDatabase: name } : null;
  }
  if (cursor.word() === "temporary") return NOTHING;
  if (!cursor.take("table") && !cursor.take("tables")) return NOTHING;
  cursor.take("if", "exists");
  const tables: NamedTable[] = [];
  do {
    const table = cursor.table();
    if (table === null) return null;
    tables.push(table);
  } while (cursor.symbol(","));
  if (!cursor.take("restrict")) cursor.take("cascade");
  return cursor.waits() && cursor.atEnd ? effects("drop", ...tables) : null;
}

function rename(cursor: TokenCursor): Statement | null {
  cursor.take("if", "exists");
  const tables: NamedTable[] = [];
  do {
    const from = cursor.table();
    if (from === null || !cursor.waits() || !cursor.take("to")) return null;
    const to = cursor.table();
    if (to === null) return null;
    tables.push(from, to);
  } while (cursor.symbol(","));
  return cursor.atEnd ? effects("rename", ...tables) : null;
}

function create(cursor: TokenCursor): Statement | null {
  cursor.skip();
  const replaces = cursor.take("or", "replace");
  if (!cursor.take("table")) return NOTHING;
  cursor.take("if", "not", "exists");
  const table = cursor.table();
  if (table === null) return null;
  // Without OR REPLACE it fails, or does nothing, where the table is there.
  return replaces ? effects("replace", table) : NOTHING;
}

function alter(cursor: TokenCursor): Statement | null {
  cursor.skip();
  while (cursor.take("online") || cursor.take("ignore"));
  if (!cursor.take("table")) return NOTHING;
  cursor.take("if", "exists");
  const table = cursor.table();
  if (table === null || !cursor.waits()) return null;
  const found: TableEffect[] = [];
  while (!cursor.atEnd) {
    const effect = action(cursor, table);
    if (effect === null) return null;
    found.push(...effect);
    cursor.skipAction();
  }
  return { kind: "ddl", effects: found, droppedDatabase: null };
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

/** Reads tokens one after the other; keywords without regard to case. */
class TokenCursor {
  readonly #tokens: readonly SqlToken[];
  #at = 0;

  constructor(tokens: readonly SqlToken[]) {
    this.#tokens = tokens;
  }

  /** No more but semicolons. */
  get atEnd(): boolean {
    return this.#tokens.slice(this.#at).every(({ kind, text }) => kind === "symbol" && text === ";");
  }

  skip(): void {
    this.#at++;
  }

  /** The unquoted word that stands there, or `ahead` tokens later, in lower case; null: none. */
  word(ahead: number = 0): string | null {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "word" ? token.text.toLowerCase() : null;
  }

  /** Passes over these words, if they all stand there. */
  take(...words: readonly string[]): boolean {
    if (!words.every((word, i) => this.word(i) === word)) return false;
    this.#at += words.length;
    return true;
  }

  symbol(symbol: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "symbol" || token.text !== symbol) return false;
    this.#at++;
    return true;
  }

  name(): string | null {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "word" && token?.kind !== "name") return null;
    this.#at++;
    return token.text;
  }

  table(): NamedTable | null {
    const first = this.name();
    if (first === null || !this.symbol(".")) return first === null ? null : { database: null, name: first };
    const second = this.name();
    return second === null ? null : { database: first, name: second };
  }

  /** MariaDB: WAIT n, NOWAIT. Always true, so that it can stand in a condition. */
  waits(): true {
    if (this.take("wait")) this.skip();
    else this.take("nowait");
    return true;
  }

  /** Up to behind the next comma that is in no brackets, or to the end. */
  skipAction(): void {
    for (let depth = 0; this.#at < this.#tokens.length; this.#at++) {
      const { kind, text } = this.#tokens[this.#at]!;
      if (kind !== "symbol") continue;
      if (text === "(") depth++;
      else if (text === ")") depth--;
      else if (text === "," && depth <= 0) {
        this.#at++;
        return;
      }
    }
  }
}
