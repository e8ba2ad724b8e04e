import { Decompress } from "fzstd";
import { MillraceError } from "../../../core/errors.ts";
import { HEADER_BYTES } from "./event.ts";
import { BinlogFields, type Broken, readUint32 } from "./fields.ts";
import type { LoggedEvents } from "./logged-events.ts";
import { checkFrames } from "./zstd-frame.ts";

const Field = { end: 0, size: 1, compression: 2, uncompressedSize: 3 } as const;
const ZSTD = 0;
const NONE = 255;
/** Decompressed at a time: what the events of it hold is bounded by it. */
const PIECE_BYTES = 4096;

/**
 * The events of a TRANSACTION_PAYLOAD event (MySQL 8.0.20 on; `mysql/binlog/event/compression`), one after the other:
 * fields of type, length and value, then what they describe, which may go on in `rest`. Decompressed as the events are asked
 * for: the input has to stay, and leaves `rest` piece by piece. They carry no checksums.
 */
export class TransactionPayload implements LoggedEvents {
  readonly format: null = null;
  readonly #broken: Broken;
  readonly #decompress: Decompress | null;
  #input: Uint8Array;
  #at = 0;
  readonly #rest: Uint8Array[];
  /** What may still come out. */
  #left: number;
  /** Decompressed and not yet passed on: `bytes[end … #filled)`. */
  #filled = 0;
  /** Of the present event, until the next one is asked for. */
  bytes: Uint8Array = new Uint8Array(4 * PIECE_BYTES);
  start: number = 0;
  end: number = 0;

  constructor(b: Uint8Array, start: number, end: number, broken: Broken, rest: Uint8Array[]) {
    this.#broken = broken;
    this.#rest = rest;
    const fields = new BinlogFields(b, start + HEADER_BYTES, end, broken);
    const found = { size: -1, compression: NONE, uncompressedSize: -1 };
    for (let type = fields.packed(); type !== Field.end; type = fields.packed()) {
      const length = fields.packed();
      const at = fields.skip(length);
      const value = new BinlogFields(b, at, at + length, broken);
      if (type === Field.size) found.size = value.packed();
      else if (type === Field.compression) found.compression = value.packed();
      else if (type === Field.uncompressedSize) found.uncompressedSize = value.packed();
    }
    const size = rest.reduce((sum, piece) => sum + piece.length, fields.left);
    if (found.size !== size) throw broken("compressed events of another size");
    this.#input = b.subarray(fields.at, end);
    this.#left = found.compression === NONE ? found.size : found.uncompressedSize;
    if (found.compression !== NONE && found.compression !== ZSTD)
      throw broken(`compressed events of kind ${found.compression}`);
    if (found.compression === ZSTD) checkFrames([this.#input, ...rest], broken);
    this.#decompress = found.compression === NONE ? null : new Decompress((piece) => this.#append(piece));
  }

  /** Whether there is a next event, which is then `bytes[start, end)`. */
  next(): boolean {
    this.start = this.end;
    for (;;) {
      const there = this.#filled - this.start;
      const length = there < HEADER_BYTES ? HEADER_BYTES : readUint32(this.bytes, this.start + 9);
      if (length < HEADER_BYTES) throw this.#broken("a compressed event of no length");
      if (there >= length) {
        this.end = this.start + length;
        return true;
      }
      if (this.#at >= this.#input.length && !this.#nextInput()) break;
      this.#pull();
    }
    if (this.#filled > this.start || this.#left !== 0) throw this.#broken("compressed events that end too early");
    return false;
  }

  #nextInput(): boolean {
    const next = this.#rest.shift();
    if (next === undefined) return false;
    this.#input = next;
    this.#at = 0;
    return true;
  }

  #pull(): void {
    const piece = this.#input.subarray(this.#at, this.#at + PIECE_BYTES);
    this.#at += piece.length;
    if (this.#decompress === null) return this.#append(piece);
    try {
      this.#decompress.push(piece, this.#at === this.#input.length && this.#rest.length === 0);
    } catch (error) {
      if (error instanceof MillraceError) throw error;
      throw this.#broken("compressed events that cannot be decompressed");
    }
  }

  #append(piece: Uint8Array): void {
    this.#left -= piece.length;
    if (this.#left < 0) throw this.#broken("compressed events that are longer than they say");
    if (this.#filled + piece.length > this.bytes.length) {
      const kept = this.#filled - this.start;
      const needed = kept + piece.length;
      const room = needed > this.bytes.length ? new Uint8Array(needed * 2) : this.bytes;
      room.set(this.bytes.subarray(this.start, this.#filled));
      this.bytes = room;
      this.start = this.end = 0;
      this.#filled = kept;
    }
    this.bytes.set(piece, this.#filled);
    this.#filled += piece.length;
  }
}
