import { bytesPerCharacter } from "../charset/width.ts";
import { memberInType } from "../mysql-type.ts";
import type { DdlRules } from "./rules.ts";
import type { TokenCursor } from "./token-cursor.ts";

/** A column's type as a statement has it, synonyms resolved. */
export interface WrittenType {
  /** The word that `COLUMN_TYPE` begins with. */
  readonly word: string;
  readonly numbers: readonly number[];
  /** Of ENUM and SET. */
  readonly members: readonly string[];
  readonly unsigned: boolean;
  readonly zerofill: boolean;
  /** Values are text, which has a character set. */
  readonly text: boolean;
  /** As written; null: not said. */
  readonly charset: string | null;
  readonly collation: string | null;
  /** BINARY behind a type of text: the collation of the character set that compares bytes. */
  readonly byBytes: boolean;
  /** MariaDB's COMPRESSED. */
  readonly compressed: boolean;
  /** SERIAL, and whatever is said of the column by that word. */
  readonly serial: boolean;
}

const PLAIN: WrittenType = {
  word: "",
  numbers: [],
  members: [],
  unsigned: false,
  zerofill: false,
  text: false,
  charset: null,
  collation: null,
  byBytes: false,
  compressed: false,
  serial: false,
};

/** Spellings of types that take no more than numbers; the longer ones first. */
const SPELLINGS: readonly (readonly [words: string, word: string])[] = [
  ["double precision", "double"],
  ["tinyint", "tinyint"],
  ["int1", "tinyint"],
  ["smallint", "smallint"],
  ["int2", "smallint"],
  ["mediumint", "mediumint"],
  ["int3", "mediumint"],
  ["middleint", "mediumint"],
  ["int", "int"],
  ["integer", "int"],
  ["int4", "int"],
  ["bigint", "bigint"],
  ["int8", "bigint"],
  ["decimal", "decimal"],
  ["numeric", "decimal"],
  ["dec", "decimal"],
  ["fixed", "decimal"],
  ["float", "float"],
  ["float4", "float"],
  ["double", "double"],
  ["float8", "double"],
  ["bit", "bit"],
  ["year", "year"],
  ["date", "date"],
  ["time", "time"],
  ["datetime", "datetime"],
  ["timestamp", "timestamp"],
  ["binary", "binary"],
  ["varbinary", "varbinary"],
  ["long varbinary", "mediumblob"],
  ["tinyblob", "tinyblob"],
  ["blob", "blob"],
  ["mediumblob", "mediumblob"],
  ["longblob", "longblob"],
  ["geometry", "geometry"],
  ["point", "point"],
  ["linestring", "linestring"],
  ["polygon", "polygon"],
  ["multipoint", "multipoint"],
  ["multilinestring", "multilinestring"],
  ["multipolygon", "multipolygon"],
  ["geometrycollection", "geometrycollection"],
  ["geomcollection", "geometrycollection"],
  ["vector", "vector"],
];

const TEXT_SPELLINGS: readonly (readonly [words: string, word: string])[] = [
  ["char varying", "varchar"],
  ["character varying", "varchar"],
  ["long char varying", "mediumtext"],
  ["long character varying", "mediumtext"],
  ["long varcharacter", "mediumtext"],
  ["long varchar", "mediumtext"],
  ["long", "mediumtext"],
  ["char", "char"],
  ["character", "char"],
  ["varchar", "varchar"],
  ["varcharacter", "varchar"],
  ["tinytext", "tinytext"],
  ["text", "text"],
  ["mediumtext", "mediumtext"],
  ["longtext", "longtext"],
];

/** In the national character set, which is utf8mb3. */
const NATIONAL: readonly (readonly [words: string, word: string])[] = [
  ["national char varying", "varchar"],
  ["national character varying", "varchar"],
  ["national varchar", "varchar"],
  ["national varcharacter", "varchar"],
  ["nchar varying", "varchar"],
  ["nchar varchar", "varchar"],
  ["nchar varcharacter", "varchar"],
  ["nvarchar", "varchar"],
  ["national char", "char"],
  ["national character", "char"],
  ["nchar", "char"],
];

