import type { ChunkRange, KeyBound } from "../../core/chunk.ts";
import { MillraceError } from "../../core/errors.ts";
import { keyColumns, type ColumnSchema, type TableSchema } from "../../core/table-schema.ts";
import { parseMysqlType, type MysqlType } from "./mysql-type.ts";
import { quoteName, quoteText } from "./sql-text.ts";

const NUMBER = /^-?[0-9]+(?:\.[0-9]+)?$/;
const HEX = /^(?:[0-9a-f]{2})*$/;

/** The type of a column whose schema came from the catalog. */
export function mysqlType(column: ColumnSchema): MysqlType {
  const type = parseMysqlType(column.sourceType, column.collation);
  if (type === null) throw new MillraceError("INTERNAL", `column ${column.name} has an unknown type`);
  return type;
}

/**
 * A bound's text as a literal that the column compares with as it orders, without anything being converted but the
 * literal: else the key's index would not be used.
 */
function literal(type: MysqlType, text: string): string {
  switch (type.name) {
    case "tinyint":
    case "smallint":
    case "mediumint":
    case "int":
    case "bigint":
    case "decimal":
    case "year":
    case "set":
      return number(text);
    case "enum":
      return member(type, number(text));
    case "bit":
      return type.size === null || type.size === 1 ? number(text) : String(BigInt(`0x0${hex(text)}`));
    case "float":
    case "double":
      if (!Number.isFinite(Number(text)) || text === "") throw noSuchBound(type);
      return Object.is(Number(text), -0) ? "-0e0" : Number(text).toExponential();
    case "binary":
    case "varbinary":
    case "blob":
    case "geometry":
    case "vector":
      return `x'${hex(text)}'`;
    default:
      return quoteText(text);
  }
}

/** By its text: a comparison with the number is no range to MySQL, and sorts. Number 0 is what was never a member. */
function member({ members }: MysqlType, index: string): string {
  const text = members[Number(index) - 1];
  return text === undefined ? index : quoteText(text);
}

function number(text: string): string {
  if (!NUMBER.test(text)) throw new MillraceError("INTERNAL", "a bound of a key is no number");
  return text;
}

function hex(text: string): string {
  if (!HEX.test(text)) throw new MillraceError("INTERNAL", "a bound of a key is not in hex");
  return text;
}

function noSuchBound(type: MysqlType): MillraceError {
  return new MillraceError("INTERNAL", `a bound of a key is no ${type.name}`);
}

type Operator = "=" | ">" | "<" | "<=";

/** One part of a key, compared with one text of a bound. */
function compared(column: ColumnSchema, operator: Operator, text: string): string {
  const name = `t.${quoteName(column.name)}`;
  const type = mysqlType(column);
  if (type.name !== "enum" || operator === "=") return `${name} ${operator} ${literal(type, text)}`;
  // An ENUM is ordered by its members' numbers, and neither server makes a range of more or less.
  const bound = Number(number(text));
  const numbers = Array.from({ length: type.members.length + 1 }, (_, i) => i).filter((i) =>
    operator === ">" ? i > bound : operator === "<" ? i < bound : i <= bound,
  );
  return numbers.length === 0 ? "FALSE" : `${name} IN (${numbers.map((i) => member(type, String(i))).join(", ")})`;
}

/**
 * `(a, b) > (…)` written out, which both servers read as ranges of the key's index; a comparison of rows they do not.
 * `last` compares the last part, `before` those before it.
 */
function ordered(columns: readonly ColumnSchema[], bound: KeyBound, before: Operator, last: Operator): string {
  const [column, ...others] = columns;
  const [text, ...texts] = bound;
  if (column === undefined || text === undefined || others.length !== texts.length)
    throw new MillraceError("INTERNAL", "a bound has another length than the key");
  if (others.length === 0) return compared(column, last, text);
  const rest = ordered(others, texts, before, last);
  return `(${compared(column, before, text)} OR (${compared(column, "=", text)} AND ${rest}))`;
}

/** `WHERE` of a range of table `t`; empty for all rows. */
export function rangeCondition(schema: TableSchema, range: ChunkRange): string {
  const columns = keyColumns(schema);
  const conditions: string[] = [];
  if (range.lower !== null) conditions.push(ordered(columns, range.lower, ">", ">"));
  if (range.upper !== null) conditions.push(ordered(columns, range.upper, "<", "<="));
  return conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
}

/** `WHERE` of the rows of table `t` that have one of these keys. */
export function keysCondition(schema: TableSchema, keys: readonly KeyBound[]): string {
  const columns = keyColumns(schema);
  const [column, ...others] = columns;
  if (column !== undefined && others.length === 0) {
    const type = mysqlType(column);
    return ` WHERE t.${quoteName(column.name)} IN (${keys.map((key) => literal(type, key[0]!)).join(", ")})`;
  }
  const equal = keys.map((key) => columns.map((part, i) => compared(part, "=", key[i]!)).join(" AND "));
  return ` WHERE (${equal.join(") OR (")})`;
}
