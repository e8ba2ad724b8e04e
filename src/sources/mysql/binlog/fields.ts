import type { MillraceError } from "../../../core/errors.ts";

/** The error for what is not understood, which knows where the log is. */
export type Broken = (what: string) => MillraceError;

const TWO_32 = 4_294_967_296;

/** Little endian, as everything in a binlog but some values of rows. */
export function readUint16(b: Uint8Array, at: number): number {
  return b[at]! | (b[at + 1]! << 8);
}

export function readUint32(b: Uint8Array, at: number): number {
  return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;
}

/** Table ids. */
export function readUint48(b: Uint8Array, at: number): number {
  return readUint32(b, at) + readUint16(b, at + 4) * TWO_32;
}

export function readUint64(b: Uint8Array, at: number): bigint {
  return BigInt(readUint32(b, at)) | (BigInt(readUint32(b, at + 4)) << 32n);
}

/** A text of the server's own, such as a name; not for hot paths. */
function readText(b: Uint8Array, start: number, end: number): string {
  return Buffer.from(b.buffer, b.byteOffset + start, end - start).toString("utf8");
}

/** Reads the part of an event that comes seldom, field by field and within its bounds. */
export class BinlogFields {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly #broken: Broken;
  at: number;

  constructor(bytes: Uint8Array, start: number, end: number, broken: Broken) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.#broken = broken;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Passes over so many bytes and says where they were. */
  skip(bytes: number): number {
    const { at } = this;
    if (!(bytes >= 0 && bytes <= this.end - at)) throw this.#broken("a field that ends too late");
    this.at += bytes;
    return at;
  }

  uint8(): number {
    return this.bytes[this.skip(1)]!;
  }

  uint16(): number {
    return readUint16(this.bytes, this.skip(2));
  }

  uint32(): number {
    return readUint32(this.bytes, this.skip(4));
  }

  uint48(): number {
    return readUint48(this.bytes, this.skip(6));
  }

  uint64(): bigint {
    return readUint64(this.bytes, this.skip(8));
  }

  /**
   * A *length-encoded integer* of the client protocol: one byte up to 250, else 0xFC, 0xFD or 0xFE and two, three or
   * eight bytes. What is no exact double is an error: nothing is that long.
   */
  packed(): number {
    const first = this.uint8();
    if (first <= 250) return first;
    if (first === 0xfc) return this.uint16();
    if (first === 0xfd) return this.uint16() + this.uint8() * 65_536;
    const value = first === 0xfe ? this.uint32() + this.uint32() * TWO_32 : NaN;
    if (!Number.isSafeInteger(value)) throw this.#broken("a length that is none");
    return value;
  }

  text(bytes: number): string {
    const start = this.skip(bytes);
    return readText(this.bytes, start, start + bytes);
  }

  /** A length in one byte, the text, and a zero. */
  terminatedText(): string {
    const text = this.text(this.uint8());
    if (this.uint8() !== 0) throw this.#broken("a name without an end");
    return text;
  }
}