const MARIADB_TYPES = ["uuid", "inet4", "inet6"];
const NUMBERS = new Set(["tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"]);
/** Digits after which a FLOAT is a DOUBLE. */
const FLOAT_DIGITS_MAX = 24;
const DOUBLE_DIGITS_MAX = 53;

/** The type that stands there, with what directly follows it. Null: not understood. */
export function readType(cursor: TokenCursor, rules: DdlRules): WrittenType | null {
  const isMariadb = rules.flavour === "mariadb";
  if (cursor.takeOne("bool", "boolean")) return { ...PLAIN, word: "tinyint", numbers: [1] };
  if (cursor.take("serial")) return { ...PLAIN, word: "bigint", unsigned: true, serial: true };
  if (cursor.take("real")) return numbered(cursor, rules.realAsFloat ? "float" : "double");
  if (cursor.take("enum")) return listed(cursor, "enum");
  if (cursor.take("set")) return listed(cursor, "set");
  if (cursor.take("json"))
    return isMariadb
      ? { ...PLAIN, word: "longtext", text: true, charset: "utf8mb4", collation: "utf8mb4_bin" }
      : { ...PLAIN, word: "json" };
  for (const word of isMariadb ? MARIADB_TYPES : []) if (cursor.take(word)) return { ...PLAIN, word };
  for (const [words, word] of NATIONAL)
    if (cursor.takeOne(words)) return textual(cursor, { ...PLAIN, word, text: true, charset: "utf8mb3" });
  for (const [words, word] of SPELLINGS) if (cursor.takeOne(words)) return numbered(cursor, word);
  for (const [words, word] of TEXT_SPELLINGS)
    if (cursor.takeOne(words)) return textual(cursor, { ...PLAIN, word, text: true });
  return null;
}

/** `(10)`, `(10,2)`. Null: something else is in brackets. */
function numbersInBrackets(cursor: TokenCursor): readonly number[] | null {
  if (!cursor.symbol("(")) return [];
  const numbers: number[] = [];
  do {
    const number = cursor.integer();
    if (number === null) return null;
    numbers.push(number);
  } while (cursor.symbol(","));
  return cursor.symbol(")") ? numbers : null;
}

function numbered(cursor: TokenCursor, word: string): WrittenType | null {
  const numbers = numbersInBrackets(cursor);
  if (numbers === null || numbers.length > 2) return null;
  const type = { ...PLAIN, word, numbers };
  if (word.endsWith("blob") || word.endsWith("binary")) return { ...type, compressed: takesCompressed(cursor) };
  if (!NUMBERS.has(word)) return type;
  let unsigned = false;
  let zerofill = false;
  for (;;)
    if (cursor.take("unsigned")) unsigned = true;
    else if (cursor.take("zerofill")) zerofill = true;
    else if (!cursor.take("signed")) break;
  if (word !== "float" || numbers.length !== 1) return { ...type, unsigned: unsigned || zerofill, zerofill };
  if (numbers[0]! > DOUBLE_DIGITS_MAX) return null;
  const real = numbers[0]! > FLOAT_DIGITS_MAX ? "double" : "float";
  return { ...type, word: real, numbers: [], unsigned: unsigned || zerofill, zerofill };
}

function takesCompressed(cursor: TokenCursor): boolean {
  if (!cursor.take("compressed")) return false;
  if (cursor.symbol("=")) cursor.skip();
  return true;
}

function listed(cursor: TokenCursor, word: "enum" | "set"): WrittenType | null {
  if (!cursor.symbol("(")) return null;
  const members: string[] = [];
  do {
    const member = cursor.string();
    if (member === null) return null;
    members.push(member.replace(/ +$/, ""));
  } while (cursor.symbol(","));
  return cursor.symbol(")") ? textual(cursor, { ...PLAIN, word, members, text: true }) : null;
}

/** A size, and the words about the character set that stand before all other attributes. */
function textual(cursor: TokenCursor, written: WrittenType): WrittenType | null {
  const numbers = written.members.length > 0 ? [] : numbersInBrackets(cursor);
  if (numbers === null || numbers.length > 1) return null;
  let type: WrittenType = { ...written, numbers };
  for (;;) {
    if (cursor.takeOne("character set", "char set", "charset")) {
      const charset = cursor.charset();
      if (charset === null) return null;
      type = { ...type, charset };
    } else if (cursor.take("byte")) type = { ...type, charset: "binary" };
    else if (cursor.take("ascii")) type = { ...type, charset: "latin1" };
    else if (cursor.take("unicode")) type = { ...type, charset: "ucs2" };
    else if (cursor.take("binary")) type = { ...type, byBytes: true };
    else if (cursor.word() === "compressed") type = { ...type, compressed: takesCompressed(cursor) };
    else return type;
  }
}

