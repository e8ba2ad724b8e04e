import type { BufferLoan } from "../../core/buffer-pool.ts";
import { bit, type Column } from "../../core/column.ts";

/**
 * A column's cells in the memory layout of DuckDB's vectors. `validity` is DuckDB's as it is Arrow's: least significant
 * bit first, set = not null; null: no nulls.
 */
export type VectorData =
  | { readonly kind: "fixed"; readonly width: number; readonly data: Uint8Array; readonly validity: Uint8Array | null }
  | {
      readonly kind: "bytes";
      readonly length: number;
      readonly data: Uint8Array;
      /** `length + 1` offsets into `data`. */
      readonly offsets: Int32Array;
      readonly validity: Uint8Array | null;
    };

const INT32_MIN = -0x8000_0000;
const SIGN_BIT_32 = 0x8000_0000 | 0;

/**
 * Arrow's layout to DuckDB's. Most types share it and are not copied; what is lies in memory of the loan. Hot: called once
 * a batch and column, loops over the cells for booleans, decimals, UUIDs, dates and timestamps.
 */
export function encodeColumn(column: Column, loan: BufferLoan): VectorData {
  const { type, length, validity } = column;
  switch (type.kind) {
    case "bool":
      return { kind: "fixed", width: 1, data: boolBytes(column, loan), validity };
    case "int":
    case "float":
      return { kind: "fixed", width: type.bits / 8, data: column.values, validity };
    case "decimal": {
      const width = decimalWidth(type.precision);
      return { kind: "fixed", width, data: width === 16 ? column.values : narrowed(column, width, loan), validity };
    }
    case "uuid":
      return { kind: "fixed", width: 16, data: uuidBytes(column.values, length, loan), validity };
    case "date":
      return { kind: "fixed", width: 4, data: dateBytes(column.values, length), validity };
    case "time":
      return { kind: "fixed", width: 8, data: column.values, validity };
    case "timestamp":
      return { kind: "fixed", width: 8, data: timestampBytes(column.values, length), validity };
    case "text":
    case "json":
    case "bytes":
      return { kind: "bytes", length, data: column.values, offsets: column.offsets!, validity };
  }
}

/** Bytes DuckDB stores a decimal of that precision in. */
function decimalWidth(precision: number): 2 | 4 | 8 | 16 {
  return precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
}

/** A column of our own beside the batch's: sequence numbers, operations, masks. */
export function int32Vector(values: Int32Array): VectorData {
  return { kind: "fixed", width: 4, data: bytesOf(values), validity: null };
}

function bytesOf(view: Int32Array | Int16Array): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function boolBytes({ values, length }: Column, loan: BufferLoan): Uint8Array {
  const bytes = new Uint8Array(loan.take(length), 0, length);
  for (let row = 0; row < length; row++) bytes[row] = bit(values, row) ? 1 : 0;
  return bytes;
}

/** The low bytes of each 128-bit integer: its value is known to fit. */
function narrowed({ values, length }: Column, width: 2 | 4 | 8, loan: BufferLoan): Uint8Array {
  const buffer = loan.take(length * width);
  if (width === 2) {
    const from = new Int16Array(values.buffer, values.byteOffset, length * 8);
    const to = new Int16Array(buffer, 0, length);
    for (let row = 0; row < length; row++) to[row] = from[row * 8]!;
    return bytesOf(to);
  }
  const from = new Int32Array(values.buffer, values.byteOffset, length * 4);
  const to = new Int32Array(buffer, 0, length * (width / 4));
  if (width === 4) for (let row = 0; row < length; row++) to[row] = from[row * 4]!;
  else
    for (let row = 0; row < length; row++) {
      to[row * 2] = from[row * 4]!;
      to[row * 2 + 1] = from[row * 4 + 1]!;
    }
  return bytesOf(to);
}

/** DuckDB keeps a UUID as a 128-bit integer, little endian, with the highest bit flipped so that it sorts right. */
function uuidBytes(values: Uint8Array, length: number, loan: BufferLoan): Uint8Array {
  const bytes = new Uint8Array(loan.take(length * 16), 0, length * 16);
  for (let start = 0; start < bytes.length; start += 16) {
    for (let i = 0; i < 16; i++) bytes[start + i] = values[start + 15 - i]!;
    bytes[start + 15]! ^= 0x80;
  }
  return bytes;
}

/** DuckDB's −infinity is one above the least int32; infinity is the largest here and there. Copied only where it occurs. */
function dateBytes(values: Uint8Array, length: number): Uint8Array {
  const days = new Int32Array(values.buffer, values.byteOffset, length);
  if (!days.includes(INT32_MIN)) return values;
  return bytesOf(days.map((day) => (day === INT32_MIN ? INT32_MIN + 1 : day)));
}

/** The same for 64 bit, as pairs of 32: the least int64 is (0, sign bit). */
function timestampBytes(values: Uint8Array, length: number): Uint8Array {
  const halves = new Int32Array(values.buffer, values.byteOffset, length * 2);
  let copy: Int32Array | null = null;
  for (let i = 1; i < halves.length; i += 2) {
    if (halves[i] !== SIGN_BIT_32 || halves[i - 1] !== 0) continue;
    copy ??= halves.slice();
    copy[i - 1] = 1;
  }
  return copy === null ? values : bytesOf(copy);
}
