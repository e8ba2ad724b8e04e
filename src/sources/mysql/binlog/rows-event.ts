import { EventType, HEADER_BYTES } from "./event.ts";
import { BinlogFields, type Broken } from "./fields.ts";
import { inflatedPart } from "./compressed-part.ts";
import { patchedJson } from "./json-diff.ts";
import { ImageColumns, RowImages } from "./row-image.ts";
import type { TableMap } from "./table-map.ts";
import { WireType } from "./wire-type.ts";

export type RowsKind = "write" | "update" | "delete";

/** What a type of rows event is. `v2`: with a block of extra data. */
export interface RowsForm {
  readonly kind: RowsKind;
  readonly v2: boolean;
  readonly compressed: boolean;
  /** JSON values may be differences. */
  readonly partial: boolean;
}

function form(kind: RowsKind, v2: boolean, compressed: boolean, partial: boolean = false): RowsForm {
  return { kind, v2, compressed, partial };
}

export const ROWS_EVENTS: ReadonlyMap<number, RowsForm> = new Map([
  [EventType.writeRows, form("write", true, false)],
  [EventType.updateRows, form("update", true, false)],
  [EventType.deleteRows, form("delete", true, false)],
  [EventType.partialUpdateRows, form("update", true, false, true)],
  [EventType.writeRowsV1, form("write", false, false)],
  [EventType.updateRowsV1, form("update", false, false)],
  [EventType.deleteRowsV1, form("delete", false, false)],
  [EventType.writeRowsCompressedV1, form("write", false, true)],
  [EventType.updateRowsCompressedV1, form("update", false, true)],
  [EventType.deleteRowsCompressedV1, form("delete", false, true)],
  [EventType.writeRowsCompressed, form("write", true, true)],
  [EventType.updateRowsCompressed, form("update", true, true)],
  [EventType.deleteRowsCompressed, form("delete", true, true)],
]);

/** Takes what `RowsReader` reads: rows, and now and then the word to write them. */
export interface RowTaker {
  /**
   * A row of `images`: its cells before begin at `old`, those after at `row`; of an insert there is no `old`, of a delete no
   * `row` (−1). `bytes` are the event's share of it.
   */
  row(b: Uint8Array, old: number, row: number, bytes: number): void;
  /** The images are about to be overwritten. False: to go no further. */
  write(b: Uint8Array): boolean;
}

/** So many rows are decoded at a time, or of so many bytes: still at hand when they are, and little more than a batch may hold. */
export const GROUP_ROWS = 256;
const GROUP_BYTES = 64 << 10;
/** No image. */
const NONE = -1;

const VALUE_OPTION_PARTIAL_JSON = 1;

/** Reads the rows of one event after the other, into the same arrays. Hot. */
export class RowsReader {
  readonly images: RowImages = new RowImages();
  /** Every image of a row as it became has all columns of its table. */
  complete: boolean = false;
  readonly #oldColumns = new ImageColumns();
  readonly #columns = new ImageColumns();
  #partial: Uint8Array = new Uint8Array(0);

  /**
   * The event's body from behind table id and flags (`mysql/binlog/event/rows_event.h`, `Rows_event`): the number of
   * columns, a bitmap of those in the images (of an update two), then image after image.
   */
  read(
    b: Uint8Array,
    start: number,
    end: number,
    { kind, compressed, partial }: RowsForm,
    map: TableMap,
    widths: Int32Array,
    taker: RowTaker,
    broken: Broken,
  ): void {
    const fields = new BinlogFields(b, start, end, broken);
    const count = fields.packed();
    if (count !== widths.length) throw broken("rows of more or fewer columns than their table");
    const bitmapBytes = (count + 7) >> 3;
    const first = kind === "write" ? this.#columns : this.#oldColumns;
    first.read(b, fields.skip(bitmapBytes), count);
    if (kind === "update") this.#columns.read(b, fields.skip(bitmapBytes), count);
    this.complete = !partial && this.#columns.presentCount === count;
    if (compressed) {
      const rows = inflatedPart(b, fields.at, end, broken);
      this.#rows(rows, 0, rows.length, kind, widths, null, taker, broken);
    } else this.#rows(b, fields.at, end, kind, widths, partial ? map : null, taker, broken);
  }

