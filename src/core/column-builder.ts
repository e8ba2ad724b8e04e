import type { BufferPool } from "./buffer-pool.ts";
import { bitmapBytes, type Column } from "./column.ts";
import { fixedWidth, type LogicalType } from "./logical-type.ts";

const ROWS_MIN = 64;
/** What a text is taken to be long before any was seen. */
const TEXT_BYTES = 16;

/** What a column will need, where that is known about: growing copies everything, and doubles it. */
export interface ColumnRoom {
  readonly rows: number;
  /** Of text, json and bytes. */
  readonly dataBytes: number;
}

/** For as many rows as these columns have, and a few more. */
export function roomOf(columns: readonly Column[]): readonly ColumnRoom[] {
  const more = (amount: number): number => amount + (amount >> 4);
  return columns.map(({ length, offsets }) => ({ rows: more(length), dataBytes: more(offsets?.[length] ?? 0) }));
}

/**
 * Grows one column in Arrow's layout. Hot: decoders call it once a cell, so it allocates nothing per row. Fixed-width
 * values go straight into the typed views, which share one buffer; `row` is the cell being written. Every cell is ended
 * by exactly one of `next`, `appendBytes`, `appendNull` or `appendAbsent`.
 */
export class ColumnBuilder {
  readonly type: LogicalType;
  readonly width: number;
  /** Number of cells ended so far: the index of the one being written. */
  row: number = 0;
  /** Little-endian views of the value buffer; replaced when it grows, so never keep them over `reserve`. */
  bytes: Uint8Array;
  int32: Int32Array;
  int16: Int16Array;
  float32: Float32Array;
  float64: Float64Array;
  readonly #pool: BufferPool | null;
  #capacity: number;
  #offsets: Int32Array | null;
  #dataEnd = 0;
  #validity: Uint8Array | null = null;
  #absent: Uint8Array | null = null;

  constructor(type: LogicalType, room?: ColumnRoom | null, pool: BufferPool | null = null) {
    this.type = type;
    this.width = fixedWidth(type);
    this.#pool = pool;
    this.#capacity = Math.max(room?.rows ?? 0, ROWS_MIN);
    this.#offsets = this.width < 0 ? this.#newOffsets(this.#capacity) : null;
    if (this.#offsets !== null) this.#offsets[0] = 0;
    const dataBytes = Math.max(room?.dataBytes ?? 0, ROWS_MIN * TEXT_BYTES);
    this.bytes = this.#newBytes(this.width < 0 ? dataBytes : this.#valueBytes(this.#capacity));
    this.int32 = this.int16 = this.float32 = this.float64 = undefined as never;
    this.#remakeViews();
  }

  #valueBytes(rows: number): number {
    return this.width === 0 ? bitmapBytes(rows) : (rows * this.width + 7) & ~7;
  }

  /** Bitmaps are only ever added to, so theirs must be zero. */
  #newBytes(bytes: number): Uint8Array {
    return this.#pool === null || this.width === 0
      ? new Uint8Array((bytes + 7) & ~7)
      : new Uint8Array(this.#pool.take(bytes));
  }

  #newOffsets(rows: number): Int32Array {
    if (this.#pool === null) return new Int32Array(rows + 1);
    return new Int32Array(this.#pool.take((rows + 1) * 4), 0, rows + 1);
  }

  /** The view's buffer is of no more use. */
  #drop(view: Uint8Array | Int32Array): void {
    this.#pool?.give(view.buffer as ArrayBuffer);
  }

