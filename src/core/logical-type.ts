/**
 * The types a column can have between a source and a sink, and the Arrow layout of each (see `column.ts`).
 *
 * | kind | values |
 * |---|---|
 * | bool | bitmap, least significant bit first |
 * | int | two's complement, little endian, `bits` wide |
 * | float | IEEE 754, little endian |
 * | decimal | Decimal128: unscaled two's complement integer of 16 bytes, little endian; 1 ≤ precision ≤ 38, 0 ≤ scale ≤ precision |
 * | text | UTF-8 |
 * | json | UTF-8, JSON as the source prints it |
 * | bytes | as they are |
 * | uuid | 16 bytes, in the order they are written |
 * | date | int32 days since 1970-01-01; −infinity and infinity are the least and the largest int32 |
 * | time | int64 microseconds since midnight; 24:00:00 is 86,400,000,000 |
 * | timestamp | int64 microseconds since 1970-01-01T00:00:00 (UTC where `zone`); ±infinity are the least and the largest int64 |
 *
 * A value that its kind cannot hold (NaN in a decimal, a timestamp past the year 294,246) never reaches a batch: the
 * source deals with it by `UnrepresentablePolicy`.
 */
export type LogicalType =
  | { readonly kind: "bool" }
  | { readonly kind: "int"; readonly bits: 16 | 32 | 64 }
  | { readonly kind: "float"; readonly bits: 32 | 64 }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "text" }
  | { readonly kind: "json" }
  | { readonly kind: "bytes" }
  | { readonly kind: "uuid" }
  | { readonly kind: "date" }
  | { readonly kind: "time" }
  | { readonly kind: "timestamp"; readonly zone: boolean };

/**
 * What happens to a value that the sink's type cannot hold: `error` stops the table, `null` writes a null, `text` makes
 * every column of a type that may hold such a value a text column, with the source's own rendering.
 */
export type UnrepresentablePolicy = "error" | "null" | "text";

/** The non-finite values a sink can hold natively; the rest goes by the policy. */
export interface NonFiniteSupport {
  readonly decimalNaN: boolean;
  readonly dateInfinity: boolean;
  readonly timestampInfinity: boolean;
}

/** Bytes of one value of a fixed-width type; 0 for bool (a bitmap) and −1 for types with offsets. */
export function fixedWidth(type: LogicalType): number {
  switch (type.kind) {
    case "bool":
      return 0;
    case "int":
    case "float":
      return type.bits / 8;
    case "decimal":
    case "uuid":
      return 16;
    case "date":
      return 4;
    case "time":
    case "timestamp":
      return 8;
    case "text":
    case "json":
    case "bytes":
      return -1;
  }
}

export function sameType(a: LogicalType, b: LogicalType): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === "int" || a.kind === "float") return a.bits === (b as typeof a).bits;
  if (a.kind === "decimal") return a.precision === (b as typeof a).precision && a.scale === (b as typeof a).scale;
  if (a.kind === "timestamp") return a.zone === (b as typeof a).zone;
  return true;
}

/** `int32`, `decimal(12,2)`, `timestamp with zone`: how status, plan and the docs name a type. */
export function typeLabel(type: LogicalType): string {
  switch (type.kind) {
    case "int":
    case "float":
      return `${type.kind}${type.bits}`;
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "timestamp":
      return type.zone ? "timestamp with zone" : "timestamp";
    default:
      return type.kind;
  }
}
