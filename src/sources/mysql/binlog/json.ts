import { writeDecimal, decimalBytes } from "./decimal.ts";
import { readUint16, readUint32, readUint64 } from "./fields.ts";
import { isInlineJson, JSON_DEPTH_MAX, JsonKind } from "./json-kind.ts";
import { jsonDouble, jsonString, jsonTemporal } from "./json-text.ts";
import { WireType } from "./wire-type.ts";

const LITERALS = ["null", "true", "false"];
/** No value of it becomes longer text than this by its bytes, and a bit: what would was not written by a server. */
const GROWTH_MAX = 16;
const GROWTH_LEAST = 128;

class JsonFailed extends Error {}

/**
 * MySQL's binary JSON as the server prints it: one space behind colons and commas, keys in the order that they are
 * stored in. Null: it is none. An empty value is what an outdated row has for JSON null.
 */
export function binaryJsonText(b: Uint8Array, start: number, end: number): string | null {
  if (start === end) return "null";
  try {
    const document = new JsonDocument(b, end, (end - start) * GROWTH_MAX + GROWTH_LEAST);
    document.value(b[start]!, start + 1, 0);
    return document.text();
  } catch (error) {
    if (error instanceof JsonFailed) return null;
    throw error;
  }
}

class JsonDocument {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #parts: string[] = [];
  #room: number;

  constructor(bytes: Uint8Array, end: number, room: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.#room = room;
  }

  text(): string {
    return this.#parts.join("");
  }

  #put(part: string): void {
    this.#room -= part.length;
    if (this.#room < 0) throw new JsonFailed();
    this.#parts.push(part);
  }

  /** The place itself, if so many bytes are there. */
  #at(at: number, bytes: number): number {
    if (!(at + bytes <= this.#end)) throw new JsonFailed();
    return at;
  }

  /** The value of a kind that stands at `at`. */
  value(kind: number, at: number, depth: number): void {
    const b = this.#bytes;
    switch (kind) {
      case JsonKind.smallObject:
      case JsonKind.largeObject:
        return this.#container(at, kind === JsonKind.largeObject, true, depth);
      case JsonKind.smallArray:
      case JsonKind.largeArray:
        return this.#container(at, kind === JsonKind.largeArray, false, depth);
      case JsonKind.literal: {
        const literal = LITERALS[b[this.#at(at, 1)]!];
        if (literal === undefined) throw new JsonFailed();
        return this.#put(literal);
      }
      case JsonKind.int16:
        return this.#put(String((readUint16(b, this.#at(at, 2)) << 16) >> 16));
      case JsonKind.uint16:
        return this.#put(String(readUint16(b, this.#at(at, 2))));
      case JsonKind.int32:
        return this.#put(String(readUint32(b, this.#at(at, 4)) | 0));
      case JsonKind.uint32:
        return this.#put(String(readUint32(b, this.#at(at, 4))));
      case JsonKind.int64:
        return this.#put(String(BigInt.asIntN(64, readUint64(b, this.#at(at, 8)))));
      case JsonKind.uint64:
        return this.#put(String(readUint64(b, this.#at(at, 8))));
      case JsonKind.double:
        return this.#put(jsonDouble(b, this.#at(at, 8)));
      case JsonKind.string: {
        const [start, length] = this.#length(at);
        return this.#put(jsonString(b, this.#at(start, length), start + length));
      }
      case JsonKind.opaque:
        return this.#opaque(at);
      default:
        throw new JsonFailed();
    }
  }

  /** A length of seven bits a byte, lowest first, the eighth saying that more follow; and where it ends. */
  #length(start: number): readonly [end: number, length: number] {
    let length = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.#bytes[this.#at(start + i, 1)]!;
      length += (byte & 0x7f) * 128 ** i;
      if (byte < 0x80) return [start + i + 1, length];
    }
    throw new JsonFailed();
  }

  /**
   * Count, size; of an object, where each key is and its length (2 bytes); each value's kind and where it is, or the
   * value itself where it fits. Places count from the count's own.
   */
  #container(start: number, large: boolean, keyed: boolean, depth: number): void {
    if (depth >= JSON_DEPTH_MAX) throw new JsonFailed();
    const b = this.#bytes;
    const width = large ? 4 : 2;
    const read = (at: number): number => (large ? readUint32(b, this.#at(at, 4)) : readUint16(b, this.#at(at, 2)));
    const count = read(start);
    const keysAt = start + 2 * width;
    const valuesAt = keysAt + (keyed ? count * (width + 2) : 0);
    this.#at(valuesAt, count * (width + 1));
    this.#put(keyed ? "{" : "[");
    for (let i = 0; i < count; i++) {
      if (i > 0) this.#put(", ");
      if (keyed) {
        const entry = keysAt + i * (width + 2);
        const key = start + read(entry);
        const length = readUint16(b, entry + width);
        this.#put(`${jsonString(b, this.#at(key, length), key + length)}: `);
      }
      const entry = valuesAt + i * (width + 1);
      const kind = b[entry]!;
      this.value(kind, isInlineJson(kind, large) ? entry + 1 : start + read(entry + 1), depth + 1);
    }
    this.#put(keyed ? "}" : "]");
  }

  /** A value of a column's type, behind that and its length. */
  #opaque(at: number): void {
    const b = this.#bytes;
    const type = b[this.#at(at, 1)]!;
    const [start, length] = this.#length(at + 1);
    this.#at(start, length);
    if (type === WireType.newDecimal) return this.#put(this.#decimal(start, length));
    const temporal = length === 8 ? jsonTemporal(type, readUint64(b, start)) : null;
    if (temporal !== null) return this.#put(`"${temporal}"`);
    const base64 = Buffer.from(b.buffer, b.byteOffset + start, length).toString("base64");
    this.#put(`"base64:type${type}:${base64}"`);
  }

  #decimal(start: number, length: number): string {
    const precision = this.#bytes[start] ?? 0;
    const scale = this.#bytes[start + 1] ?? 0;
    if (length < 3 || precision < 1 || precision > 65 || scale > precision) throw new JsonFailed();
    if (decimalBytes(precision, scale) !== length - 2) throw new JsonFailed();
    const text = Buffer.alloc(precision + 3);
    const written = writeDecimal(text, 0, precision, scale, this.#bytes, start + 2);
    if (written < 0) throw new JsonFailed();
    return text.toString("latin1", 0, written);
  }
}
