import { readUint16, readUint32 } from "./fields.ts";
import { isInlineJson, JSON_DEPTH_MAX, JsonKind } from "./json-kind.ts";

/** A value of MySQL's binary JSON (`sql-common/json_binary.h`) that can be changed. A scalar stays as it is stored. */
export type JsonNode =
  | { readonly kind: "scalar"; readonly type: number; readonly bytes: Uint8Array }
  | { readonly kind: "array"; readonly items: JsonNode[] }
  | { readonly kind: "object"; readonly members: JsonMember[] };

export interface JsonMember {
  /** UTF-8. */
  readonly key: Buffer;
  value: JsonNode;
}

const LENGTH_BYTES_MAX = 5;

/** What is not a document, or a change that does not fit it. */
export class JsonMisfit extends Error {}

/** Reads a document: its kind in one byte, and its value. Throws `JsonMisfit`. */
export function readJson(b: Uint8Array, start: number, end: number): JsonNode {
  if (start === end) return { kind: "scalar", type: JsonKind.literal, bytes: Uint8Array.of(0) };
  return new TreeReader(b, start, end).value(b[start]!, start + 1, 0);
}

class TreeReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  /** Values lie beside each other: what is in two of them, or in itself, was not written by a server. */
  #left: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.#left = end - start;
  }

  #take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw new JsonMisfit();
  }

  #at(at: number, bytes: number): number {
    if (!(at + bytes <= this.#end)) throw new JsonMisfit();
    return at;
  }

  value(type: number, at: number, depth: number): JsonNode {
    if (depth > JSON_DEPTH_MAX) throw new JsonMisfit();
    switch (type) {
      case JsonKind.smallObject:
      case JsonKind.largeObject:
      case JsonKind.smallArray:
      case JsonKind.largeArray:
        return this.#container(type, at, depth);
      default:
        return { kind: "scalar", type, bytes: this.#scalar(type, at) };
    }
  }

  #scalar(type: number, at: number): Uint8Array {
    const size = scalarBytes(type);
    const end = size > 0 ? this.#at(at, size) + size : this.#lengthEnd(type === JsonKind.opaque ? at + 1 : at);
    this.#take(end - at);
    return this.#bytes.slice(at, end);
  }

  /** Where a value ends that stands behind its length: seven bits a byte, lowest first. */
  #lengthEnd(start: number): number {
    let length = 0;
    for (let i = 0; i < LENGTH_BYTES_MAX; i++) {
      const byte = this.#bytes[this.#at(start + i, 1)]!;
      length += (byte & 0x7f) * 128 ** i;
      if (byte < 0x80) return this.#at(start + i + 1, length) + length;
    }
    throw new JsonMisfit();
  }

  #container(type: number, start: number, depth: number): JsonNode {
    const large = type === JsonKind.largeObject || type === JsonKind.largeArray;
    const keyed = type === JsonKind.smallObject || type === JsonKind.largeObject;
    const width = large ? 4 : 2;
    const read = (at: number): number =>
      large ? readUint32(this.#bytes, this.#at(at, 4)) : readUint16(this.#bytes, this.#at(at, 2));
    const count = read(start);
    const valuesAt = start + 2 * width + (keyed ? count * (width + 2) : 0);
    this.#at(valuesAt, count * (width + 1));
    this.#take(2 * width);
    const items = Array.from({ length: count }, (_, i) => {
      const entry = valuesAt + i * (width + 1);
      const kind = this.#bytes[entry]!;
      return this.value(kind, isInlineJson(kind, large) ? entry + 1 : start + read(entry + 1), depth + 1);
    });
    if (!keyed) return { kind: "array", items };
    const members = items.map((value, i) => {
      const entry = start + 2 * width + i * (width + 2);
      const length = readUint16(this.#bytes, entry + width);
      const key = this.#at(start + read(entry), length);
      this.#take(length);
      return { key: Buffer.from(this.#bytes.subarray(key, key + length)), value };
    });
    return { kind: "object", members };
  }
}

/** 0: it says itself how long it is. */
function scalarBytes(type: number): number {
  switch (type) {
    case JsonKind.literal:
      return 1;
    case JsonKind.int16:
    case JsonKind.uint16:
      return 2;
    case JsonKind.int32:
    case JsonKind.uint32:
      return 4;
    case JsonKind.int64:
    case JsonKind.uint64:
    case JsonKind.double:
      return 8;
    case JsonKind.string:
    case JsonKind.opaque:
      return 0;
    default:
      throw new JsonMisfit();
  }
}

/** The document again, every container in its large form. */
export function writeJson(node: JsonNode): Buffer {
  return Buffer.concat([Buffer.from([typeOf(node)]), contents(node)]);
}

function typeOf(node: JsonNode): number {
  if (node.kind === "scalar") return node.type;
  return node.kind === "array" ? JsonKind.largeArray : JsonKind.largeObject;
}

function contents(node: JsonNode): Uint8Array {
  if (node.kind === "scalar") return node.bytes;
  const keys = node.kind === "object" ? node.members.map(({ key }) => key) : [];
  const values = node.kind === "object" ? node.members.map(({ value }) => value) : node.items;
  const head = Buffer.alloc(8 + keys.length * 6 + values.length * 5);
  const parts: Uint8Array[] = [head];
  let end = head.length;
  const place = (part: Uint8Array): number => {
    parts.push(part);
    end += part.length;
    return end - part.length;
  };
  for (const [i, key] of keys.entries()) {
    head.writeUInt32LE(place(key), 8 + i * 6);
    head.writeUInt16LE(key.length, 12 + i * 6);
  }
  for (const [i, value] of values.entries()) {
    const entry = 8 + keys.length * 6 + i * 5;
    const type = typeOf(value);
    head[entry] = type;
    if (isInlineJson(type, true)) head.set(contents(value), entry + 1);
    else head.writeUInt32LE(place(contents(value)), entry + 1);
  }
  head.writeUInt32LE(values.length, 0);
  head.writeUInt32LE(end, 4);
  return Buffer.concat(parts);
}
