import type { BufferPool } from "../../core/buffer-pool.ts";
import { ColumnBuilder, type ColumnRoom, roomOf } from "../../core/column-builder.ts";
import type { Column } from "../../core/column.ts";
import { MillraceError } from "../../core/errors.ts";
import type { ValueRules } from "../../core/source.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { appendBinary, type BinaryCells, type CellFailed } from "./binary-value.ts";
import { cellType, Outcome, type CellType } from "../../decoding/cell-type.ts";
import { valueError } from "../../decoding/value-error.ts";

/** Code of a CopyData message; it and the length come before its contents. */
const COPY_DATA = 0x64;
const FRAME_HEADER_BYTES = 5;

const SIGNATURE = new Uint8Array([0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00]);
/** Signature, flags, and the length of an extension that follows. */
const HEADER_BYTES = 19;
const TRAILER = -1;
/** Rows whose places are noted before their columns are decoded: a piece's, so that its bytes are still at hand. */
const GROUP_ROWS = 1024;

function int32(b: Uint8Array, at: number): number {
  return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
}

function int16(b: Uint8Array, at: number): number {
  return ((b[at]! << 24) | (b[at + 1]! << 16)) >> 16;
}

/**
 * Decodes the stream of a binary COPY whose select list is `selectExpression` of each of the schema's columns, in order.
 * Throws VALUE_UNREPRESENTABLE or DECODE_FAILED, naming table and column; it is then of no further use.
 *
 * Hot. The server sends one row a message, and nearly always a piece of the connection holds whole messages. Their rows are
 * decoded where they lie, in two steps: where each cell is, row by row; then the cells, column by column. What a piece
 * cuts through is put together in a side buffer, byte for byte no more than that row.
 */
export class CopyDecoder {
  /** Rows decoded since the last `take`. */
  rows: number = 0;
  /** The trailer has been seen: there are no more rows. */
  finished: boolean = false;
  readonly #schema: TableSchema;
  readonly #types: readonly CellType[];
  readonly #nullInstead: boolean;
  readonly #pool: BufferPool | null;
  readonly #failed: readonly CellFailed[];
  /** Of the rows since the last `take`; null: there are none. Behind a chunk's end they would hold memory for nothing. */
  #builders: readonly ColumnBuilder[] | null = null;
  #room: readonly ColumnRoom[] | null;
  /** By column: where the cells of the rows that are noted are. */
  readonly #places: readonly Int32Array[];
  #noted = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #headerSeen = false;
  /** The beginning of a row (or of the header) whose rest has not come yet. */
  #carry: Uint8Array = new Uint8Array(1024);
  #carryBytes = 0;
  /** Contents of the present message that have not come yet. */
  #frameLeft = 0;
  readonly #frameHeader = new Uint8Array(FRAME_HEADER_BYTES);
  #frameHeaderBytes = 0;

  /** `room`: about what each column will have before the first `take`; `pool`: where its memory comes from. */
  constructor(
    schema: TableSchema,
    rules: ValueRules,
    room: readonly ColumnRoom[] | null = null,
    pool: BufferPool | null = null,
  ) {
    this.#room = room;
    this.#pool = pool;
    this.#schema = schema;
    this.#types = schema.columns.map((column) => cellType(column.type, rules));
    this.#nullInstead = rules.unrepresentable === "null";
    this.#failed = schema.columns.map((_, i) => (outcome) => this.#cellFailed(outcome, i));
    this.#places = schema.columns.map(() => new Int32Array(GROUP_ROWS));
  }

  /** Bytes that the rows since the last `take` use. */
  get bytes(): number {
    let bytes = 0;
    for (const builder of this.#builders ?? []) bytes += builder.usedBytes;
    return bytes;
  }

  /** Any slice of the COPY stream (the contents of CopyData messages). The bytes are not kept. */
  push(bytes: Uint8Array, start: number, end: number): void {
    this.#pushContents(bytes, start, end);
    this.#decodeNoted();
  }

  #pushContents(bytes: Uint8Array, start: number, end: number): void {
    let at = this.#carryBytes === 0 ? start : this.#completeCarried(bytes, start, end);
    while (at < end) {
      const unitEnd = this.#unitEnd(bytes, at, end);
      if (unitEnd < 0) {
        this.#keep(bytes, at, end);
        return;
      }
      this.#unit(bytes, at, unitEnd);
      at = unitEnd;
    }
  }