/** The type of bytes that a type of text is in the character set `binary`. */
const IN_BYTES: Readonly<Record<string, string>> = {
  char: "binary",
  varchar: "varbinary",
  tinytext: "tinyblob",
  text: "blob",
  mediumtext: "mediumblob",
  longtext: "longblob",
};

const BLOB_BYTES: readonly (readonly [prefix: string, bytes: number])[] = [
  ["tiny", 255],
  ["", 65_535],
  ["medium", 16_777_215],
  ["long", 4_294_967_295],
];

/** The same type with its size in the words that the server keeps. Null: it takes a size that is not understood. */
export function sizedType(type: WrittenType, charset: string | null): WrittenType | null {
  const inBytes = type.text && charset === "binary" && type.members.length === 0;
  const word = inBytes ? IN_BYTES[type.word]! : type.word;
  const sized = { ...type, word, text: type.text && !inBytes };
  const base = word.replace(/^(?:tiny|medium|long)/, "");
  if ((base !== "text" && base !== "blob") || type.numbers.length === 0) return sized;
  if (word !== base) return null;
  const width = sized.text ? bytesPerCharacter(charset ?? "") : 1;
  const fits = BLOB_BYTES.find(([, bytes]) => type.numbers[0]! * width <= bytes);
  return fits === undefined ? null : { ...sized, word: fits[0] + base, numbers: [] };
}

/** Characters that MySQL shows of an integer, where it shows any: of a signed one, and of an unsigned one. */
const DISPLAY: Readonly<Record<string, readonly [signed: number, unsigned: number]>> = {
  tinyint: [4, 3],
  smallint: [6, 5],
  mediumint: [9, 8],
  int: [11, 10],
  bigint: [20, 20],
};

/** Since when MySQL leaves out how wide integers and years are shown. */
const WITHOUT_WIDTHS = 80_019;
const DECIMAL_DIGITS = 10;
const VECTOR_DIMENSIONS = 2048;

/** The type as `information_schema.COLUMNS` prints it in `COLUMN_TYPE`. */
export function columnTypeText(type: WrittenType, rules: DdlRules): string {
  const signs = `${type.unsigned ? " unsigned" : ""}${type.zerofill ? " zerofill" : ""}`;
  const compressed = type.compressed ? " /*M!100301 COMPRESSED*/" : "";
  if (type.members.length > 0) {
    return `${type.word}(${type.members.map(memberInType).join(",")})`;
  }
  const numbers = printedNumbers(type, rules);
  const word = type.word === "geometrycollection" && rules.flavour === "mysql" ? "geomcollection" : type.word;
  return `${word}${numbers.length === 0 ? "" : `(${numbers.join(",")})`}${signs}${compressed}`;
}

function printedNumbers({ word, numbers, unsigned, zerofill }: WrittenType, rules: DdlRules): readonly number[] {
  const plainWidths = rules.flavour === "mysql" && rules.serverVersion >= WITHOUT_WIDTHS;
  const display = DISPLAY[word];
  if (display !== undefined) {
    const width = numbers[0] ?? (unsigned && (zerofill || !plainWidths) ? display[1] : display[0]);
    const shown = !plainWidths || zerofill || (word === "tinyint" && numbers[0] === 1 && !unsigned);
    return shown ? [width] : [];
  }
  switch (word) {
    case "decimal":
      return [numbers[0] === undefined || numbers[0] === 0 ? DECIMAL_DIGITS : numbers[0], numbers[1] ?? 0];
    case "year":
      return plainWidths ? [] : [numbers[0] ?? 4];
    case "bit":
    case "char":
    case "binary":
      return [numbers[0] ?? 1];
    case "time":
    case "datetime":
    case "timestamp":
      return numbers[0] === 0 ? [] : numbers;
    case "vector":
      return [numbers[0] ?? VECTOR_DIMENSIONS];
    default:
      return numbers;
  }
}
