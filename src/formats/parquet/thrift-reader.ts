import { MillraceError } from "../../core/errors.ts";
import { LONG_LIST, STOP, ThriftType } from "./thrift-type.ts";

/** Of structs, lists and maps within each other: Parquet's footers have six. */
const DEPTH_MAX = 16;
/** Seven bits a byte: a 64-bit number is ten. */
const VARINT_BYTES_MAX = 10;

/** Takes the value of a field, or of an element of a list, that is of this type. */
type Take = (type: number) => void;

/**
 * Reads what is written in Thrift's compact protocol, as little of it as Parquet's footers need. It ends with a
 * `MillraceError` on any bytes that are not that: nothing is read beyond the end, and nothing is made that is larger than
 * the bytes say.
 */
export class ThriftReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A struct: of its fields those that are asked for by their ids, whatever comes first. */
  struct(type: number, fields: Readonly<Record<number, Take>>): void {
    this.#expect(type, ThriftType.struct);
    this.#nested(() => {
      let id = 0;
      for (;;) {
        const header = this.#byte();
        if (header === STOP) return;
        const delta = header >> 4;
        id = delta === 0 ? this.#zigzag() : id + delta;
        const take = fields[id];
        if (take === undefined) this.#skip(header & 15);
        else take(header & 15);
      }
    });
  }

  /** A list: `take` reads each element. */
  list(type: number, take: Take): void {
    this.#expect(type, ThriftType.list);
    this.#nested(() => {
      const header = this.#byte();
      const size = header >> 4 === LONG_LIST ? this.#varint() : header >> 4;
      // No element is less than a byte.
      if (size > this.#bytes.length - this.#at) throw this.#error(`a list of ${size} elements`);
      for (let i = 0; i < size; i++) take(header & 15);
    });
  }

  int(type: number): number {
    if (type !== ThriftType.i16 && type !== ThriftType.i32) this.#expect(type, ThriftType.i64);
    return this.#zigzag();
  }

  bool(type: number): boolean {
    if (type !== ThriftType.false) this.#expect(type, ThriftType.true);
    return type === ThriftType.true;
  }

  /** A copy. */
  binary(type: number): Uint8Array {
    this.#expect(type, ThriftType.binary);
    const length = this.#varint();
    const start = this.#at;
    this.#pass(length);
    return this.#bytes.slice(start, start + length);
  }

  #skip(type: number): void {
    switch (type) {
      case ThriftType.true:
      case ThriftType.false:
        return;
      case ThriftType.byte:
        return this.#pass(1);
      case ThriftType.i16:
      case ThriftType.i32:
      case ThriftType.i64:
        return this.#passVarint();
      case ThriftType.double:
        return this.#pass(8);
      case ThriftType.binary:
        return this.#pass(this.#varint());
      case ThriftType.list:
        return this.list(type, (element) => this.#skipElement(element));
      case ThriftType.struct:
        return this.struct(type, {});
      default:
        // Sets and maps are not used by Parquet.
        throw this.#error(`type ${type}`);
    }
  }

  #skipElement(type: number): void {
    if (type === ThriftType.true || type === ThriftType.false) this.#pass(1);
    else this.#skip(type);
  }

  #nested(read: () => void): void {
    if (++this.#depth > DEPTH_MAX) throw this.#error(`more than ${DEPTH_MAX} values within each other`);
    read();
    this.#depth--;
  }

  #expect(type: number, expected: ThriftType): void {
    if (type !== expected) throw this.#error(`type ${type} where ${expected} is due`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.#error("no more bytes");
    this.#at++;
    return byte;
  }

  #pass(bytes: number): void {
    if (bytes > this.#bytes.length - this.#at) throw this.#error(`${bytes} bytes where fewer are left`);
    this.#at += bytes;
  }

  #passVarint(): void {
    for (let bytes = 1; this.#byte() >= 0x80; bytes++)
      if (bytes === VARINT_BYTES_MAX) throw this.#error("a number without an end");
  }

  /** Sizes, counts and offsets: beyond 2⁵³ there are none. */
  #varint(): number {
    let value = 0;
    let unit = 1;
    for (let bytes = 1; ; bytes++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * unit;
      if (value > Number.MAX_SAFE_INTEGER || bytes > VARINT_BYTES_MAX) throw this.#error("a number beyond 2^53");
      if (byte < 0x80) return value;
      unit *= 128;
    }
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #error(what: string): MillraceError {
    return new MillraceError("PARQUET_ENCODE_FAILED", `a footer is not understood at byte ${this.#at}: ${what}`);
  }
}