  /**
   * Bytes of the connection itself: decodes CopyData messages up to `end`, or up to the first message that is none, and
   * returns where that begins. Messages may be cut anywhere between calls. The bytes are not kept.
   */
  pushFrames(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end) {
      if (this.#frameLeft === 0) {
        if (this.#frameHeaderBytes === 0 && bytes[at] !== COPY_DATA) {
          this.#decodeNoted();
          return at;
        }
        at = this.#beginFrame(bytes, at, end);
        if (this.#frameLeft === 0) continue;
      }
      const contentsEnd = Math.min(at + this.#frameLeft, end);
      // The protocol says one row a message: in one that is whole, lengths need not be added up before they are read.
      if (this.#headerSeen && this.#carryBytes === 0 && contentsEnd - at === this.#frameLeft)
        for (let row = at; row < contentsEnd;) row = this.#note(bytes, row, contentsEnd);
      else this.#pushContents(bytes, at, contentsEnd);
      this.#frameLeft -= contentsEnd - at;
      at = contentsEnd;
    }
    this.#decodeNoted();
    return end;
  }

  /** The columns of the rows so far (`rows` long); the next ones begin. A row of which only a part has come stays. */
  take(): Column[] {
    const columns = (this.#builders ?? this.#begin()).map((builder) => builder.finish());
    this.#room = roomOf(columns);
    this.#builders = null;
    this.rows = 0;
    return columns;
  }

  #begin(): readonly ColumnBuilder[] {
    const room = this.#room;
    return (this.#builders = this.#schema.columns.map(
      (column, i) => new ColumnBuilder(column.type, room?.[i], this.#pool),
    ));
  }

  #beginFrame(bytes: Uint8Array, start: number, end: number): number {
    if (this.#frameHeaderBytes === 0 && end - start >= FRAME_HEADER_BYTES) {
      this.#frameLeft = this.#contentsLength(int32(bytes, start + 1));
      return start + FRAME_HEADER_BYTES;
    }
    let at = start;
    while (at < end && this.#frameHeaderBytes < FRAME_HEADER_BYTES)
      this.#frameHeader[this.#frameHeaderBytes++] = bytes[at++]!;
    if (this.#frameHeaderBytes === FRAME_HEADER_BYTES) {
      this.#frameHeaderBytes = 0;
      this.#frameLeft = this.#contentsLength(int32(this.#frameHeader, 1));
    }
    return at;
  }

  /** Of a message whose length field, which counts itself, says this. */
  #contentsLength(length: number): number {
    if (length < 4) throw this.#broken("a message of impossible length");
    return length - 4;
  }

  /** Where the row (or header) at `at` ends; when that is beyond `end`, minus the bytes known to be missing. */
  #unitEnd(b: Uint8Array, at: number, end: number): number {
    if (!this.#headerSeen) {
      const headerEnd = at + HEADER_BYTES;
      const unitEnd = headerEnd > end ? headerEnd : headerEnd + (int32(b, headerEnd - 4) >>> 0);
      return unitEnd > end ? end - unitEnd : unitEnd;
    }
    let next = at + 2;
    if (next > end) return end - next;
    const columns = int16(b, at);
    for (let i = 0; i < columns; i++) {
      if (next + 4 > end) return end - next - 4;
      const length = int32(b, next);
      next += length < 0 ? 4 : 4 + length;
    }
    return next > end ? end - next : next;
  }

  #unit(b: Uint8Array, start: number, end: number): void {
    if (this.#headerSeen) this.#note(b, start, end);
    else this.#header(b, start);
  }

  /** Notes where the cells of the row at `start` are, which must end at or before `end`; returns where it does. */
  #note(b: Uint8Array, start: number, end: number): number {
    if (this.#noted === GROUP_ROWS || this.#bytes !== b) this.#turnTo(b);
    const view = this.#view;
    const count = end - start < 2 ? 0 : view.getInt16(start);
    const places = this.#places;
    let at = start + 2;
    if (count !== places.length || this.finished) {
      if (count !== TRAILER || this.finished) throw this.#broken(`a row of ${count} columns`);
      this.finished = true;
      return at;
    }
    const row = this.#noted;
    for (let i = 0; i < count; i++) {
      const length = end - at < 4 ? 0 : view.getInt32(at);
      places[i]![row] = at;
      at += length < 0 ? 4 : length + 4;
      if (at > end) throw this.#broken("a row beyond its message");
    }
    this.#noted = row + 1;
    return at;
  }

  #turnTo(b: Uint8Array): void {
    this.#decodeNoted();
    if (this.#bytes === b) return;
    this.#bytes = b;
    this.#view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  }

  #decodeNoted(): void {
    const count = this.#noted;
    if (count === 0) return;
    this.#noted = 0;
    this.rows += count;
    const bytes = this.#bytes;
    const view = this.#view;
    const builders = this.#builders ?? this.#begin();
    for (let i = 0; i < builders.length; i++) {
      const cells: BinaryCells = { bytes, view, places: this.#places[i]!, count };
      appendBinary(builders[i]!, this.#types[i]!, cells, this.#failed[i]!);
    }
  }

  #header(b: Uint8Array, start: number): void {
    for (let i = 0; i < SIGNATURE.length; i++)
      if (b[start + i] !== SIGNATURE[i]) throw this.#broken("another signature");
    // The upper half of the flags is for what a reader must know (OIDs, long ago).
    if (int16(b, start + SIGNATURE.length) !== 0) throw this.#broken("flags that are not known");
    this.#headerSeen = true;
  }

  #cellFailed(outcome: Outcome, column: number): void {
    if (outcome !== Outcome.unrepresentable || !this.#nullInstead)
      throw valueError(outcome, this.#schema, column, null);
    this.#builders![column]!.appendNull();
  }

  /** Adds to the carried row what it misses, step by step as its lengths become known, and decodes it when it is whole. */
  #completeCarried(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    for (;;) {
      const unitEnd = this.#unitEnd(this.#carry, 0, this.#carryBytes);
      if (unitEnd >= 0) {
        this.#carryBytes = 0;
        this.#unit(this.#carry, 0, unitEnd);
        // Before the next one is put together in its place.
        this.#decodeNoted();
        return at;
      }
      if (at === end) return at;
      const take = Math.min(-unitEnd, end - at);
      this.#keep(bytes, at, at + take);
      at += take;
    }
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const need = this.#carryBytes + end - start;
    if (need > this.#carry.byteLength) {
      const grown = new Uint8Array(Math.max(need, this.#carry.byteLength * 2));
      grown.set(this.#carry.subarray(0, this.#carryBytes));
      this.#carry = grown;
    }
    this.#carry.set(bytes.subarray(start, end), this.#carryBytes);
    this.#carryBytes += end - start;
  }

  #broken(what: string): MillraceError {
    return new MillraceError("DECODE_FAILED", `the COPY stream of ${this.#schema.id} has ${what}`, {
      place: { table: this.#schema.id },
    });
  }
}
