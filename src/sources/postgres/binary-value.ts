import type { ColumnBuilder } from "../../core/column-builder.ts";
import { appendBinaryNumeric } from "./binary-numeric.ts";
import { CellCode, Outcome, type CellType } from "../../decoding/cell-type.ts";

const TWO_32 = 4_294_967_296;
/** 2000-01-01, where PostgreSQL counts from, in days and in microseconds (two halves) since 1970-01-01. */
const EPOCH_DAYS = 10_957;
const EPOCH_MICROS_HIGH = 220_417;
const EPOCH_MICROS_LOW = 993_517_568;
const INT32_MAX = 0x7fff_ffff;
const INT32_MIN = -0x8000_0000;
/** Every value comes behind its length; a negative one is null. */
const LENGTH_BYTES = 4;
const UUID_BYTES = 16;

/** Cells of one column: the lengths that come before their values stand at `places[0 … count)` of `bytes`. */
export interface BinaryCells {
  readonly bytes: Uint8Array;
  /** The same bytes. */
  readonly view: DataView;
  readonly places: Int32Array;
  readonly count: number;
}

/** Told of a value that the column cannot hold or that is none of its type: it throws, or appends what stands instead. */
export type CellFailed = (outcome: Outcome) => void;

/**
 * Appends values in PostgreSQL's binary form, big endian, as their type's `send` function writes them. Hot: every cell of
 * every snapshot goes through one of these loops, which do nothing else so that they stay fast.
 */
export function appendBinary(builder: ColumnBuilder, type: CellType, cells: BinaryCells, failed: CellFailed): void {
  switch (type.code) {
    case CellCode.int64:
    case CellCode.time:
    case CellCode.float64:
      return append64(builder, cells, failed);
    case CellCode.int32:
    case CellCode.float32:
      return append32(builder, cells, failed);
    case CellCode.text:
    case CellCode.bytes:
      return appendText(builder, cells);
    case CellCode.decimal:
      return appendDecimals(builder, type, cells, failed);
    case CellCode.timestamp:
      return appendTimestamps(builder, type, cells, failed);
    case CellCode.date:
      return appendDates(builder, type, cells, failed);
    case CellCode.bool:
      return appendBools(builder, cells, failed);
    case CellCode.int16:
      return append16(builder, cells, failed);
    case CellCode.uuid:
      return appendUuids(builder, cells, failed);
  }
}

/** A cell whose length is not that of its type. */
function noValue(builder: ColumnBuilder, length: number, failed: CellFailed): void {
  if (length < 0) builder.appendNull();
  else failed(Outcome.malformed);
}

function append64(builder: ColumnBuilder, { view, places, count }: BinaryCells, failed: CellFailed): void {
  builder.reserve(count);
  const words = builder.int32;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length === 8) {
      const word = builder.row * 2;
      words[word] = view.getInt32(at + LENGTH_BYTES + 4);
      words[word + 1] = view.getInt32(at + LENGTH_BYTES);
      builder.next();
    } else noValue(builder, length, failed);
  }
}

function append32(builder: ColumnBuilder, { view, places, count }: BinaryCells, failed: CellFailed): void {
  builder.reserve(count);
  const words = builder.int32;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length === 4) {
      words[builder.row] = view.getInt32(at + LENGTH_BYTES);
      builder.next();
    } else noValue(builder, length, failed);
  }
}

function append16(builder: ColumnBuilder, { view, places, count }: BinaryCells, failed: CellFailed): void {
  builder.reserve(count);
  const halves = builder.int16;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length === 2) {
      halves[builder.row] = view.getInt16(at + LENGTH_BYTES);
      builder.next();
    } else noValue(builder, length, failed);
  }
}

function appendText(builder: ColumnBuilder, { bytes, view, places, count }: BinaryCells): void {
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length < 0) builder.appendNull();
    else builder.appendBytes(bytes, at + LENGTH_BYTES, at + LENGTH_BYTES + length);
  }
}

function appendDecimals(builder: ColumnBuilder, type: CellType, cells: BinaryCells, failed: CellFailed): void {
  const { bytes, view, places, count } = cells;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length < 0) builder.appendNull();
    else {
      const start = at + LENGTH_BYTES;
      const outcome = appendBinaryNumeric(builder, type, bytes, start, start + length);
      if (outcome !== Outcome.done) failed(outcome);
    }
  }
}

function appendBools(builder: ColumnBuilder, { bytes, view, places, count }: BinaryCells, failed: CellFailed): void {
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length === 1) builder.appendBool(bytes[at + LENGTH_BYTES] !== 0);
    else noValue(builder, length, failed);
  }
}

function appendUuids(builder: ColumnBuilder, { bytes, view, places, count }: BinaryCells, failed: CellFailed): void {
  builder.reserve(count);
  const target = builder.bytes;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length === UUID_BYTES) {
      const start = builder.row * UUID_BYTES;
      for (let b = 0; b < UUID_BYTES; b++) target[start + b] = bytes[at + LENGTH_BYTES + b]!;
      builder.next();
    } else noValue(builder, length, failed);
  }
}

function appendTimestamps(builder: ColumnBuilder, type: CellType, cells: BinaryCells, failed: CellFailed): void {
  const { view, places, count } = cells;
  builder.reserve(count);
  const words = builder.int32;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length !== 8) {
      noValue(builder, length, failed);
      continue;
    }
    let high = view.getInt32(at + LENGTH_BYTES);
    let low = view.getInt32(at + LENGTH_BYTES + 4);
    const infinite = (high === INT32_MAX && low === -1) || (high === INT32_MIN && low === 0);
    if (!infinite) {
      const lowSum = (low >>> 0) + EPOCH_MICROS_LOW;
      high += EPOCH_MICROS_HIGH + (lowSum >= TWO_32 ? 1 : 0);
      low = lowSum | 0;
    }
    // Past the year 294,246 microseconds since 1970 leave 64 bits, of which the largest stands for infinity.
    if (infinite ? !type.infinity : high > INT32_MAX || (high === INT32_MAX && low === -1)) {
      failed(Outcome.unrepresentable);
      continue;
    }
    const word = builder.row * 2;
    words[word] = low;
    words[word + 1] = high;
    builder.next();
  }
}

function appendDates(builder: ColumnBuilder, type: CellType, cells: BinaryCells, failed: CellFailed): void {
  const { view, places, count } = cells;
  builder.reserve(count);
  const words = builder.int32;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const length = view.getInt32(at);
    if (length !== 4) {
      noValue(builder, length, failed);
      continue;
    }
    const days = view.getInt32(at + LENGTH_BYTES);
    const infinite = days === INT32_MAX || days === INT32_MIN;
    if (infinite && !type.infinity) failed(Outcome.unrepresentable);
    else {
      words[builder.row] = infinite ? days : days + EPOCH_DAYS;
      builder.next();
    }
  }
}
