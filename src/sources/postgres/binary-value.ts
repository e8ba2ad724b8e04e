import type { ColumnBuilder } from "../../core/column-builder.ts";
import { appendBinaryNumeric } from "./binary-numeric.ts";
import { CellCode, Outcome, type CellType } from "./cell-type.ts";

const TWO_32 = 4_294_967_296;
/** 2000-01-01, where PostgreSQL counts from, in days and in microseconds (two halves) since 1970-01-01. */
const EPOCH_DAYS = 10_957;
const EPOCH_MICROS_HIGH = 220_417;
const EPOCH_MICROS_LOW = 993_517_568;
const INT32_MAX = 0x7fff_ffff;
const INT32_MIN = -0x8000_0000;

function int32(b: Uint8Array, at: number): number {
  return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
}

/**
 * Appends one value in PostgreSQL's binary form, big endian, as its type's `send` function writes it. Hot: once a cell
 * of every snapshot.
 */
export function appendBinary(
  builder: ColumnBuilder,
  type: CellType,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  switch (type.code) {
    case CellCode.int64:
    case CellCode.time:
      if (end - start !== 8) return Outcome.malformed;
      return append64(builder, int32(b, start), int32(b, start + 4));
    case CellCode.int32:
      if (end - start !== 4) return Outcome.malformed;
      builder.reserve();
      builder.int32[builder.row] = int32(b, start);
      builder.next();
      return Outcome.done;
    case CellCode.text:
    case CellCode.bytes:
      builder.appendBytes(b, start, end);
      return Outcome.done;
    case CellCode.decimal:
      return appendBinaryNumeric(builder, type, b, start, end);
    case CellCode.float64:
      if (end - start !== 8) return Outcome.malformed;
      return append64(builder, int32(b, start), int32(b, start + 4));
    case CellCode.bool:
      if (end - start !== 1) return Outcome.malformed;
      builder.appendBool(b[start] !== 0);
      return Outcome.done;
    case CellCode.timestamp:
      return end - start === 8
        ? appendTimestamp(builder, type, int32(b, start), int32(b, start + 4))
        : Outcome.malformed;
    case CellCode.date:
      return end - start === 4 ? appendDate(builder, type, int32(b, start)) : Outcome.malformed;
    case CellCode.float32:
      if (end - start !== 4) return Outcome.malformed;
      builder.reserve();
      builder.int32[builder.row] = int32(b, start);
      builder.next();
      return Outcome.done;
    case CellCode.int16:
      if (end - start !== 2) return Outcome.malformed;
      builder.reserve();
      builder.int16[builder.row] = (b[start]! << 8) | b[start + 1]!;
      builder.next();
      return Outcome.done;
    case CellCode.uuid:
      if (end - start !== 16) return Outcome.malformed;
      builder.reserve();
      for (let i = 0, at = builder.row * 16; i < 16; i++) builder.bytes[at + i] = b[start + i]!;
      builder.next();
      return Outcome.done;
  }
}

function append64(builder: ColumnBuilder, high: number, low: number): Outcome {
  builder.reserve();
  const at = builder.row * 2;
  builder.int32[at] = low;
  builder.int32[at + 1] = high;
  builder.next();
  return Outcome.done;
}

function appendTimestamp(builder: ColumnBuilder, type: CellType, high: number, low: number): Outcome {
  if ((high === INT32_MAX && low === -1) || (high === INT32_MIN && low === 0))
    return type.infinity ? append64(builder, high, low) : Outcome.unrepresentable;
  const lowSum = (low >>> 0) + EPOCH_MICROS_LOW;
  const highSum = high + EPOCH_MICROS_HIGH + (lowSum >= TWO_32 ? 1 : 0);
  // Past the year 294,246 microseconds since 1970 leave 64 bits.
  // (The last microsecond of them stands for infinity.)
  return highSum > INT32_MAX || (highSum === INT32_MAX && (lowSum | 0) === -1)
    ? Outcome.unrepresentable
    : append64(builder, highSum, lowSum | 0);
}

function appendDate(builder: ColumnBuilder, type: CellType, days: number): Outcome {
  const infinite = days === INT32_MAX || days === INT32_MIN;
  if (infinite && !type.infinity) return Outcome.unrepresentable;
  builder.reserve();
  builder.int32[builder.row] = infinite ? days : days + EPOCH_DAYS;
  builder.next();
  return Outcome.done;
}
