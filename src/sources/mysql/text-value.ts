import type { ColumnBuilder } from "../../core/column-builder.ts";
import { CellCode, Outcome, type CellType } from "../../decoding/cell-type.ts";
import { appendTextDecimal, appendTextFloat, appendTextInt, appendTextInt64 } from "../../decoding/text-number.ts";
import { appendTextDate, appendTextTime, appendTextTimestamp } from "./text-temporal.ts";

const ZERO = 0x30;
const ONE = 0x31;
const DASH = 0x2d;
const NOT_HEX = 255;
const HEX = new Uint8Array(256).fill(NOT_HEX);
for (let i = 0; i < 16; i++) {
  const lower = i.toString(16);
  HEX[lower.charCodeAt(0)] = HEX[lower.toUpperCase().charCodeAt(0)] = i;
}
/** Where the sixteen bytes of a uuid stand in its text. */
const UUID_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** Cells of one column: where they begin and end in `bytes`; an end of −1 is a null. */
export interface TextCells {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly count: number;
}

/** Told of a value that the column cannot hold or that is none of its type: it throws, or appends what stands instead. */
export type CellFailed = (outcome: Outcome) => void;

/**
 * Appends values as the text protocol has them, in a session with our settings and selected as `table-read.ts` does. Hot:
 * every cell of every snapshot goes through one of these loops.
 */
export function appendTextCells(builder: ColumnBuilder, type: CellType, cells: TextCells, failed: CellFailed): void {
  switch (type.code) {
    case CellCode.text:
    case CellCode.bytes:
      return appendBytes(builder, cells);
    case CellCode.int64:
      return appendInt64s(builder, cells, failed);
    case CellCode.int32:
    case CellCode.int16:
      return appendInts(builder, type.code === CellCode.int32 ? 32 : 16, cells, failed);
    default:
      return appendOthers(builder, type, cells, failed);
  }
}

function appendBytes(builder: ColumnBuilder, { bytes, starts, ends, count }: TextCells): void {
  for (let i = 0; i < count; i++) {
    const end = ends[i]!;
    if (end < 0) builder.appendNull();
    else builder.appendBytes(bytes, starts[i]!, end);
  }
}

function appendInt64s(builder: ColumnBuilder, cells: TextCells, failed: CellFailed): void {
  const { bytes, starts, ends, count } = cells;
  for (let i = 0; i < count; i++) {
    const end = ends[i]!;
    const outcome = end < 0 ? appendNull(builder) : appendTextInt64(builder, bytes, starts[i]!, end);
    if (outcome !== Outcome.done) failed(outcome);
  }
}

function appendInts(builder: ColumnBuilder, bits: 16 | 32, cells: TextCells, failed: CellFailed): void {
  const { bytes, starts, ends, count } = cells;
  for (let i = 0; i < count; i++) {
    const end = ends[i]!;
    const outcome = end < 0 ? appendNull(builder) : appendTextInt(builder, bits, bytes, starts[i]!, end);
    if (outcome !== Outcome.done) failed(outcome);
  }
}

function appendOthers(builder: ColumnBuilder, type: CellType, cells: TextCells, failed: CellFailed): void {
  const { bytes, starts, ends, count } = cells;
  for (let i = 0; i < count; i++) {
    const end = ends[i]!;
    const outcome = end < 0 ? appendNull(builder) : appendOther(builder, type, bytes, starts[i]!, end);
    if (outcome !== Outcome.done) failed(outcome);
  }
}

function appendNull(builder: ColumnBuilder): Outcome {
  builder.appendNull();
  return Outcome.done;
}

function appendOther(builder: ColumnBuilder, type: CellType, b: Uint8Array, start: number, end: number): Outcome {
  switch (type.code) {
    case CellCode.decimal:
      return appendTextDecimal(builder, type, b, start, end);
    case CellCode.timestamp:
      return appendTextTimestamp(builder, b, start, end);
    case CellCode.float64:
      return appendTextFloat(builder, 64, b, start, end);
    case CellCode.float32:
      return appendTextFloat(builder, 32, b, start, end);
    case CellCode.date:
      return appendTextDate(builder, b, start, end);
    case CellCode.time:
      return appendTextTime(builder, b, start, end);
    case CellCode.bool:
      return appendTextBool(builder, b, start, end);
    case CellCode.uuid:
      return appendTextUuid(builder, b, start, end);
    default:
      return Outcome.malformed;
  }
}

/** `tinyint(1)` holds any number of a byte, and no boolean says which. */
function appendTextBool(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  const first = b[start];
  if (end - start !== 1 || (first !== ZERO && first !== ONE)) {
    for (let at = first === DASH ? start + 1 : start; at < end; at++)
      if (b[at]! < ZERO || b[at]! > ZERO + 9) return Outcome.malformed;
    return end > start ? Outcome.unrepresentable : Outcome.malformed;
  }
  builder.appendBool(first === ONE);
  return Outcome.done;
}

function appendTextUuid(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  if (end - start !== 36) return Outcome.malformed;
  for (let i = 8; i <= 23; i += 5) if (b[start + i] !== DASH) return Outcome.malformed;
  builder.reserve();
  const target = builder.row * 16;
  for (let i = 0; i < 16; i++) {
    const at = start + UUID_AT[i]!;
    const high = HEX[b[at]!]!;
    const low = HEX[b[at + 1]!]!;
    if (high === NOT_HEX || low === NOT_HEX) return Outcome.malformed;
    builder.bytes[target + i] = (high << 4) | low;
  }
  builder.next();
  return Outcome.done;
}
