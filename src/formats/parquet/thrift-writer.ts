import { LONG_LIST, STOP, ThriftType } from "./thrift-type.ts";

const BYTES_MIN = 256;
const utf8 = new TextEncoder();

/**
 * Writes Thrift's compact protocol. The fields of a struct come in the order of their ids; those that are null are left
 * out.
 */
export class ThriftWriter {
  #bytes = new Uint8Array(BYTES_MIN);
  #at = 0;
  /** Of the struct being written. */
  #field = 0;

  /** What was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  /** A struct that is no field: the first one, and the elements of lists. */
  struct(fields: () => void): void {
    const outer = this.#field;
    this.#field = 0;
    fields();
    this.#byte(STOP);
    this.#field = outer;
  }

  structField(id: number, fields: () => void): void {
    this.#begin(id, ThriftType.struct);
    this.struct(fields);
  }

  listField<T>(id: number, type: ThriftType, items: readonly T[], write: (item: T) => void): void {
    this.#begin(id, ThriftType.list);
    if (items.length < LONG_LIST) this.#byte((items.length << 4) | type);
    else {
      this.#byte((LONG_LIST << 4) | type);
      this.#varint(items.length);
    }
    for (const item of items) write(item);
  }

  /** i32, as enumerations are too. */
  int(id: number, value: number | null): void {
    this.#number(id, ThriftType.i32, value);
  }

  short(id: number, value: number | null): void {
    this.#number(id, ThriftType.i16, value);
  }

  long(id: number, value: number | null): void {
    this.#number(id, ThriftType.i64, value);
  }

  byte(id: number, value: number): void {
    this.#begin(id, ThriftType.byte);
    this.#byte(value);
  }

  bool(id: number, value: boolean | null): void {
    if (value !== null) this.#begin(id, value ? ThriftType.true : ThriftType.false);
  }

  binary(id: number, value: Uint8Array | null): void {
    if (value === null) return;
    this.#begin(id, ThriftType.binary);
    this.#varint(value.length);
    this.raw(value);
  }

  text(id: number, value: string): void {
    this.binary(id, utf8.encode(value));
  }

  /** As an element of a list. */
  textElement(value: string): void {
    const bytes = utf8.encode(value);
    this.#varint(bytes.length);
    this.raw(bytes);
  }

  /** As an element of a list. */
  intElement(value: number): void {
    this.#zigzag(value);
  }

  /** What another writer has written. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #number(id: number, type: ThriftType, value: number | null): void {
    if (value === null) return;
    this.#begin(id, type);
    this.#zigzag(value);
  }

  #begin(id: number, type: ThriftType): void {
    const delta = id - this.#field;
    if (delta > 0 && delta < 16) this.#byte((delta << 4) | type);
    else {
      this.#byte(type);
      this.#zigzag(id);
    }
    this.#field = id;
  }

  #zigzag(value: number): void {
    this.#varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#byte(rest);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#at + bytes, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
