import { MillraceError } from "./errors.ts";
import { fixedWidth, type LogicalType } from "./logical-type.ts";

/**
 * One column of a batch, in Apache Arrow's memory layout (columnar format 1.x; kinds in `logical-type.ts`), plus one
 * bitmap that Arrow does not have: a cell is *value*, *null* or *absent* (not known here: unchanged TOAST, a minimal row
 * image). An absent cell is never written as null. Buffers start at a multiple of 8 bytes of their ArrayBuffer and may
 * be longer than needed. Immutable once it is part of a batch.
 */
export interface Column {
  readonly type: LogicalType;
  readonly length: number;
  /** Fixed width: `length × width` bytes. bool: a bitmap. text, json, bytes: the data the offsets point into. */
  readonly values: Uint8Array;
  /** `length + 1` offsets into `values` for text, json and bytes (not necessarily from 0); else null. */
  readonly offsets: Int32Array | null;
  /** Bit set = not null. null: no nulls. An absent cell has its bit cleared. */
  readonly validity: Uint8Array | null;
  /** Bit set = absent. null: every cell is known. */
  readonly absent: Uint8Array | null;
}

export function bit(bitmap: Uint8Array, row: number): boolean {
  return (bitmap[row >> 3]! & (1 << (row & 7))) !== 0;
}

export function setBit(bitmap: Uint8Array, row: number): void {
  bitmap[row >> 3]! |= 1 << (row & 7);
}

export function isAbsent(column: Column, row: number): boolean {
  return column.absent !== null && bit(column.absent, row);
}

/** Whether the cell is null; false for an absent one, which is neither. */
export function isNull(column: Column, row: number): boolean {
  return column.validity !== null && !bit(column.validity, row) && !isAbsent(column, row);
}

/** The cell's bytes, a view: its little-endian value, its UTF-8 text. Not for bool, null or absent cells. */
export function cellBytes(column: Column, row: number): Uint8Array {
  if (column.offsets !== null) return column.values.subarray(column.offsets[row], column.offsets[row + 1]);
  const width = fixedWidth(column.type);
  if (width <= 0) throw new MillraceError("INTERNAL", `a ${column.type.kind} cell has no bytes of its own`);
  return column.values.subarray(row * width, row * width + width);
}

/** Bytes the column keeps alive, for the byte bounds of queues and windows. */
export function columnBytes(column: Column): number {
  return (
    column.values.byteLength +
    (column.offsets?.byteLength ?? 0) +
    (column.validity?.byteLength ?? 0) +
    (column.absent?.byteLength ?? 0)
  );
}

/** A bitmap as bytes a multiple of 8, as Arrow pads them. */
export function bitmapBytes(rows: number): number {
  return ((rows + 63) >> 6) << 3;
}
