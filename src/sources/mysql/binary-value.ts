import type { ColumnBuilder } from "../../core/column-builder.ts";
import { CellCode, Outcome, type CellType } from "../../decoding/cell-type.ts";
import { appendTextDecimal } from "../../decoding/text-number.ts";
import { appendTextUuid } from "../../decoding/text-uuid.ts";
import { readUint16, readUint32 } from "./binlog/fields.ts";
import { appendClock, appendDate, appendDatetime } from "./binlog/temporal.ts";
import { WireType } from "./binlog/wire-type.ts";
import { isTemporal, type ResultColumn } from "./result-column.ts";

const INT16_MAX = 0x7fff;
const INT32_MAX = 0x7fff_ffff;

/** Cells of one column: where they begin in `bytes`, and end where their length differs; a beginning of −1 is a null. */
export interface BinaryCells {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly count: number;
}

/** Told of a value that the column cannot hold or that is none of its type: it throws, or appends what stands instead. */
export type CellFailed = (outcome: Outcome) => void;

/** Whether values that come so can become cells of that type. */
export function isReadable({ wire, bytes }: ResultColumn, { code }: CellType): boolean {
  const isInteger = bytes > 0 && wire !== WireType.float && wire !== WireType.double;
  switch (code) {
    case CellCode.bool:
    case CellCode.int16:
    case CellCode.int32:
    case CellCode.int64:
      return isInteger;
    case CellCode.float32:
      return wire === WireType.float;
    case CellCode.float64:
      return wire === WireType.double;
    case CellCode.decimal:
      return isInteger || wire === WireType.newDecimal;
    case CellCode.date:
      return wire === WireType.date;
    case CellCode.timestamp:
      return wire === WireType.timestamp || wire === WireType.datetime;
    case CellCode.time:
      return wire === WireType.time;
    case CellCode.text:
      return bytes === 0;
    case CellCode.bytes:
    case CellCode.uuid:
      return bytes === 0 && !isTemporal(wire);
  }
}

/**
 * Appends values as the binary protocol has them (MySQL *Client/Server Protocol*, *Binary Protocol Value*), little endian, in a
 * session with our settings and selected as `selection.ts` does. Hot: every cell of every snapshot goes through one of these
 * loops.
 */
export function appendBinaryCells(
  builder: ColumnBuilder,
  type: CellType,
  column: ResultColumn,
  cells: BinaryCells,
  failed: CellFailed,
): void {
  switch (type.code) {
    case CellCode.bytes:
      return appendBytes(builder, cells);
    case CellCode.text:
      return isTemporal(column.wire)
        ? appendTemporals(builder, true, column, cells, failed)
        : appendBytes(builder, cells);
    case CellCode.date:
    case CellCode.time:
    case CellCode.timestamp:
      return appendTemporals(builder, false, column, cells, failed);
    case CellCode.float64:
      return appendWords64(builder, cells);
    case CellCode.float32:
      return appendWords32(builder, cells);
    case CellCode.int64:
      if (column.bytes === 8 && !column.unsigned) return appendWords64(builder, cells);
      return appendOthers(builder, type, column, cells, failed);
    case CellCode.int32:
      if (column.bytes === 4 && !column.unsigned) return appendWords32(builder, cells);
      return appendOthers(builder, type, column, cells, failed);
    default:
      return appendOthers(builder, type, column, cells, failed);
  }
}

function appendBytes(builder: ColumnBuilder, { bytes, starts, ends, count }: BinaryCells): void {
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (start < 0) builder.appendNull();
    else builder.appendBytes(bytes, start, ends[i]!);
  }
}

function appendWords64(builder: ColumnBuilder, { bytes, starts, count }: BinaryCells): void {
  builder.reserve(count);
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (start < 0) {
      builder.appendNull();
      continue;
    }
    const at = builder.row * 2;
    builder.int32[at] = readUint32(bytes, start);
    builder.int32[at + 1] = readUint32(bytes, start + 4);
    builder.next();
  }
}

function appendWords32(builder: ColumnBuilder, { bytes, starts, count }: BinaryCells): void {
  builder.reserve(count);
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (start < 0) {
      builder.appendNull();
      continue;
    }
    builder.int32[builder.row] = readUint32(bytes, start);
    builder.next();
  }
}

function appendTemporals(
  builder: ColumnBuilder,
  text: boolean,
  { wire, digits }: ResultColumn,
  { bytes, starts, ends, count }: BinaryCells,
  failed: CellFailed,
): void {
  const append =
    wire === WireType.date ? appendBinaryDate : wire === WireType.time ? appendBinaryTime : appendBinaryDatetime;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (start < 0) {
      builder.appendNull();
      continue;
    }
    const outcome = append(builder, text, digits, bytes, start, ends[i]!);
    if (outcome !== Outcome.done) failed(outcome);
  }
}

/** Year, month and day; nothing of a date that is all zeros. */
function appendBinaryDate(
  builder: ColumnBuilder,
  text: boolean,
  _digits: number,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  if (end === start) return appendDate(builder, text, 0, 0, 0);
  if (end - start !== 4 || !isDate(b, start)) return Outcome.malformed;
  return appendDate(builder, text, readUint16(b, start), b[start + 2]!, b[start + 3]!);
}