  #rows(
    b: Uint8Array,
    start: number,
    end: number,
    kind: RowsKind,
    widths: Int32Array,
    partialMap: TableMap | null,
    taker: RowTaker,
    broken: Broken,
  ): void {
    const { images } = this;
    const patched = partialMap === null ? null : new PatchedBytes(b, end);
    let at = start;
    while (at < end) {
      images.clear();
      patched?.clear();
      const groupStart = at;
      for (let rows = 0; at < end && rows < GROUP_ROWS && at - groupStart < GROUP_BYTES; rows++) {
        const rowStart = at;
        let old = NONE;
        let row = NONE;
        if (kind !== "write") {
          at = images.read(b, at, end, this.#oldColumns, widths, null);
          old = images.first;
        }
        if (at >= 0 && kind !== "delete") {
          let partial: Uint8Array | null = null;
          if (partialMap !== null) {
            const fields = new BinlogFields(b, at, end, broken);
            partial = this.#readPartial(fields, partialMap);
            at = fields.at;
          }
          at = images.read(b, at, end, this.#columns, widths, partial);
          row = images.first;
          if (at >= 0) patched?.patch(images, old, row, widths.length);
        }
        // A row of no columns would go on for ever.
        if (at <= rowStart) throw broken("rows that are longer than it");
        taker.row(patched?.bytes ?? b, old, row, at - rowStart);
      }
      if (!taker.write(patched?.bytes ?? b)) return;
    }
  }

  /** Options, and where they say so a bitmap over the table's JSON columns of those whose value is a difference. */
  #readPartial(fields: BinlogFields, map: TableMap): Uint8Array | null {
    if ((fields.packed() & VALUE_OPTION_PARTIAL_JSON) === 0) return null;
    if (this.#partial.length !== map.columns.length) this.#partial = new Uint8Array(map.columns.length);
    const json = map.columns.reduce((sum, column) => sum + (column.wireType === WireType.json ? 1 : 0), 0);
    const bits = fields.skip((json + 7) >> 3);
    let place = 0;
    for (const [i, column] of map.columns.entries()) {
      if (column.wireType !== WireType.json) this.#partial[i] = 0;
      else {
        this.#partial[i] = (fields.bytes[bits + (place >> 3)]! >> (place & 7)) & 1;
        place++;
      }
    }
    return this.#partial;
  }
}

/** An event's bytes, and behind them the values that its differences make of the values before. */
class PatchedBytes {
  bytes: Uint8Array;
  readonly #end: number;
  #used: number;

  constructor(event: Uint8Array, end: number) {
    this.bytes = event;
    this.#end = this.#used = end;
  }

  /** The rows so far were written. */
  clear(): void {
    this.#used = this.#end;
  }

  /** Puts values in the place of differences in a row, where the value before is there and they fit it. */
  patch(images: RowImages, old: number, row: number, columns: number): void {
    const { starts, ends } = images;
    for (let column = 0; column < columns; column++) {
      const difference = starts[row + column]!;
      if (difference > RowImages.partial || starts[old + column]! < 0) continue;
      const diffStart = RowImages.partial - difference;
      const value = patchedJson(this.bytes, starts[old + column]!, ends[old + column]!, diffStart, ends[row + column]!);
      if (value === null) continue;
      starts[row + column] = this.#append(value);
      ends[row + column] = this.#used;
    }
  }

  #append(value: Uint8Array): number {
    const start = this.#used;
    this.#used += value.length;
    if (start === this.#end || this.#used > this.bytes.length) {
      const room = new Uint8Array(Math.max(this.#used, this.bytes.length) * 2);
      room.set(this.bytes.subarray(0, start));
      this.bytes = room;
    }
    this.bytes.set(value, start);
    return start;
  }
}

/** Where the body of a rows event begins: behind the header, the post-header and, in v2, the extra data. */
export function rowsBody(b: Uint8Array, start: number, end: number, post: number, v2: boolean, broken: Broken): number {
  const fields = new BinlogFields(b, start + HEADER_BYTES, end, broken);
  // The last field of v2's post-header: bytes of extra data, with its own two.
  const at = fields.skip(post);
  if (!v2) return fields.at;
  const extra = new BinlogFields(b, at + post - 2, end, broken).uint16();
  if (extra < 2) throw broken("extra data of no length");
  fields.skip(extra - 2);
  return fields.at;
}
