import type { ColumnSchema } from "../../../core/table-schema.ts";
import { CellForm, type CellPlan } from "./cell.ts";
import { decimalGroups } from "./decimal.ts";
import { type Charsets, formText, type TextForm } from "../charset/charset.ts";
import { CodeTable } from "../charset/code-table.ts";
import { parseMysqlType, type MysqlType, type MysqlTypeName } from "../mysql-type.ts";
import type { MapColumn } from "./table-map.ts";
import { WireType } from "./wire-type.ts";

/** The types on the wire that a column of the catalog's type can have: any other one is not that column any more. */
export const WIRE_TYPES: Readonly<Record<MysqlTypeName, readonly number[]>> = {
  tinyint: [WireType.tiny],
  smallint: [WireType.short],
  mediumint: [WireType.int24],
  int: [WireType.long],
  bigint: [WireType.longlong],
  decimal: [WireType.newDecimal],
  float: [WireType.float],
  double: [WireType.double],
  bit: [WireType.bit],
  year: [WireType.year],
  date: [WireType.date, WireType.newDate],
  time: [WireType.time2, WireType.time],
  datetime: [WireType.datetime2, WireType.datetime],
  timestamp: [WireType.timestamp2, WireType.timestamp],
  char: [WireType.string],
  varchar: [WireType.varchar, WireType.varString, WireType.varcharCompressed],
  text: [WireType.blob, WireType.blobCompressed],
  binary: [WireType.string],
  varbinary: [WireType.varchar, WireType.varString, WireType.varcharCompressed],
  blob: [WireType.blob, WireType.blobCompressed],
  enum: [WireType.enum],
  set: [WireType.set],
  json: [WireType.json],
  geometry: [WireType.geometry],
  vector: [WireType.vector, WireType.varchar],
  uuid: [WireType.string],
  inet4: [WireType.string],
  inet6: [WireType.string],
};

const INT_BYTES = { tinyint: 1, smallint: 2, mediumint: 3, int: 4, bigint: 8 };
const INTS: ReadonlyMap<MysqlTypeName, number> = new Map(Object.entries(INT_BYTES) as [MysqlTypeName, number][]);
const FLOATING = new Set<MysqlTypeName>(["float", "double"]);
/** Bytes, whatever the wire's type is; what is in none of these sets is text. */
const BYTES = new Set<MysqlTypeName>(["varbinary", "blob", "geometry", "vector"]);

/**
 * How the values of a column of the log are written as the schema's column has them. A text says why they cannot be. The
 * column's character set was prepared. `isKey`: it tells rows apart.
 */
export function cellPlan(
  column: MapColumn,
  schema: ColumnSchema,
  charsets: Charsets,
  isKey: boolean,
): CellPlan | string {
  const type = parseMysqlType(schema.sourceType, schema.collation);
  if (type === null) return `is of type ${schema.sourceType}, which is not known`;
  if (!WIRE_TYPES[type.name].includes(column.wireType))
    return `was another type than ${schema.sourceType} in the log (${column.wireType})`;
  const numeric = INTS.has(type.name) || FLOATING.has(type.name) || type.name === "decimal";
  if (numeric && type.unsigned !== column.unsigned) return `was not ${schema.sourceType} in the log`;
  const planned = planOf(column, type, schema, charsets);
  if (typeof planned === "string") return planned;
  const plan = { ...NOTHING, ...planned };
  return isKey && plan.textForm instanceof CodeTable ? { ...plan, textForm: plan.textForm.forKeys() } : plan;
}

const NOTHING: CellPlan = {
  form: CellForm.bytes,
  width: 0,
  unsigned: false,
  precision: 0,
  scale: 0,
  groups: new Uint8Array(0),
  asText: false,
  length: 0,
  textForm: "utf8",
  members: [],
};

type Planned = Partial<CellPlan> & Pick<CellPlan, "form">;

function planOf(column: MapColumn, type: MysqlType, schema: ColumnSchema, charsets: Charsets): Planned | string {
  if (INTS.has(type.name)) return intPlan(column, schema);
  if (BYTES.has(type.name)) return bytesPlan(column, schema);
  const { meta } = column;
  const asText = schema.type.kind === "text";
  switch (type.name) {
    case "float":
      return { form: CellForm.float32 };
    case "double":
      return { form: CellForm.float64 };
    case "decimal":
      return decimalPlan(column, type, schema);
    case "bit":
      return { form: schema.type.kind === "bool" ? CellForm.bit : CellForm.bytes };
    case "year":
      return { form: CellForm.year };
    case "date":
      return { form: CellForm.date, asText };
    case "time":
    case "datetime":
    case "timestamp":
      return temporalPlan(column, type, asText);
    case "binary":
      return column.charset === "binary" ? { form: CellForm.padded, length: meta } : charsetDiffers(column, schema);
    case "uuid":
      return { form: CellForm.uuid };
    case "inet4":
    case "inet6":
      return { form: CellForm.inet, length: type.name === "inet4" ? 4 : 16 };
    case "json":
      return { form: CellForm.json };
    case "enum":
    case "set":
      return listedPlan(column, type, charsets);
    default:
      return textPlan(column, type, schema, charsets);
  }
}