function isDate(b: Uint8Array, at: number): boolean {
  return readUint16(b, at) <= 9999 && b[at + 2]! <= 12 && b[at + 3]! <= 31;
}

/** The same; behind it hour, minute and second, and microseconds, where they are not zero. */
function appendBinaryDatetime(
  builder: ColumnBuilder,
  text: boolean,
  digits: number,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  const length = end - start;
  if (length === 0) return appendDatetime(builder, text, digits, 0, 0, 0);
  if ((length !== 4 && length !== 7 && length !== 11) || !isDate(b, start)) return Outcome.malformed;
  const date = ((readUint16(b, start) * 13 + b[start + 2]!) << 5) | b[start + 3]!;
  let seconds = 0;
  if (length > 4) {
    const hour = b[start + 4]!;
    const minute = b[start + 5]!;
    const second = b[start + 6]!;
    if (hour > 23 || minute > 59 || second > 59) return Outcome.malformed;
    seconds = (hour * 60 + minute) * 60 + second;
  }
  const micros = length > 7 ? readUint32(b, start + 7) : 0;
  if (micros > 999_999) return Outcome.malformed;
  return appendDatetime(builder, text, digits, date, seconds, micros);
}

/** Whether it is negative, days, hour, minute and second, and microseconds; as little of it as of a datetime. */
function appendBinaryTime(
  builder: ColumnBuilder,
  text: boolean,
  digits: number,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  const length = end - start;
  if (length === 0) return appendClock(builder, text, false, 0, digits, 0);
  if (length !== 8 && length !== 12) return Outcome.malformed;
  const days = readUint32(b, start + 1);
  const hour = b[start + 5]!;
  const minute = b[start + 6]!;
  const second = b[start + 7]!;
  const micros = length > 8 ? readUint32(b, start + 8) : 0;
  const isTime = b[start]! <= 1 && days <= 34 && hour <= 23 && minute <= 59 && second <= 59 && micros <= 999_999;
  if (!isTime) return Outcome.malformed;
  const seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
  return appendClock(builder, text, b[start] === 1, seconds, digits, micros);
}

function appendOthers(
  builder: ColumnBuilder,
  type: CellType,
  column: ResultColumn,
  { bytes, starts, ends, count }: BinaryCells,
  failed: CellFailed,
): void {
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (start < 0) {
      builder.appendNull();
      continue;
    }
    const outcome = appendOther(builder, type, column, bytes, start, ends[i]!);
    if (outcome !== Outcome.done) failed(outcome);
  }
}

function appendOther(
  builder: ColumnBuilder,
  type: CellType,
  column: ResultColumn,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  if (type.code === CellCode.uuid) return appendTextUuid(builder, b, start, end);
  if (type.code === CellCode.decimal && column.bytes === 0) return appendTextDecimal(builder, type, b, start, end);
  const low = lowWord(column, b, start);
  const high = column.bytes === 8 ? readUint32(b, start + 4) | 0 : low < 0 ? -1 : 0;
  switch (type.code) {
    case CellCode.int64:
      return appendInt64(builder, low, high, column.unsigned);
    case CellCode.decimal:
      return appendInteger(builder, low, high, column.unsigned);
    default:
      return high === (low < 0 ? -1 : 0) ? appendSmall(builder, type.code, low) : Outcome.malformed;
  }
}

/** Of the value, as it is where it is not longer: with its sign, or without one. */
function lowWord({ bytes, unsigned }: ResultColumn, b: Uint8Array, at: number): number {
  if (bytes === 1) return unsigned ? b[at]! : (b[at]! << 24) >> 24;
  if (bytes === 2) return unsigned ? readUint16(b, at) : (readUint16(b, at) << 16) >> 16;
  const word = readUint32(b, at);
  return unsigned ? word : word | 0;
}

function appendSmall(builder: ColumnBuilder, code: CellCode, value: number): Outcome {
  if (code === CellCode.bool) {
    // `tinyint(1)` holds any number of a byte, and no boolean says which.
    if (value !== 0 && value !== 1) return Outcome.unrepresentable;
    builder.appendBool(value === 1);
    return Outcome.done;
  }
  const max = code === CellCode.int16 ? INT16_MAX : INT32_MAX;
  if (value > max || value < -max - 1) return Outcome.malformed;
  builder.reserve();
  if (code === CellCode.int16) builder.int16[builder.row] = value;
  else builder.int32[builder.row] = value;
  builder.next();
  return Outcome.done;
}

function appendInt64(builder: ColumnBuilder, low: number, high: number, unsigned: boolean): Outcome {
  if (unsigned && high < 0) return Outcome.malformed;
  builder.reserve();
  const at = builder.row * 2;
  builder.int32[at] = low;
  builder.int32[at + 1] = high;
  builder.next();
  return Outcome.done;
}

/** As a decimal without a fraction. */
function appendInteger(builder: ColumnBuilder, low: number, high: number, unsigned: boolean): Outcome {
  builder.reserve();
  const at = builder.row * 4;
  const sign = unsigned ? 0 : high >> 31;
  builder.int32[at] = low;
  builder.int32[at + 1] = high;
  builder.int32[at + 2] = sign;
  builder.int32[at + 3] = sign;
  builder.next();
  return Outcome.done;
}
