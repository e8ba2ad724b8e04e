import type { Alteration } from "./alteration.ts";
import { readColumn, readPlace } from "./column-definition.ts";
import type { DdlRules } from "./rules.ts";
import { readTableOptions } from "./table-option.ts";
import type { TokenCursor } from "./token-cursor.ts";

/** An ALTER TABLE with more words or actions than that is not read: tables have 4,096 columns at most. */
const TOKENS_MAX = 200_000;
const ACTIONS_MAX = 10_000;

/** The actions that stand from the cursor to the end. Null: one of them is not understood. */
export function readAlterations(cursor: TokenCursor, rules: DdlRules): readonly Alteration[] | null {
  if (cursor.left > TOKENS_MAX || rules.otherDialect) return null;
  const found: Alteration[] = [];
  while (!cursor.atEnd) {
    const action = readAction(cursor, rules);
    if (action === null || found.length > ACTIONS_MAX) return null;
    found.push(...action);
    if (cursor.takeOne("partition by", "remove partitioning")) return found;
    if (!cursor.atEnd && !cursor.symbol(",")) return null;
  }
  return found;
}

const NOTHING: readonly Alteration[] = [];

/** Actions that leave columns as they are, by their first words; what follows is passed over. */
const IDLE = [
  ["rename to", "rename as", "alter index", "alter key", "alter check"],
  ["alter constraint", "enable keys", "disable keys", "force", "algorithm", "lock", "discard", "import"],
  ["with validation", "without validation", "drop foreign key", "drop check"],
].flat();

/** The same, of actions that none follows: they have lists with commas of their own. */
const IDLE_TO_THE_END = [
  ["order by", "coalesce partition", "reorganize partition", "exchange partition", "analyze partition"],
  ["check partition", "optimize partition", "rebuild partition", "repair partition", "truncate partition"],
  ["upgrade partitioning", "add partition", "drop partition", "convert partition", "convert table", "partition by"],
  ["remove partitioning"],
].flat();

function readAction(cursor: TokenCursor, rules: DdlRules): readonly Alteration[] | null {
  const dropped = droppedIndex(cursor);
  if (dropped !== null) {
    cursor.skipElement();
    return [{ kind: "drop-index", index: dropped }];
  }
  if (cursor.takeOne(...IDLE)) {
    cursor.skipElement();
    return NOTHING;
  }
  if (cursor.takeOne(...IDLE_TO_THE_END)) {
    cursor.goTo(cursor.place + cursor.left);
    return NOTHING;
  }
  if (cursor.take("add")) return readAdd(cursor, rules);
  if (cursor.take("drop")) return readDrop(cursor);
  if (cursor.take("modify")) return readChange(cursor, rules, false);
  if (cursor.take("change")) return readChange(cursor, rules, true);
  if (cursor.take("rename")) return readRename(cursor);
  if (cursor.take("alter")) return readAlterColumn(cursor);
  if (cursor.takeOne("convert to character set", "convert to charset")) {
    cursor.symbol("=");
    const charset = cursor.take("default") ? null : cursor.charset();
    const collation = cursor.take("collate") ? cursor.charset() : null;
    return [{ kind: "convert", charset, collation }];
  }
  return readTableOptions(cursor);
}

const PRIMARY = "PRIMARY";

/** The name of the index that is dropped, or renamed; null, and the cursor where it was: that is something else. */
function droppedIndex(cursor: TokenCursor): string | null {
  const { place } = cursor;
  if (cursor.takeOne("drop primary key")) return PRIMARY;
  if (cursor.takeOne("drop index", "drop key", "drop constraint", "rename index", "rename key")) {
    cursor.take("if", "exists");
    const name = cursor.name();
    if (name !== null) return name;
  }
  cursor.goTo(place);
  return null;
}

function readAdd(cursor: TokenCursor, rules: DdlRules): readonly Alteration[] | null {
  const constraint = readConstraint(cursor);
  if (constraint !== undefined) return constraint;
  cursor.take("column");
  const unlessThere = cursor.take("if", "not", "exists");
  if (cursor.symbol("(")) {
    const added = readElements(cursor, rules);
    return added?.map((one) => (one.kind === "add" ? { ...one, unlessThere } : one)) ?? null;
  }
  const column = readColumn(cursor, rules);
  return column === null ? null : [{ kind: "add", column, place: readPlace(cursor), unlessThere }];
}

