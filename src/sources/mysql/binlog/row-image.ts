import { readUint16, readUint32 } from "./fields.ts";
import type { TableMap } from "./table-map.ts";

/** The columns that the rows of an event have, from its bitmap. */
export class ImageColumns {
  /** One byte a column of the table. */
  present: Uint8Array = new Uint8Array(64);
  /** Columns of the table, and of those the ones present. */
  count: number = 0;
  presentCount: number = 0;

  /** Reads a bitmap of `count` columns, least significant bit first. */
  read(b: Uint8Array, start: number, count: number): void {
    if (count > this.present.length) this.present = new Uint8Array(count);
    this.count = count;
    this.presentCount = 0;
    for (let column = 0; column < count; column++) {
      const bit = (b[start + (column >> 3)]! >> (column & 7)) & 1;
      this.present[column] = bit;
      this.presentCount += bit;
    }
  }
}

/** How long the values of a table's columns are: `MapColumn.width`. */
export function columnWidths(map: TableMap): Int32Array {
  return Int32Array.from(map.columns, (column) => column.width);
}

/**
 * Row images of one event, read one after the other: each has a cell a column of the table, as a range of the event. Hot:
 * the same two arrays serve every event.
 */
export class RowImages {
  static readonly null: number = -1;
  /** Not in the image. */
  static readonly absent: number = -2;
  /** In the image as a difference to what was there: so much, less the place where that begins. Its end is its own. */
  static readonly partial: number = -3;
  /** Where each cell's value begins, behind its length; or one of the above. */
  starts: Int32Array = new Int32Array(1024);
  ends: Int32Array = new Int32Array(1024);
  /** Of the image that was read last, the first cell. */
  first: number = 0;
  #used = 0;

  /** Forgets the images so far. */
  clear(): void {
    this.#used = 0;
  }

  /**
   * Reads the image at `start`: a bitmap of nulls over the columns present, then their values. `partial` has a byte a
   * column that says whether its value is a difference, behind a length of four bytes; null: none is. Returns where the
   * image ends, or −1 where it is none.
   */
  read(
    b: Uint8Array,
    start: number,
    end: number,
    columns: ImageColumns,
    widths: Int32Array,
    partial: Uint8Array | null,
  ): number {
    const { count, present } = columns;
    const first = this.#begin(count);
    const { starts, ends } = this;
    let at = start + ((columns.presentCount + 7) >> 3);
    if (at > end) return -1;
    for (let column = 0, bit = 0; column < count; column++) {
      const cell = first + column;
      if (present[column] === 0) {
        starts[cell] = RowImages.absent;
        continue;
      }
      const isNull = (b[start + (bit >> 3)]! >> (bit & 7)) & 1;
      bit++;
      if (isNull === 1) {
        starts[cell] = RowImages.null;
        continue;
      }
      let length = widths[column]!;
      if (length < 0) {
        const prefix = -length;
        if (prefix > end - at) return -1;
        length = readLength(b, at, prefix);
        at += prefix;
      }
      if (length > end - at) return -1;
      starts[cell] = at;
      at += length;
      ends[cell] = at;
      // A difference of no bytes: as it was.
      if (partial !== null && partial[column] === 1)
        starts[cell] = length === 0 ? RowImages.absent : RowImages.partial - (at - length);
    }
    return at;
  }

  #begin(count: number): number {
    const first = this.#used;
    this.first = first;
    this.#used = first + count;
    if (this.#used > this.starts.length) {
      this.starts = grown(this.starts, this.#used);
      this.ends = grown(this.ends, this.#used);
    }
    return first;
  }
}

function grown(cells: Int32Array, needed: number): Int32Array {
  const larger = new Int32Array(Math.max(needed, cells.length * 2));
  larger.set(cells);
  return larger;
}

function readLength(b: Uint8Array, at: number, bytes: number): number {
  if (bytes === 1) return b[at]!;
  if (bytes === 2) return readUint16(b, at);
  return bytes === 3 ? readUint16(b, at) | (b[at + 2]! << 16) : readUint32(b, at);
}
