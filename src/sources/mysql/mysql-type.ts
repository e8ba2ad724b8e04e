import type { LogicalType } from "../../core/logical-type.ts";
import type { ValueRules } from "../../core/source.ts";
import type { MysqlOptions } from "./config.ts";

/** The types of both servers, by the word that `COLUMN_TYPE` begins with, synonyms resolved. */
export type MysqlTypeName =
  | "tinyint"
  | "smallint"
  | "mediumint"
  | "int"
  | "bigint"
  | "decimal"
  | "float"
  | "double"
  | "bit"
  | "year"
  | "date"
  | "time"
  | "datetime"
  | "timestamp"
  | "char"
  | "varchar"
  | "text"
  | "binary"
  | "varbinary"
  | "blob"
  | "enum"
  | "set"
  | "json"
  | "geometry"
  | "vector"
  | "uuid"
  | "inet4"
  | "inet6";

/** A column's type as `information_schema.COLUMNS` has it, taken apart. */
export interface MysqlType {
  readonly name: MysqlTypeName;
  readonly unsigned: boolean;
  /** The first number in brackets: characters, bytes, bits, display width, decimal precision, fraction digits; else null. */
  readonly size: number | null;
  /** The second: the scale of a decimal, the digits of a float. */
  readonly scale: number | null;
  /** Of ENUM and SET, in their order, as the server prints them. */
  readonly members: readonly string[];
  /** The character set's name (`utf8mb4`), of text types; null: none, the values are bytes or numbers. */
  readonly charset: string | null;
}

const NAMES: Readonly<Record<string, MysqlTypeName>> = {
  tinyint: "tinyint",
  smallint: "smallint",
  mediumint: "mediumint",
  int: "int",
  bigint: "bigint",
  decimal: "decimal",
  float: "float",
  double: "double",
  bit: "bit",
  year: "year",
  date: "date",
  time: "time",
  datetime: "datetime",
  timestamp: "timestamp",
  char: "char",
  varchar: "varchar",
  tinytext: "text",
  text: "text",
  mediumtext: "text",
  longtext: "text",
  binary: "binary",
  varbinary: "varbinary",
  tinyblob: "blob",
  blob: "blob",
  mediumblob: "blob",
  longblob: "blob",
  enum: "enum",
  set: "set",
  json: "json",
  geometry: "geometry",
  point: "geometry",
  linestring: "geometry",
  polygon: "geometry",
  multipoint: "geometry",
  multilinestring: "geometry",
  multipolygon: "geometry",
  geomcollection: "geometry",
  geometrycollection: "geometry",
  vector: "vector",
  uuid: "uuid",
  inet4: "inet4",
  inet6: "inet6",
};

/** `word`, `(…)` and what stands behind it: `unsigned`, `zerofill`, MariaDB's comments. */
const COLUMN_TYPE = /^([a-z0-9]+)\s*(?:\((.*)\))?([^()]*)$/s;

/**
 * Takes a `COLUMN_TYPE` apart (`decimal(12,2) unsigned`, `enum('a','b')`). `collation` is the column's, or null. Null: a
 * type that is not known.
 */
export function parseMysqlType(columnType: string, collation: string | null): MysqlType | null {
  const match = COLUMN_TYPE.exec(columnType);
  const name = match === null ? undefined : NAMES[match[1]!];
  if (match === null || name === undefined) return null;
  const inBrackets = match[2] ?? "";
  const listed = name === "enum" || name === "set";
  const numbers = listed || inBrackets === "" ? [] : inBrackets.split(",").map(Number);
  return {
    name,
    unsigned: /\bunsigned\b/.test(match[3]!),
    size: numbers[0] ?? null,
    scale: numbers[1] ?? null,
    members: listed ? parseMembers(inBrackets) : [],
    charset: collation === null ? null : charsetOf(collation),
  };
}

/** What the servers write for a character of a member in `COLUMN_TYPE` (`append_unescaped` in `sql/unireg.cc`). */
const MEMBER_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\0", "\\0"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\\", "\\\\"],
  ["'", "''"],
]);
const MEMBER_CHARACTERS: ReadonlyMap<string, string> = new Map([...MEMBER_ESCAPES].map(([a, b]) => [b, a]));

/** `'a','it''s'` → `a`, `it's`. */
function parseMembers(list: string): readonly string[] {
  const members = list.matchAll(/'((?:[^'\\]|''|\\.)*)'/gs);
  return [...members].map((match) => match[1]!.replaceAll(/''|\\./gs, (text) => MEMBER_CHARACTERS.get(text) ?? text));
}

/** A member of ENUM or SET as it stands in `COLUMN_TYPE`. */
export function memberInType(member: string): string {
  return `'${member.replaceAll(/[\0\n\r\\']/g, (character) => MEMBER_ESCAPES.get(character)!)}'`;
}

/** Collations are named after their character set. */
function charsetOf(collation: string): string {
  return collation.split("_", 1)[0]!;
}

/** How a column's type is read, beside the type itself. */
export interface MysqlTypeRules extends ValueRules {
  readonly tinyint1AsBoolean: boolean;
}

export function typeRules({ tinyint1AsBoolean }: MysqlOptions, rules: ValueRules): MysqlTypeRules {
  return { ...rules, tinyint1AsBoolean };
}

const DECIMAL_DEFAULT_PRECISION = 10;

/**
 * What a column becomes (docs/types.md). Types that may hold a value that the logical type cannot (zero and partial
 * dates, times beyond a day) are text while the policy is `text`.
 */
export function columnType(type: MysqlType, rules: MysqlTypeRules): LogicalType {
  switch (type.name) {
    case "tinyint":
      return type.size === 1 && !type.unsigned && rules.tinyint1AsBoolean
        ? { kind: "bool" }
        : { kind: "int", bits: 16 };
    case "smallint":
      return { kind: "int", bits: type.unsigned ? 32 : 16 };
    case "mediumint":
      return { kind: "int", bits: 32 };
    case "int":
      return { kind: "int", bits: type.unsigned ? 64 : 32 };
    case "bigint":
      return type.unsigned ? { kind: "decimal", precision: 20, scale: 0 } : { kind: "int", bits: 64 };
    case "decimal": {
      const precision = type.size ?? DECIMAL_DEFAULT_PRECISION;
      return precision <= 38 ? { kind: "decimal", precision, scale: type.scale ?? 0 } : { kind: "text" };
    }
    case "float":
      return { kind: "float", bits: 32 };
    case "double":
      return { kind: "float", bits: 64 };
    case "bit":
      return (type.size ?? 1) === 1 ? { kind: "bool" } : { kind: "bytes" };
    case "year":
      return { kind: "int", bits: 16 };
    case "date":
      return dated({ kind: "date" }, rules);
    case "time":
      return dated({ kind: "time" }, rules);
    case "datetime":
      return dated({ kind: "timestamp", zone: false }, rules);
    case "timestamp":
      return dated({ kind: "timestamp", zone: true }, rules);
    case "char":
    case "varchar":
    case "text":
    case "enum":
    case "set":
    case "inet4":
    case "inet6":
      return { kind: "text" };
    case "json":
      return { kind: "json" };
    case "uuid":
      return { kind: "uuid" };
    case "binary":
    case "varbinary":
    case "blob":
    case "geometry":
    case "vector":
      return { kind: "bytes" };
  }
}

function dated(type: LogicalType, rules: ValueRules): LogicalType {
  return rules.unrepresentable === "text" ? { kind: "text" } : type;
}