/** Columns and keys up to the bracket that closes their list. */
export function readElements(cursor: TokenCursor, rules: DdlRules): readonly Alteration[] | null {
  if (cursor.left > TOKENS_MAX) return null;
  const found: Alteration[] = [];
  do {
    if (found.length > ACTIONS_MAX) return null;
    const constraint = readConstraint(cursor);
    if (constraint === null) return null;
    if (constraint !== undefined) found.push(...constraint);
    else {
      const column = readColumn(cursor, rules);
      if (column === null) return null;
      found.push({ kind: "add", column, place: null, unlessThere: false });
    }
  } while (cursor.symbol(","));
  return cursor.symbol(")") ? found : null;
}

const INDEXES = ["index", "key", "fulltext", "spatial", "foreign key", "check", "vector index", "vector key"];

/** A key, an index or another constraint. Undefined: a column stands there; null: not understood. */
function readConstraint(cursor: TokenCursor): readonly Alteration[] | null | undefined {
  if (cursor.takeOne("period for", "system versioning")) return null;
  let named = false;
  if (cursor.take("constraint")) {
    named = true;
    cursor.take("if", "not", "exists");
    if (!["primary", "unique", "foreign", "check"].includes(cursor.word() ?? "")) cursor.name();
  }
  if (cursor.take("primary", "key")) {
    while (!cursor.atEnd && !cursor.isSymbol("(")) cursor.skip();
    const columns = readKeyColumns(cursor);
    cursor.skipElement();
    return columns === null ? null : [{ kind: "add-key", columns }];
  }
  if (cursor.take("unique")) {
    cursor.skipElement();
    return [{ kind: "unique" }];
  }
  if (!cursor.takeOne(...INDEXES)) return named ? null : undefined;
  cursor.skipElement();
  return NOTHING;
}

/** `(a, b DESC)` → a, b; `(a, b(10))` → none. */
function readKeyColumns(cursor: TokenCursor): readonly string[] | null {
  if (!cursor.symbol("(")) return null;
  const names: string[] = [];
  let whole = true;
  do {
    const name = cursor.name();
    if (name === null) return null;
    names.push(name);
    whole &&= !cursor.isSymbol("(");
    cursor.skipElement();
  } while (cursor.symbol(","));
  if (!cursor.symbol(")")) return null;
  return whole ? names : [];
}

function readDrop(cursor: TokenCursor): readonly Alteration[] | null {
  if (cursor.takeOne("period for", "system versioning")) return null;
  cursor.take("column");
  const ifThere = cursor.take("if", "exists");
  const name = cursor.name();
  cursor.takeOne("restrict", "cascade");
  return name === null ? null : [{ kind: "drop", name, ifThere }];
}

function readChange(cursor: TokenCursor, rules: DdlRules, renames: boolean): readonly Alteration[] | null {
  cursor.take("column");
  const ifThere = cursor.take("if", "exists");
  const name = renames ? cursor.name() : null;
  const column = renames && name === null ? null : readColumn(cursor, rules);
  if (column === null) return null;
  return [{ kind: "change", name: name ?? column.name, column, place: readPlace(cursor), ifThere }];
}

function readRename(cursor: TokenCursor): readonly Alteration[] | null {
  if (!cursor.take("column")) {
    // To another name of the table, which is told elsewhere.
    cursor.symbol("=");
    return cursor.table() === null ? null : NOTHING;
  }
  const ifThere = cursor.take("if", "exists");
  const name = cursor.name();
  const to = name !== null && cursor.take("to") ? cursor.name() : null;
  return name === null || to === null ? null : [{ kind: "rename", name, to, ifThere }];
}

function readAlterColumn(cursor: TokenCursor): readonly Alteration[] | null {
  cursor.take("column");
  cursor.take("if", "exists");
  const name = cursor.name();
  if (name === null) return null;
  if (cursor.take("set", "visible")) return [{ kind: "show", name, visible: true }];
  if (cursor.take("set", "invisible")) return [{ kind: "show", name, visible: false }];
  if (!cursor.takeOne("set default", "drop default")) return null;
  cursor.skipElement();
  return NOTHING;
}
