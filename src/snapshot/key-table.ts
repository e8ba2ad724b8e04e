import { bit, type Column } from "../core/column.ts";
import { MillraceError } from "../core/errors.ts";
import { fixedWidth } from "../core/logical-type.ts";

/** A key column's buffers, in the units they are hashed and compared by. */
type KeyPart =
  | { readonly kind: "words"; readonly words: Uint16Array | Uint32Array; readonly perRow: number }
  | { readonly kind: "bits"; readonly bits: Uint8Array }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly offsets: Int32Array };

/**
 * The key columns of a batch, in the order of the key, read as raw bytes: two keys are the same where their stored bytes
 * are, and nothing else is ever asked of them (design §5). Hot: one call per row of a touched chunk.
 */
export class KeyRows {
  readonly #parts: readonly KeyPart[];

  constructor(columns: readonly Column[]) {
    this.#parts = columns.map(keyPart);
  }

  hash(row: number): number {
    let h = 0x9e3779b9 | 0;
    for (const part of this.#parts) {
      if (part.kind === "words") {
        for (let i = row * part.perRow, end = i + part.perRow; i < end; i++) h = mixed(h, part.words[i]!);
      } else if (part.kind === "bytes") {
        const end = part.offsets[row + 1]!;
        let i = part.offsets[row]!;
        h = mixed(h, end - i);
        for (; i < end; i++) h = Math.imul(h ^ part.bytes[i]!, 0x01000193);
      } else h = mixed(h, bit(part.bits, row) ? 1 : 0);
    }
    h ^= h >>> 16;
    h = Math.imul(h, 0x7feb352d);
    return h ^ (h >>> 15);
  }

  equals(row: number, other: KeyRows, otherRow: number): boolean {
    for (let p = 0; p < this.#parts.length; p++) {
      const a = this.#parts[p]!;
      const b = other.#parts[p]!;
      if (a.kind === "words" && b.kind === "words") {
        const from = row * a.perRow;
        const otherFrom = otherRow * a.perRow;
        for (let i = 0; i < a.perRow; i++) if (a.words[from + i] !== b.words[otherFrom + i]) return false;
      } else if (a.kind === "bytes" && b.kind === "bytes") {
        const from = a.offsets[row]!;
        const length = a.offsets[row + 1]! - from;
        const otherFrom = b.offsets[otherRow]!;
        if (b.offsets[otherRow + 1]! - otherFrom !== length) return false;
        for (let i = 0; i < length; i++) if (a.bytes[from + i] !== b.bytes[otherFrom + i]) return false;
      } else if (a.kind === "bits" && b.kind === "bits") {
        if (bit(a.bits, row) !== bit(b.bits, otherRow)) return false;
      } else throw new MillraceError("INTERNAL", "keys of different types were compared");
    }
    return true;
  }
}

function mixed(h: number, word: number): number {
  h = Math.imul(h ^ word, 0x85ebca6b);
  return h ^ (h >>> 13);
}

function keyPart(column: Column): KeyPart {
  const { values, offsets } = column;
  if (column.length > 0 && (offsets ?? values).byteLength === 0)
    // Reading on would find no key equal, and lose changes silently.
    throw new MillraceError("INTERNAL", "the buffers of a noted change were moved to another thread");
  if (offsets !== null) return { kind: "bytes", bytes: values, offsets };
  const width = fixedWidth(column.type);
  if (width === 0) return { kind: "bits", bits: values };
  if (width === 2)
    return { kind: "words", words: new Uint16Array(values.buffer, values.byteOffset, column.length), perRow: 1 };
  const perRow = width >> 2;
  const words = new Uint32Array(values.buffer, values.byteOffset, column.length * perRow);
  return { kind: "words", words, perRow };
}

/** A set of keys, each with a number from 0 up in the order they came: a hash table over the rows' own buffers. */
export class KeyTable {
  #slots: Int32Array = new Int32Array(64).fill(-1);
  readonly #hashes: number[] = [];
  readonly #rows: number[] = [];
  readonly #sources: KeyRows[] = [];

  get size(): number {
    return this.#rows.length;
  }

  /** The key's number, −1 where it is not in the table. */
  find(keys: KeyRows, row: number): number {
    return this.#slots[this.#slotOf(keys, row, keys.hash(row))]!;
  }

  /** The key's number, a new one where it was not in the table. */
  add(keys: KeyRows, row: number): number {
    const hash = keys.hash(row);
    const slot = this.#slotOf(keys, row, hash);
    const known = this.#slots[slot]!;
    if (known >= 0) return known;
    const entry = this.#rows.length;
    this.#slots[slot] = entry;
    this.#hashes.push(hash);
    this.#rows.push(row);
    this.#sources.push(keys);
    if (this.#rows.length * 2 > this.#slots.length) this.#grow();
    return entry;
  }

  #slotOf(keys: KeyRows, row: number, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry < 0) return slot;
      if (this.#hashes[entry] === hash && this.#sources[entry]!.equals(this.#rows[entry]!, keys, row)) return slot;
    }
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let entry = 0; entry < this.#rows.length; entry++) {
      let slot = this.#hashes[entry]! & mask;
      while (slots[slot]! >= 0) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
  }
}
