import type { MillraceError } from "../../core/errors.ts";

/**
 * The messages of PostgreSQL's logical replication (protocol version 1), one payload of XLogData at a time:
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html. Integers are big endian.
 */
export const MessageCode = {
  begin: 0x42,
  commit: 0x43,
  origin: 0x4f,
  relation: 0x52,
  type: 0x59,
  insert: 0x49,
  update: 0x55,
  delete: 0x44,
  truncate: 0x54,
  message: 0x4d,
} as const;

/** What stands before a tuple. */
export const TupleCode = { new: 0x4e, key: 0x4b, old: 0x4f } as const;

const CELL_TEXT = 0x74;
const CELL_NULL = 0x6e;
const CELL_UNCHANGED = 0x75;

/** A column as a Relation message has it. */
export interface RelationColumn {
  readonly name: string;
  /** Part of the replica identity: an old tuple has it. */
  readonly key: boolean;
  readonly typeOid: number;
  readonly typmod: number;
}

/** A table's shape as the log has it from here on. */
export interface RelationMessage {
  readonly oid: number;
  readonly namespace: string;
  readonly name: string;
  /** `relreplident`: default, nothing, full, index. */
  readonly replicaIdentity: "d" | "n" | "f" | "i";
  readonly columns: readonly RelationColumn[];
}

export function readInt32(b: Uint8Array, at: number): number {
  return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
}

/** 64 bits as a bigint: for what comes once a transaction. */
export function readInt64(b: Uint8Array, at: number): bigint {
  return (BigInt(readInt32(b, at)) << 32n) | BigInt(readInt32(b, at + 4) >>> 0);
}

/** The cells of one tuple, as ranges of the message. Hot: read once a change, into the same two arrays. */
export class TupleCells {
  static readonly null: number = -1;
  /** Unchanged TOAST: not sent. */
  static readonly unchanged: number = -2;
  /** Where each cell's text begins, or one of the two above. */
  starts: Int32Array = new Int32Array(64);
  ends: Int32Array = new Int32Array(64);
  count: number = 0;

  /** Reads the tuple at `start`; returns where it ends, or −1 where it is none that we know. */
  read(b: Uint8Array, start: number, end: number): number {
    let at = start + 2;
    if (at > end) return -1;
    const count = (b[start]! << 8) | b[start + 1]!;
    if (count > this.starts.length) {
      this.starts = new Int32Array(count);
      this.ends = new Int32Array(count);
    }
    const { starts, ends } = this;
    this.count = count;
    for (let i = 0; i < count; i++) {
      if (at >= end) return -1;
      const code = b[at++];
      if (code === CELL_TEXT) {
        if (at + 4 > end) return -1;
        const length = readInt32(b, at);
        at += 4;
        if (length < 0 || length > end - at) return -1;
        starts[i] = at;
        at += length;
        ends[i] = at;
      } else if (code === CELL_NULL) starts[i] = TupleCells.null;
      else if (code === CELL_UNCHANGED) starts[i] = TupleCells.unchanged;
      else return -1;
    }
    return at;
  }
}

/** The error for what is not understood, which knows where the log is. */
export type Broken = (what: string) => MillraceError;

/** Reads a message that comes seldom, field by field and within its bounds. */
class Fields {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #broken: Broken;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number, broken: Broken) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#broken = broken;
  }

  #advance(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw this.#broken("a message that ends too early");
    this.#at += bytes;
    return at;
  }

  uint8(): number {
    return this.#bytes[this.#advance(1)]!;
  }

  uint16(): number {
    return (this.uint8() << 8) | this.uint8();
  }

  int32(): number {
    return readInt32(this.#bytes, this.#advance(4));
  }

  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0 || end >= this.#end) throw this.#broken("a name without an end");
    const text = Buffer.from(this.#bytes.subarray(this.#at, end)).toString("utf8");
    this.#at = end + 1;
    return text;
  }

  finish(): void {
    if (this.#at !== this.#end) throw this.#broken("a message that is too long");
  }
}

/** The body of a Relation message, from behind its code. */
export function readRelation(bytes: Uint8Array, start: number, end: number, broken: Broken): RelationMessage {
  const fields = new Fields(bytes, start, end, broken);
  const oid = fields.int32() >>> 0;
  const namespace = fields.text();
  const name = fields.text();
  const replicaIdentity = String.fromCharCode(fields.uint8());
  if (!isReplicaIdentity(replicaIdentity)) throw broken("an unknown kind of replica identity");
  const columns: RelationColumn[] = [];
  for (let left = fields.uint16(); left > 0; left--) {
    const key = (fields.uint8() & 1) !== 0;
    columns.push({ key, name: fields.text(), typeOid: fields.int32() >>> 0, typmod: fields.int32() });
  }
  fields.finish();
  // The server sends an empty name for pg_catalog.
  return { oid, namespace: namespace === "" ? "pg_catalog" : namespace, name, replicaIdentity, columns };
}

function isReplicaIdentity(code: string): code is RelationMessage["replicaIdentity"] {
  return code === "d" || code === "n" || code === "f" || code === "i";
}

/** The relations that a Truncate message empties, from behind its code. Its options say nothing to us: all are named. */
export function readTruncate(bytes: Uint8Array, start: number, end: number, broken: Broken): readonly number[] {
  const fields = new Fields(bytes, start, end, broken);
  const count = fields.int32() >>> 0;
  fields.uint8();
  if (count * 4 !== end - start - 5) throw broken("a truncate of another length");
  return Array.from({ length: count }, () => fields.int32() >>> 0);
}
