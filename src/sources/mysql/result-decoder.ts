import type { BufferPool } from "../../core/buffer-pool.ts";
import { ColumnBuilder, type ColumnRoom, roomOf } from "../../core/column-builder.ts";
import type { Column } from "../../core/column.ts";
import { MillraceError } from "../../core/errors.ts";
import type { ValueRules } from "../../core/source.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { cellType, Outcome, type CellType } from "../../decoding/cell-type.ts";
import { valueError } from "../../decoding/value-error.ts";
import { appendBinaryCells, type BinaryCells, type CellFailed, isReadable } from "./binary-value.ts";
import { readResultColumn, type ResultColumn } from "./result-column.ts";

/** First bytes of packets (MySQL *Client/Server Protocol*, *Generic Response Packets*, *Binary Protocol Resultset Row*). */
const ROW = 0x00;
const EOF = 0xfe;
const ERR = 0xff;
/** In a row's map of nulls, the bit of the first column. */
const FIRST_NULL_BIT = 2;

/** Instead of a length (*Length-Encoded Integer*): that 2, 3 or 8 bytes of it follow. */
const INT1_MAX = 0xfa;
const INT2 = 0xfc;
const INT3 = 0xfd;
const INT8 = 0xfe;

/** Rows whose places are noted before their columns are decoded: a piece's, so that its bytes are still at hand. */
const GROUP_ROWS = 1024;
/** The servers let no packet be longer (`max_allowed_packet`). */
const ROW_BYTES_MAX = 1 << 30;

/** Where in the answer we are. `done`: it is behind us, and that of another statement may follow. */
type Place = "begin" | "definitions" | "rows" | "done";

/**
 * Decodes the packets of a prepared statement's answer, whose select list is `selectExpression` of each of the schema's columns
 * in order (MySQL *Client/Server Protocol*, *Binary Protocol Resultset*): of them the server prints nothing, which would
 * take it longer (docs/adr/0014-snapshots-in-binary.md). mysql2 does not agree on CLIENT_DEPRECATE_EOF, so definitions and
 * rows end in EOF packets. Throws VALUE_UNREPRESENTABLE or DECODE_FAILED, naming table and column; it is then of no further
 * use.
 *
 * Hot. Rows are decoded where they lie, in two steps: where each cell is, row by row; then the cells, column by column.
 */
