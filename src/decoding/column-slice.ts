import { bit, bitmapBytes, setBit, type Column } from "../core/column.ts";
import { fixedWidth } from "../core/logical-type.ts";

/** Rows `[from, to)` of a column, in buffers of their own. */
export function sliceColumn(column: Column, from: number, to: number): Column {
  const width = fixedWidth(column.type);
  const shared = { type: column.type, length: to - from };
  const validity = column.validity === null ? null : sliceBitmap(column.validity, from, to);
  const absent = column.absent === null ? null : sliceBitmap(column.absent, from, to);
  if (column.offsets === null) {
    const values = width === 0 ? sliceBitmap(column.values, from, to) : column.values.slice(from * width, to * width);
    return { ...shared, values, offsets: null, validity, absent };
  }
  const first = column.offsets[from]!;
  const offsets = column.offsets.slice(from, to + 1);
  for (let i = 0; i < offsets.length; i++) offsets[i]! -= first;
  return { ...shared, values: column.values.slice(first, column.offsets[to]), offsets, validity, absent };
}

function sliceBitmap(bitmap: Uint8Array, from: number, to: number): Uint8Array {
  const slice = new Uint8Array(bitmapBytes(to - from));
  for (let row = from; row < to; row++) if (bit(bitmap, row)) setBit(slice, row - from);
  return slice;
}