function intPlan(column: MapColumn, { type }: ColumnSchema): Planned | string {
  const { unsigned, width } = column;
  if (type.kind === "bool") return { form: CellForm.bool };
  if (type.kind === "decimal") return { form: CellForm.bigintUnsigned };
  if (width === 8) return { form: CellForm.bigint };
  const bits = type.kind === "int" ? type.bits : 0;
  const form = bits === 16 ? CellForm.int16 : bits === 32 ? CellForm.int32 : CellForm.int64;
  return { form, unsigned, width };
}

function decimalPlan(
  { meta }: MapColumn,
  type: MysqlType,
  { sourceType, type: logical }: ColumnSchema,
): Planned | string {
  const [precision, scale] = [meta >> 8, meta & 0xff];
  if (precision !== (type.size ?? 10) || scale !== (type.scale ?? 0))
    return `was decimal(${precision},${scale}) instead of ${sourceType} in the log`;
  const form = logical.kind === "text" ? CellForm.decimalText : CellForm.decimal;
  return { form, precision, scale, groups: decimalGroups(precision, scale) };
}

function temporalPlan({ wireType, meta }: MapColumn, type: MysqlType, asText: boolean): Planned | string {
  switch (wireType) {
    case WireType.time2:
      return { form: CellForm.time, scale: meta, asText };
    case WireType.datetime2:
      return { form: CellForm.datetime, scale: meta, asText };
    case WireType.timestamp2:
      return { form: CellForm.timestamp, scale: meta, asText };
  }
  // MariaDB's own form of fractions (mysql56_temporal_format = OFF) has the same types, and nothing says its length.
  if ((type.size ?? 0) > 0) return "has fractions of seconds in an old form; ALTER TABLE … FORCE renews it";
  if (wireType === WireType.time) return { form: CellForm.oldTime, asText };
  return { form: wireType === WireType.datetime ? CellForm.oldDatetime : CellForm.oldTimestamp, asText };
}

function isCompressed({ wireType }: MapColumn): boolean {
  return wireType === WireType.blobCompressed || wireType === WireType.varcharCompressed;
}

function bytesPlan(column: MapColumn, schema: ColumnSchema): Planned | string {
  if (column.charset !== null && column.charset !== "binary") return charsetDiffers(column, schema);
  return isCompressed(column) ? { form: CellForm.compressed } : { form: CellForm.bytes };
}

function textPlan(column: MapColumn, type: MysqlType, schema: ColumnSchema, charsets: Charsets): Planned | string {
  const form = readableForm(column, charsets);
  if (typeof form === "object" && "reason" in form) return form.reason;
  if (!sameCharset(column.charset, type.charset)) return charsetDiffers(column, schema);
  return { form: isCompressed(column) ? CellForm.compressed : CellForm.text, textForm: form };
}

function listedPlan(column: MapColumn, type: MysqlType, charsets: Charsets): Planned | string {
  const form = readableForm(column, charsets);
  if (typeof form === "object" && "reason" in form) return form.reason;
  if (column.members.length === 0) return "has no members in the log";
  const members = column.members.map((member) => formText(form, member));
  if (!members.every((member) => member !== null)) return `has members that are not of character set ${column.charset}`;
  return { form: type.name === "enum" ? CellForm.enum : CellForm.set, width: column.width, members };
}

function readableForm({ charset, collation }: MapColumn, charsets: Charsets): TextForm | { readonly reason: string } {
  if (charset === null) return { reason: `is of a collation that is not known (number ${collation})` };
  // An ENUM of CHARACTER SET binary has members of bytes; they are taken for UTF-8.
  const form = charset === "binary" ? "utf8" : charsets.form(charset);
  return form ?? { reason: `is of a character set that cannot be read exactly (${charset})` };
}

/** `utf8` is what MariaDB and older servers call `utf8mb3`. */
function sameCharset(a: string | null, b: string | null): boolean {
  const full = (name: string | null): string | null => (name === "utf8" ? "utf8mb3" : name);
  return full(a) === full(b);
}

function charsetDiffers({ charset }: MapColumn, { sourceType, collation }: ColumnSchema): string {
  return `was of character set ${charset} instead of ${collation ?? sourceType} in the log`;
}