export class ResultDecoder {
  /** Rows decoded since the last `take`. */
  rows: number = 0;
  readonly #schema: TableSchema;
  readonly #types: readonly CellType[];
  readonly #nullInstead: readonly boolean[];
  readonly #pool: BufferPool | null;
  readonly #failed: readonly CellFailed[];
  /** Of the rows since the last `take`; null: there are none. Behind a chunk's end they would hold memory for nothing. */
  #builders: readonly ColumnBuilder[] | null = null;
  #room: readonly ColumnRoom[] | null;
  #place: Place = "begin";
  /** As the answer defines them, so far. */
  #defined: ResultColumn[] = [];
  /** By column: where the cells of the rows that are noted begin (−1: a null) and, behind a length, end. */
  readonly #starts: readonly Int32Array[];
  readonly #ends: readonly Int32Array[];
  #noted = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Where a value begins whose length was read last. */
  #valueAt = 0;
  /** A row of 16 MB or more, as far as it has come. */
  #long: Uint8Array = new Uint8Array(0);
  #longBytes = 0;

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
    // A row is found by its key, so there nothing else can stand.
    this.#nullInstead = schema.columns.map((_, i) => rules.unrepresentable === "null" && !schema.key.includes(i));
    this.#failed = schema.columns.map((_, i) => (outcome) => this.#cellFailed(outcome, i));
    this.#starts = schema.columns.map(() => new Int32Array(GROUP_ROWS));
    this.#ends = schema.columns.map(() => new Int32Array(GROUP_ROWS));
  }

  /** Bytes that the rows since the last `take` use. */
  get bytes(): number {
    let bytes = 0;
    for (const builder of this.#builders ?? []) bytes += builder.usedBytes;
    return bytes;
  }

  /** The rows have ended, unless those of another statement follow. */
  get finished(): boolean {
    return this.#place === "done";
  }

  /** As `PacketSink.packet`: the bytes of a row must stay until `release`. True: the answer ends with this one. */
  packet(bytes: Uint8Array, start: number, end: number): boolean {
    const first = start < end ? bytes[start]! : -1;
    if (first === ERR) return true;
    if (this.#place === "rows") {
      if (first === EOF) return this.#endRows();
      this.#note(bytes, start, end);
      return false;
    }
    if (this.#place === "definitions") {
      // Behind the last one comes an EOF.
      if (this.#defined.length === this.#types.length) this.#place = "rows";
      else this.#define(readResultColumn(bytes, start, end, this.#broken));
      return false;
    }
    const count = this.#length(bytes, start, end);
    if (count !== this.#types.length) throw this.#broken(`a result of ${count} columns`);
    this.#place = "definitions";
    this.#defined = [];
    return false;
  }

  #define(column: ResultColumn): void {
    const place = this.#defined.length;
    if (!isReadable(column, this.#types[place]!))
      throw this.#broken(`values of type ${column.wire} for column ${this.#schema.columns[place]!.name}`);
    this.#defined.push(column);
  }

  /** Of a row of 16 MB or more; it is put together here, and takes so much memory. */
  part(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const need = this.#longBytes + end - start;
    if (need > ROW_BYTES_MAX) throw this.#broken("a row longer than a packet can be");
    if (need > this.#long.length) {
      const room = Math.max(this.#longAnnounced(), need + (need >> 2));
      const grown = new Uint8Array(Math.min(room, ROW_BYTES_MAX));
      grown.set(this.#long.subarray(0, this.#longBytes));
      this.#long = grown;
    }
    this.#long.set(bytes.subarray(start, end), this.#longBytes);
    this.#longBytes = need;
    if (!last) return;
    if (this.#place !== "rows") throw this.#broken("a packet of 16 MB that is no row");
    this.#note(this.#long, 0, need);
    this.#decodeNoted();
    this.#long = new Uint8Array(0);
    this.#longBytes = 0;
  }

  /** Where the last value of the long row ends whose length has come: doubling would take as much again of what is large. */
  #longAnnounced(): number {
    const b = this.#long;
    const have = this.#longBytes;
    let at = this.#valuesAt(0);
    for (let i = 0; i < this.#defined.length && at < have; i++) {
      if (isNullAt(b, 1, i)) continue;
      const { bytes } = this.#defined[i]!;
      if (bytes > 0) {
        at += bytes;
        continue;
      }
      const first = b[at]!;
      const prefix = first === INT2 ? 3 : first === INT3 ? 4 : first === INT8 ? 9 : 1;
      if (at + prefix > have) break;
      at = this.#length(b, at, have) + this.#valueAt;
    }
    return at;
  }

  /** Behind the row's first byte and its map of nulls. */
  #valuesAt(start: number): number {
    return start + 1 + ((this.#types.length + FIRST_NULL_BIT + 7) >> 3);
  }

  /** Decodes what was noted: its bytes may be overwritten afterwards. */
  release(): void {
    this.#decodeNoted();
  }

  /** The columns of the rows so far (`rows` long); the next ones begin. Call `release` before. */
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

  #endRows(): boolean {
    this.#place = "done";
    return true;
  }

  /** A length-encoded integer; `#valueAt` is where it ends. */
  #length(b: Uint8Array, at: number, end: number): number {
    const first = at < end ? b[at]! : -1;
    const more = first === INT2 ? 2 : first === INT3 ? 3 : first === INT8 ? 8 : 0;
    if (first < 0 || (first > INT1_MAX && more === 0) || at + 1 + more > end)
      throw this.#broken("a length that is none");
    this.#valueAt = at + 1 + more;
    if (more === 0) return first;
    let length = 0;
    for (let i = more; i > 0; i--) length = length * 256 + b[at + i]!;
    return length;
  }

  /** Notes where the cells of the row are. */
  #note(b: Uint8Array, start: number, end: number): void {
    if (this.#noted === GROUP_ROWS || this.#bytes !== b) this.#turnTo(b);
    const starts = this.#starts;
    const columns = this.#defined;
    const row = this.#noted;
    let at = this.#valuesAt(start);
    if (b[start] !== ROW || at > end) throw this.#broken("a row that is none");
    for (let i = 0; i < columns.length; i++) {
      if (isNullAt(b, start + 1, i)) {
        starts[i]![row] = -1;
        continue;
      }
      const { bytes } = columns[i]!;
      if (bytes > 0) {
        starts[i]![row] = at;
        at += bytes;
        continue;
      }
      let length = at < end ? b[at]! : ERR;
      if (length <= INT1_MAX) at++;
      else {
        length = this.#length(b, at, end);
        at = this.#valueAt;
      }
      starts[i]![row] = at;
      at += length;
      this.#ends[i]![row] = at;
    }
    if (at !== end) throw this.#broken(at < end ? "a row shorter than its packet" : "a row beyond its packet");
    this.#noted = row + 1;
  }

  #turnTo(b: Uint8Array): void {
    this.#decodeNoted();
    this.#bytes = b;
  }

  #decodeNoted(): void {
    const count = this.#noted;
    if (count === 0) return;
    this.#noted = 0;
    this.rows += count;
    const bytes = this.#bytes;
    const builders = this.#builders ?? this.#begin();
    for (let i = 0; i < builders.length; i++) {
      const cells: BinaryCells = { bytes, starts: this.#starts[i]!, ends: this.#ends[i]!, count };
      appendBinaryCells(builders[i]!, this.#types[i]!, this.#defined[i]!, cells, this.#failed[i]!);
    }
    for (const column of this.#schema.key) this.#checkKey(column, count);
  }

  /** A null is one that was selected instead of what cannot be told apart (`selection.ts`). */
  #checkKey(column: number, count: number): void {
    const starts = this.#starts[column]!;
    for (let i = 0; i < count; i++)
      if (starts[i]! < 0) throw valueError(Outcome.unrepresentable, this.#schema, column, null);
  }

  #cellFailed(outcome: Outcome, column: number): void {
    if (outcome !== Outcome.unrepresentable || !this.#nullInstead[column])
      throw valueError(outcome, this.#schema, column, null);
    this.#builders![column]!.appendNull();
  }

  readonly #broken = (what: string): MillraceError =>
    new MillraceError("DECODE_FAILED", `the result of ${this.#schema.id} has ${what}`, {
      place: { table: this.#schema.id },
    });
}

/** By the map of nulls at `mapAt`. */
function isNullAt(b: Uint8Array, mapAt: number, column: number): boolean {
  const bit = column + FIRST_NULL_BIT;
  return (b[mapAt + (bit >> 3)]! & (1 << (bit & 7))) !== 0;
}
