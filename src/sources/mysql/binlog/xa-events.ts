import { HEADER_BYTES } from "./event.ts";
import { BinlogFields, type Broken } from "./fields.ts";
import type { BinlogFormat } from "./format.ts";
import type { LoggedEvents } from "./logged-events.ts";

const XID_BYTES_MAX = 128;
const LENGTH_AT = 9;

const STATEMENT =
  /^\s*xa\s+(start|begin|end|commit|rollback)\s+x'([0-9a-f]*)'\s*,\s*x'([0-9a-f]*)'\s*,\s*([0-9]{1,10})\s*;?\s*$/i;

/** A statement of an XA transaction as both servers log it, whatever the client wrote. */
export interface XaStatement {
  readonly verb: "start" | "end" | "commit" | "rollback";
  /** As `XaTransactions` knows it. */
  readonly xid: string;
}

/** Null: it is of another form. */
export function parseXaStatement(sql: string): XaStatement | null {
  const [, verb, gtrid, bqual, format] = STATEMENT.exec(sql) ?? [];
  if (verb === undefined) return null;
  const lower = verb.toLowerCase();
  return {
    verb: (lower === "begin" ? "start" : lower) as XaStatement["verb"],
    xid: xidText(gtrid!, bqual!, Number(format)),
  };
}

/** `X'7831',X'',1`: global id, branch, format, as the servers print it. */
export function xidText(gtridHex: string, bqualHex: string, format: number): string {
  return `X'${gtridHex.toLowerCase()}',X'${bqualHex.toLowerCase()}',${format >>> 0}`;
}

/** An XID whose parts stand behind each other: format, the lengths of two texts (`lengthBytes` each), the texts. */
export function readXid(fields: BinlogFields, lengthBytes: 1 | 4, broken: Broken): string {
  const format = fields.uint32();
  const length = (): number => (lengthBytes === 1 ? fields.uint8() : fields.uint32());
  const gtridBytes = length();
  const bqualBytes = length();
  if (gtridBytes + bqualBytes > XID_BYTES_MAX) throw broken("an XID that is too long");
  const hex = (bytes: number): string => {
    const at = fields.skip(bytes);
    return Buffer.from(fields.bytes.subarray(at, at + bytes)).toString("hex");
  };
  return xidText(hex(gtridBytes), hex(bqualBytes), format);
}

/** XA_PREPARE_LOG_EVENT (`mysql/binlog/event/control_events.h`, `XA_prepare_event`): whether it commits at once, the XID. */
export function readXaPrepare(
  b: Uint8Array,
  start: number,
  end: number,
  broken: Broken,
): { readonly onePhase: boolean; readonly xid: string } {
  const fields = new BinlogFields(b, start + HEADER_BYTES, end, broken);
  const onePhase = fields.uint8();
  if (onePhase > 1) throw broken("an XA transaction of another kind");
  return { onePhase: onePhase === 1, xid: readXid(fields, 4, broken) };
}

/**
 * The events of one XA transaction, kept as they were logged until its outcome is: descriptions and rows of tables that
 * are delivered, and savepoints. Then they are given once more, and are the outcome's.
 */
export class XaEvents implements LoggedEvents {
  readonly xid: string;
  readonly format: BinlogFormat | null;
  readonly #kept: Uint8Array[] = [];
  #next = 0;
  keptBytes: number = 0;
  bytes: Uint8Array = new Uint8Array(0);
  start: number = 0;
  end: number = 0;

  constructor(xid: string, format: BinlogFormat | null) {
    this.xid = xid;
    this.format = format;
  }

  /** `end` is before the checksum: the copy has none. */
  keep(b: Uint8Array, start: number, end: number): void {
    const event = Uint8Array.from(b.subarray(start, end));
    new DataView(event.buffer).setUint32(LENGTH_AT, event.length, true);
    this.#kept.push(event);
    this.keptBytes += event.length;
  }

  next(): boolean {
    const event = this.#kept[this.#next];
    if (event === undefined) return false;
    // What was given is of no further use.
    this.#kept[this.#next++] = new Uint8Array(0);
    this.bytes = event;
    this.end = event.length;
    return true;
  }
}
