import { assertNever } from "../../core/errors.ts";
import type { LogicalType } from "../../core/logical-type.ts";

/** `Type` of parquet.thrift: how the cells of a column are stored. */
export const PhysicalType = {
  boolean: 0,
  int32: 1,
  int64: 2,
  float: 4,
  double: 5,
  byteArray: 6,
  fixedLengthByteArray: 7,
} as const;
export type PhysicalType = (typeof PhysicalType)[keyof typeof PhysicalType];

const INT32_DIGITS = 9;
const INT64_DIGITS = 18;

/** Decimals take the smallest type that they fit in (LogicalTypes.md), as Iceberg wants them as well. */
export function physicalType(type: LogicalType): PhysicalType {
  switch (type.kind) {
    case "bool":
      return PhysicalType.boolean;
    case "int":
      return type.bits === 64 ? PhysicalType.int64 : PhysicalType.int32;
    case "float":
      return type.bits === 64 ? PhysicalType.double : PhysicalType.float;
    case "decimal":
      if (type.precision <= INT32_DIGITS) return PhysicalType.int32;
      return type.precision <= INT64_DIGITS ? PhysicalType.int64 : PhysicalType.fixedLengthByteArray;
    case "text":
    case "json":
    case "bytes":
      return PhysicalType.byteArray;
    case "uuid":
      return PhysicalType.fixedLengthByteArray;
    case "date":
      return PhysicalType.int32;
    case "time":
    case "timestamp":
      return PhysicalType.int64;
    default:
      return assertNever(type);
  }
}

/** Bytes of a cell of fixed length. */
export function fixedLength(type: LogicalType): number {
  // As many as its largest number needs, with a sign.
  return type.kind === "decimal" ? Math.ceil((type.precision * Math.log2(10) + 1) / 8) : 16;
}
