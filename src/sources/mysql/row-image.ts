import { readUint16, readUint32 } from "./binlog-fields.ts";
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

/** The cells of one row image, as ranges of the event. Hot: read once a row, into the same two arrays. */
export class RowImage {
  static readonly null: number = -1;
  /** Not in the image. */
  static readonly absent: number = -2;
  /** In the image as a difference to what was there. */
  static readonly partial: number = -3;
  /** Where each cell's value begins, behind its length; or one of the above. */
  starts: Int32Array = new Int32Array(64);
  ends: Int32Array = new Int32Array(64);

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
    if (count > this.starts.length) {
      this.starts = new Int32Array(count);
      this.ends = new Int32Array(count);
    }
    const { starts, ends } = this;
    let at = start + ((columns.presentCount + 7) >> 3);
    if (at > end) return -1;
    for (let column = 0, bit = 0; column < count; column++) {
      if (present[column] === 0) {
        starts[column] = RowImage.absent;
        continue;
      }
      const isNull = (b[start + (bit >> 3)]! >> (bit & 7)) & 1;
      bit++;
      if (isNull === 1) {
        starts[column] = RowImage.null;
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
      starts[column] = at;
      at += length;
      ends[column] = at;
      // A difference of no bytes: as it was.
      if (partial !== null && partial[column] === 1) starts[column] = length === 0 ? RowImage.absent : RowImage.partial;
    }
    return at;
  }
}

function readLength(b: Uint8Array, at: number, bytes: number): number {
  if (bytes === 1) return b[at]!;
  if (bytes === 2) return readUint16(b, at);
  return bytes === 3 ? readUint16(b, at) | (b[at + 2]! << 16) : readUint32(b, at);
}
