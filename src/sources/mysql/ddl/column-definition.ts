import type { DdlRules } from "./rules.ts";
import { readType, type WrittenType } from "./column-type.ts";
import type { TokenCursor } from "./token-cursor.ts";

/**
 * What a statement says of the value of rows that do not have one. `text`: a string or number as it is written;
 * `other`: an expression, the present time, or a literal of another form.
 */
export type WrittenDefault =
  | { readonly kind: "none" | "null" | "other" }
  | { readonly kind: "text"; readonly text: string; readonly quoted: boolean };

/** A column as a statement defines it. */
export interface WrittenColumn {
  readonly name: string;
  readonly type: WrittenType;
  readonly collation: string | null;
  /** Null: it says neither NULL nor NOT NULL. */
  readonly nullable: boolean | null;
  readonly default: WrittenDefault;
  readonly generated: boolean;
  readonly visible: boolean;
  readonly autoIncrement: boolean;
  readonly primary: boolean;
  readonly unique: boolean;
}

/** Where it goes. `null`: at the end, or where it was. */
export type ColumnPlace = { readonly kind: "first" } | { readonly kind: "after"; readonly name: string } | null;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A name, a type and what else is said of a column, up to what ends it. Null: not understood. */
export function readColumn(cursor: TokenCursor, rules: DdlRules): WrittenColumn | null {
  const name = cursor.name();
  const type = name === null ? null : readType(cursor, rules);
  if (name === null || type === null) return null;
  const column: Mutable<WrittenColumn> = {
    name,
    type,
    collation: type.collation,
    nullable: type.serial ? false : null,
    default: { kind: "none" },
    generated: false,
    visible: true,
    autoIncrement: type.serial,
    primary: false,
    unique: type.serial,
  };
  while (!endsColumn(cursor)) if (!readAttribute(cursor, column)) return null;
  return column;
}

export function readPlace(cursor: TokenCursor): ColumnPlace {
  if (cursor.take("first")) return { kind: "first" };
  const name = cursor.take("after") ? cursor.name() : null;
  return name === null ? null : { kind: "after", name };
}

function endsColumn(cursor: TokenCursor): boolean {
  if (cursor.atEnd || cursor.isSymbol(",") || cursor.isSymbol(")")) return true;
  return ["first", "after", "partition", "remove"].includes(cursor.word() ?? "");
}

/** One attribute. False: not understood. */
function readAttribute(cursor: TokenCursor, column: Mutable<WrittenColumn>): boolean {
  if (cursor.take("not", "null")) column.nullable = false;
  else if (cursor.take("null")) column.nullable = true;
  else if (cursor.take("default")) return readDefault(cursor, column);
  else if (cursor.take("auto_increment")) column.autoIncrement = true;
  else if (cursor.take("serial", "default", "value"))
    Object.assign(column, { nullable: false, autoIncrement: true, unique: true });
  else if (cursor.take("unique")) {
    cursor.take("key");
    column.unique = true;
  } else if (cursor.takeOne("primary key", "primary", "key")) column.primary = true;
  else if (cursor.take("collate")) {
    column.collation = cursor.charset();
    return column.collation !== null;
  } else if (cursor.takeOne("character set", "charset")) {
    const charset = cursor.charset();
    if (charset === null || !column.type.text) return false;
    column.type = { ...column.type, charset };
  } else if (cursor.take("binary") && column.type.text) column.type = { ...column.type, byBytes: true };
  else if (cursor.take("visible")) column.visible = true;
  else if (cursor.take("invisible")) column.visible = false;
  else if (cursor.takeOne("generated always as", "as")) {
    column.generated = true;
    const expression = cursor.brackets();
    cursor.takeOne("virtual", "stored", "persistent");
    return expression;
  } else return readIdleAttribute(cursor);
  return true;
}

/** What changes neither the form of a row nor its values. */
function readIdleAttribute(cursor: TokenCursor): boolean {
  if (cursor.take("on", "update")) {
    if (!cursor.takeOne("current_timestamp", "now", "localtime", "localtimestamp")) return false;
    cursor.brackets();
    return true;
  }
  if (cursor.take("comment")) return cursor.string() !== null;
  if (cursor.takeOne("column_format", "storage")) return cursor.name() !== null;
  if (cursor.takeOne("engine_attribute", "secondary_engine_attribute")) {
    cursor.symbol("=");
    return cursor.string() !== null;
  }
  if (cursor.takeOne("srid", "ref_system_id")) {
    cursor.symbol("=");
    return cursor.integer() !== null;
  }
  if (cursor.take("references")) return readReference(cursor);
  if (cursor.take("constraint") && cursor.word() !== "check") cursor.name();
  if (!cursor.take("check") || !cursor.brackets()) return false;
  if (!cursor.take("not", "enforced")) cursor.take("enforced");
  return true;
}

function readReference(cursor: TokenCursor): boolean {
  if (cursor.table() === null) return false;
  cursor.brackets();
  if (cursor.take("match") && cursor.name() === null) return false;
  while (cursor.takeOne("on delete", "on update"))
    if (!cursor.takeOne("restrict", "cascade", "set null", "no action", "set default")) return false;
  return true;
}

const NUMBER = /^[0-9]+$/;

function readDefault(cursor: TokenCursor, column: Mutable<WrittenColumn>): boolean {
  const sign = cursor.symbol("-") ? "-" : "";
  if (sign === "") cursor.symbol("+");
  const quoted = cursor.string();
  if (quoted !== null) {
    column.default = sign === "" ? { kind: "text", text: quoted, quoted: true } : { kind: "other" };
    return true;
  }
  const word = cursor.word();
  if (word === "null") {
    cursor.skip();
    column.default = { kind: "null" };
    return true;
  }
  if (cursor.isSymbol(".") || (word !== null && NUMBER.test(word))) {
    const text = readNumber(cursor);
    column.default = text === null ? { kind: "other" } : { kind: "text", text: sign + text, quoted: false };
    return true;
  }
  column.default = word === "true" || word === "false" ? truth(word) : { kind: "other" };
  if (cursor.brackets()) return true;
  // A word alone, a call of a function, or a string in another form: `b'1'`, `_utf8mb4'x'`, `DATE '2024-01-01'`.
  if (cursor.name() === null) return false;
  while (cursor.symbol(".")) if (cursor.name() === null) return false;
  if (cursor.string() === null) cursor.brackets();
  return true;
}

function truth(word: "true" | "false"): WrittenDefault {
  return { kind: "text", text: word === "true" ? "1" : "0", quoted: false };
}

/** Digits with a point in them. Null: in another form, as with an exponent. */
function readNumber(cursor: TokenCursor): string | null {
  const whole = cursor.isSymbol(".") ? "" : cursor.name()!;
  if (!cursor.symbol(".")) return whole;
  const digits = cursor.word() ?? "";
  if (!NUMBER.test(digits)) {
    if (digits !== "") cursor.skip();
    if (cursor.symbol("-") || cursor.symbol("+")) cursor.skip();
    return null;
  }
  cursor.skip();
  return `${whole === "" ? "0" : whole}.${digits}`;
}
