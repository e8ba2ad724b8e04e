import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  FixedSizeBinary,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  List,
  Struct,
  TimeMicrosecond,
  TimestampMicrosecond,
  Utf8,
} from "apache-arrow/type";
import { Field } from "apache-arrow/schema";
import { assertNever } from "../../core/errors.ts";
import type { FileColumn, FileType } from "../file-schema.ts";

/** Of a `texts` column's items: Arrow wants a name, and nobody sees it. */
const ITEM = new Field("item", new Utf8(), false);

/**
 * The field of the column at `index`. Its name is its number: what reads the stream addresses columns by names, and those
 * of tables may be anything.
 */
export function arrowField(column: FileColumn, index: number): Field {
  return new Field(String(index), arrowType(column.type), !column.required);
}

function arrowType(type: FileType): DataType {
  switch (type.kind) {
    case "bool":
      return new Bool();
    case "int":
      return type.bits === 16 ? new Int16() : type.bits === 32 ? new Int32() : new Int64();
    case "float":
      return type.bits === 32 ? new Float32() : new Float64();
    case "decimal":
      // Parquet's smallest type takes up to nine digits, but the encoder takes the next larger one for a single digit.
      return new Decimal(type.scale, Math.max(type.precision, 2), 128);
    case "text":
    case "json":
      return new Utf8();
    case "bytes":
      return new Binary();
    case "uuid":
      return new FixedSizeBinary(16);
    case "date":
      return new DateDay();
    case "time":
      return new TimeMicrosecond();
    case "timestamp":
      return new TimestampMicrosecond(type.zone ? "UTC" : null);
    case "texts":
      return new List(ITEM);
    case "row":
      return new Struct(type.fields.map(arrowField));
    default:
      return assertNever(type);
  }
}