  #moveValues(bytes: number): void {
    const grown = this.#newBytes(bytes);
    // A pool's buffer may have been larger than it was asked for, and than this one is; beyond the capacity it has nothing.
    grown.set(this.bytes.subarray(0, grown.byteLength));
    this.#drop(this.bytes);
    this.bytes = grown;
    this.#remakeViews();
  }

  #remakeViews(): void {
    const { buffer, byteLength } = this.bytes;
    this.int32 = new Int32Array(buffer, 0, byteLength >> 2);
    this.int16 = new Int16Array(buffer, 0, byteLength >> 1);
    this.float32 = new Float32Array(buffer, 0, byteLength >> 2);
    this.float64 = new Float64Array(buffer, 0, byteLength >> 3);
  }

  /** Makes room for `cells` more. Call before writing into the views. */
  reserve(cells: number = 1): void {
    if (this.row + cells > this.#capacity) this.#grow(this.row + cells);
  }

  #grow(rows: number): void {
    this.#capacity = Math.max(rows, this.#capacity * 2);
    if (this.width >= 0) this.#moveValues(this.#valueBytes(this.#capacity));
    else {
      const offsets = this.#newOffsets(this.#capacity);
      offsets.set(this.#offsets!);
      this.#drop(this.#offsets!);
      this.#offsets = offsets;
    }
    this.#validity &&= grownBitmap(this.#validity, this.#capacity);
    this.#absent &&= grownBitmap(this.#absent, this.#capacity);
  }

  /** Ends a cell whose value was written into the views (fixed width), not null. */
  next(): void {
    const row = this.row++;
    if (this.#validity !== null) this.#validity[row >> 3]! |= 1 << (row & 7);
  }

  appendBool(value: boolean): void {
    this.reserve();
    if (value) this.bytes[this.row >> 3]! |= 1 << (this.row & 7);
    this.next();
  }

  /** Ends a text, json or bytes cell with a copy of `source[start, end)`. */
  appendBytes(source: Uint8Array, start: number, end: number): void {
    this.reserve();
    const length = end - start;
    const at = this.makeRoom(length);
    const target = this.bytes;
    if (length < 48) for (let i = 0; i < length; i++) target[at + i] = source[start + i]!;
    else target.set(source.subarray(start, end), at);
    this.endBytes(length);
  }

  /** Room for `length` bytes of data at the returned place of `bytes`, for a value that is written in pieces. */
  makeRoom(length: number): number {
    const need = this.#dataEnd + length;
    if (need > this.bytes.byteLength) this.#moveValues(Math.max(need, this.bytes.byteLength * 2));
    return this.#dataEnd;
  }

  /** Ends the cell that `makeRoom` began, with the bytes really written. `reserve` was called before. */
  endBytes(length: number): void {
    this.#dataEnd += length;
    this.#offsets![this.row + 1] = this.#dataEnd;
    this.next();
  }

  appendNull(): void {
    this.reserve();
    if (this.#validity === null) {
      this.#validity = new Uint8Array(bitmapBytes(this.#capacity));
      for (let row = 0; row < this.row; row++) this.#validity[row >> 3]! |= 1 << (row & 7);
    }
    if (this.#offsets !== null) this.#offsets[this.row + 1] = this.#dataEnd;
    // Used memory may have anything there, and the same rows are to be the same bytes.
    else if (this.#pool !== null)
      for (let at = this.row * this.width, end = at + this.width; at < end; at++) this.bytes[at] = 0;
    this.row++;
  }

  appendAbsent(): void {
    this.appendNull();
    this.#absent ??= new Uint8Array(bitmapBytes(this.#capacity));
    const row = this.row - 1;
    this.#absent[row >> 3]! |= 1 << (row & 7);
  }

  /** Bytes in use, for caps; not the capacity. */
  get usedBytes(): number {
    return this.width < 0 ? this.#dataEnd + this.row * 4 : this.width === 0 ? this.row >> 3 : this.row * this.width;
  }

  /** The finished column; the builder must not be used again. Buffers much larger than their contents are cut down. */
  finish(): Column {
    const used = this.width < 0 ? this.#dataEnd : this.#valueBytes(this.row);
    const offsets = this.#offsets;
    return {
      type: this.type,
      length: this.row,
      values: this.#fittedValues(used),
      offsets: offsets === null ? null : this.#fittedOffsets(offsets),
      validity: this.#validity,
      absent: this.#absent,
    };
  }

  #fittedValues(used: number): Uint8Array {
    if (used * 2 >= this.bytes.byteLength) return this.bytes;
    const fitted = this.bytes.slice(0, (used + 7) & ~7);
    this.#drop(this.bytes);
    return fitted;
  }

  #fittedOffsets(offsets: Int32Array): Int32Array {
    if (this.row * 2 >= offsets.length) return offsets;
    const fitted = offsets.slice(0, this.row + 1);
    this.#drop(offsets);
    return fitted;
  }
}

function grownBitmap(old: Uint8Array, rows: number): Uint8Array {
  const grown = new Uint8Array(bitmapBytes(rows));
  grown.set(old);
  return grown;
}
