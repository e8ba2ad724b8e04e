import type { LogicalType } from "../../../core/logical-type.ts";
import type { WrittenColumn } from "../ddl/column-definition.ts";
import { type MysqlType, parseMysqlType } from "../mysql-type.ts";
import type { DefinedColumn } from "./table-definition.ts";

/**
 * What the rows that were there have in a column that an ALTER TABLE has added, in the server's text; null: NULL.
 * Undefined: the statement alone does not tell, as with an expression, or a text that the server reads as a date.
 */
export function addedValue(
  written: WrittenColumn,
  column: DefinedColumn,
  type: LogicalType,
): string | null | undefined {
  if (column.generated || written.autoIncrement) return undefined;
  const mysqlType = parseMysqlType(column.sourceType, column.collation);
  if (mysqlType === null) return undefined;
  switch (written.default.kind) {
    case "null":
      return null;
    case "none":
      return column.nullable === true ? null : column.nullable === false ? impliedValue(mysqlType, type) : undefined;
    case "text":
      return literalValue(written.default.text, written.default.quoted, mysqlType, type);
    case "other":
      return undefined;
  }
}

/** What a column that is NOT NULL implies, where it has no default. */
export function impliedValue(mysqlType: MysqlType, type: LogicalType): string | undefined {
  if (mysqlType.name === "enum") return mysqlType.members[0];
  if (type.kind === "int" || type.kind === "float" || type.kind === "decimal") return "0";
  if (type.kind === "bool") return "false";
  return ["char", "varchar", "text", "set"].includes(mysqlType.name) ? "" : undefined;
}

const WHOLE = /^-?[0-9]+$/;
const NUMBER = /^-?[0-9]+(?:\.([0-9]+))?$/;
const DATE = /^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$/;
const DATETIME = /^([1-9][0-9]{3}-[0-9]{2}-[0-9]{2}) (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.([0-9]+))?$/;

/** Forms that mean one thing alone; of all others the server knows best. */
function literalValue(text: string, quoted: boolean, mysqlType: MysqlType, type: LogicalType): string | undefined {
  switch (mysqlType.name) {
    case "tinyint":
    case "smallint":
    case "mediumint":
    case "int":
    case "bigint":
      if (!WHOLE.test(text)) return undefined;
      return type.kind === "bool" ? String(BigInt(text) !== 0n) : BigInt(text).toString();
    case "decimal":
    case "float":
    case "double": {
      const digits = NUMBER.exec(text);
      const fits = digits !== null && (mysqlType.scale === null || (digits[1] ?? "").length <= mysqlType.scale);
      if (!fits || (mysqlType.name === "decimal" && (digits[1] ?? "").length > (mysqlType.scale ?? 0)))
        return undefined;
      return type.kind === "text" ? printedDecimal(text, mysqlType.scale ?? 0) : text;
    }
    case "year":
      return /^(?:19|20)[0-9]{2}$/.test(text) ? text : undefined;
    case "char":
      return quoted ? text.replace(/ +$/, "") : plainNumber(text);
    case "varchar":
    case "text":
      return quoted ? text : plainNumber(text);
    case "enum":
      return quoted && mysqlType.members.includes(text) ? text : undefined;
    case "set":
      return quoted && (text === "" || mysqlType.members.includes(text)) ? text : undefined;
    case "date":
      return DATE.test(text) && isDay(text) ? text : undefined;
    case "datetime": {
      const whole = DATE.test(text) ? `${text} 00:00:00` : text;
      const parts = DATETIME.exec(whole);
      if (parts === null || !isDay(parts[1]!) || (parts[2] ?? "").length > (mysqlType.size ?? 0)) return undefined;
      const missing = (mysqlType.size ?? 0) - (parts[2] ?? "").length;
      if (type.kind !== "text" || missing === 0) return whole;
      return `${whole}${parts[2] === undefined ? "." : ""}${"0".repeat(missing)}`;
    }
    default:
      // A TIMESTAMP is meant in the session's time zone.
      return undefined;
  }
}

/** As the server prints it, where the sink has it as a text. */
function printedDecimal(text: string, scale: number): string {
  const negative = text.startsWith("-");
  const [whole = "", fraction = ""] = (negative ? text.slice(1) : text).split(".");
  const digits = `${whole.replace(/^0+(?=[0-9])/, "")}${scale === 0 ? "" : `.${fraction.padEnd(scale, "0")}`}`;
  return negative && /[1-9]/.test(digits) ? `-${digits}` : digits;
}

function plainNumber(text: string): string | undefined {
  return /^(?:0|-?[1-9][0-9]*)$/.test(text) ? text : undefined;
}

function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}
