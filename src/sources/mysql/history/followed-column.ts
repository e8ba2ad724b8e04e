import { sameType } from "../../../core/logical-type.ts";
import { charsetOfName } from "../charset/width.ts";
import { columnType, type MysqlType, type MysqlTypeName, type MysqlTypeRules, parseMysqlType } from "../mysql-type.ts";
import type { DefinedColumn } from "./table-definition.ts";

type ColumnForm = Pick<DefinedColumn, "sourceType" | "collation">;

/**
 * Whether every value that a column can have is the same value behind an alteration of it, and of the same type for the
 * sink. Null: it is; a text says what changed.
 */
export function columnDifference(before: ColumnForm, after: ColumnForm, rules: MysqlTypeRules): string | null {
  if (before.sourceType === after.sourceType && before.collation === after.collation) return null;
  const was = parseMysqlType(before.sourceType, before.collation);
  const is = parseMysqlType(after.sourceType, after.collation);
  const became = `became ${after.sourceType} instead of ${before.sourceType}`;
  if (was === null || is === null || !sameType(columnType(was, rules), columnType(is, rules))) return became;
  // As text a time has as many digits as its type says.
  if (TEMPORAL.includes(was.name) && columnType(is, rules).kind === "text" && was.size !== is.size) return became;
  if (!keepsValues(was, is, before.sourceType, after.sourceType)) return became;
  if (before.collation === null || after.collation === null || keepsText(before.collation, after.collation))
    return null;
  return `became text of character set ${charsetOfName(after.collation)} instead of ${charsetOfName(before.collation)}`;
}

const TEMPORAL: readonly MysqlTypeName[] = ["time", "datetime", "timestamp"];

const LENGTHS = ["tiny", "", "medium", "long"];

/** Of the types of text and bytes that have no size of their own: by the word before it. */
function lengthRank(sourceType: string): number {
  return LENGTHS.findLastIndex((prefix) => sourceType.startsWith(prefix));
}

function keepsValues(was: MysqlType, is: MysqlType, before: string, after: string): boolean {
  if (was.name !== is.name || was.unsigned !== is.unsigned) return false;
  switch (was.name) {
    case "tinyint":
    case "smallint":
    case "mediumint":
    case "int":
    case "bigint":
    case "year":
      // What is in brackets is how wide it is shown.
      return true;
    case "varchar":
    case "varbinary":
    case "time":
    case "datetime":
    case "timestamp":
      return (is.size ?? 0) >= (was.size ?? 0);
    case "text":
    case "blob":
      return lengthRank(after) >= lengthRank(before);
    case "enum":
    case "set":
      return was.members.every((member) => is.members.includes(member));
    default:
      return was.size === is.size && was.scale === is.scale;
  }
}

/** Types of which more room is all that an alteration which is followed gives them. */
const ROOMY: readonly MysqlTypeName[] = [
  "varchar",
  "varbinary",
  "text",
  "blob",
  "tinyint",
  "smallint",
  "mediumint",
  "int",
  "bigint",
  "year",
];

/** Whether what is computed from a column is the same behind an alteration that leaves its values as they are. */
export function keepsComputed(before: ColumnForm, after: ColumnForm): boolean {
  if (before.collation !== after.collation) return false;
  if (before.sourceType === after.sourceType) return true;
  const type = parseMysqlType(after.sourceType, after.collation);
  return type !== null && ROOMY.includes(type.name);
}

/** Character sets that have all characters of another one. */
const SUPERSETS: Readonly<Record<string, readonly string[]>> = {
  ascii: ["latin1", "utf8mb3", "utf8mb4"],
  utf8mb3: ["utf8mb4"],
};

function keepsText(before: string, after: string): boolean {
  const [was, is] = [charsetOfName(before), charsetOfName(after)].map((name) => (name === "utf8" ? "utf8mb3" : name));
  return was === is || (SUPERSETS[was!] ?? []).includes(is!);
}
