import { EventType, eventMs, HEADER_BYTES } from "./event.ts";
import { BinlogFields, type Broken, readUint32 } from "./fields.ts";
import type { LoggedAt } from "../position/logged-at.ts";
import { MariadbTransaction, MysqlTransaction } from "../position.ts";
import { readXid } from "./xa-events.ts";

export type LogTransaction = MysqlTransaction | MariadbTransaction;

/** What a GTID event says of the events up to the next one. */
export interface GroupStart {
  readonly transaction: LogTransaction;
  /** Rows may follow at once: MariaDB, but for a lone statement. MySQL says BEGIN first, or sends such a statement. */
  readonly begun: boolean;
  /** MariaDB: the one statement that follows is announced, or was taken back: nothing has happened. */
  readonly announced: boolean;
  /** MariaDB: it is an XA transaction up to its PREPARE, of this XID. */
  readonly prepares: string | null;
}

const COMMIT_TIME_BYTES = 7;
const LOGICAL_CLOCK = 2;
const LOGICAL_CLOCK_BYTES = 16;

function hex(b: Uint8Array, start: number, end: number): string {
  return Buffer.from(b.subarray(start, end)).toString("hex");
}

function uuid(text: string): string {
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`;
}

function mysqlGroup(source: string, gno: bigint, commitTimeMs: number, at: LoggedAt): GroupStart {
  return {
    transaction: new MysqlTransaction(source, gno, commitTimeMs, at),
    begun: false,
    announced: false,
    prepares: null,
  };
}

/**
 * GTID_LOG_EVENT (`mysql/binlog/event/control_events.h`, `Gtid_event`): flags 1, UUID 16, GNO 8, then a logical clock
 * behind a 2, then when this server committed: microseconds in 55 bits, the 56th saying that the original server's
 * follow. The header has seconds where there is none (before 8.0).
 */
function readMysqlGtid(b: Uint8Array, start: number, end: number, logged: LoggedAt, broken: Broken): GroupStart {
  const fields = new BinlogFields(b, start + HEADER_BYTES, end, broken);
  fields.uint8();
  const at = fields.skip(16);
  const gno = fields.uint64();
  // ANONYMOUS_GTID_LOG_EVENT is made in the same way, with zeros.
  const named = b[start + 4] !== EventType.anonymousGtid;
  if (named && (gno < 1n || gno >= 1n << 63n)) throw broken("a GTID without a number");
  let timeMs = eventMs(b, start);
  if (fields.left > LOGICAL_CLOCK_BYTES && fields.uint8() === LOGICAL_CLOCK) {
    fields.skip(LOGICAL_CLOCK_BYTES);
    if (fields.left >= COMMIT_TIME_BYTES)
      timeMs = Math.floor((fields.uint32() + (fields.uint16() + (fields.uint8() & 0x7f) * 65_536) * 2 ** 32) / 1000);
  }
  return mysqlGroup(uuid(hex(b, at, at + 16)), gno, timeMs, logged);
}

/** Fields of GTID_TAGGED events, by their number in the serialised form. */
const TaggedField = { flags: 0, uuid: 1, gno: 2, tag: 3, lastCommitted: 4, sequence: 5, commitTime: 6 } as const;

/**
 * GTID_TAGGED_LOG_EVENT (8.3 on), in the form of `mysql/serialization/readme.md`: version, size, the last field that
 * cannot be ignored, then number and value of each field. All are of variable length. We read up to the commit time.
 */
function readTaggedGtid(b: Uint8Array, start: number, end: number, logged: LoggedAt, broken: Broken): GroupStart {
  const fields = new BinlogFields(b, start + HEADER_BYTES, end, broken);
  const next = (): bigint => readVariable(fields, broken);
  for (let left = 3; left > 0; left--) next();
  const id = new Uint8Array(16);
  let gno = 0n;
  let tag = "";
  let timeMs = eventMs(b, start);
  for (let last = -1; fields.left > 0 && last < TaggedField.commitTime;) {
    const field = Number(next());
    if (field <= last) throw broken("fields of a GTID out of order");
    last = field;
    if (field === TaggedField.uuid) for (let i = 0; i < 16; i++) id[i] = Number(next());
    else if (field === TaggedField.gno) gno = next() >> 1n; // zigzag; never negative
    else if (field === TaggedField.tag) tag = fields.text(Number(next()));
    else if (field === TaggedField.commitTime) timeMs = Number(next() / 1000n);
    else if (field <= TaggedField.commitTime) next();
  }
  if (gno < 1n || gno >= 1n << 63n || !/^[a-z_0-9]{0,32}$/.test(tag)) throw broken("a GTID that is none");
  const source = uuid(hex(id, 0, 16));
  return mysqlGroup(tag === "" ? source : `${source}:${tag}`, gno, timeMs, logged);
}

/** One to nine bytes, little endian; as many ones as the first has at its lower end, so many bytes follow it. */
function readVariable(fields: BinlogFields, broken: Broken): bigint {
  const first = fields.uint8();
  let more = 0;
  while (((first >> more) & 1) === 1) more++;
  if (more > 8) throw broken("a number that is none");
  const at = fields.skip(more);
  let value = 0n;
  for (let i = more - 1; i >= 0; i--) value = (value << 8n) | BigInt(fields.bytes[at + i]!);
  return more >= 7 ? value : (value << BigInt(7 - more)) | BigInt(first >> (more + 1));
}

const STANDALONE = 0x01;
const HAS_GROUP_COMMIT_ID = 0x02;
const PREPARED_XA = 0x40;
const COMPLETED_XA = 0x80;
/** Of the second byte of flags. */
const START_ALTER = 0x02;
const ROLLBACK_ALTER = 0x08;

/**
 * MariaDB's GTID_EVENT (documentation, *GTID_EVENT*; `sql/log_event.h`): sequence 8, domain 4, flags 1; then the group
 * commit's id, or the XID of an XA transaction, and more flags. The server is the header's.
 */
function readMariadbGtid(b: Uint8Array, start: number, end: number, logged: LoggedAt, broken: Broken): GroupStart {
  const fields = new BinlogFields(b, start + HEADER_BYTES, end, broken);
  const sequence = fields.uint64();
  const domain = fields.uint32();
  const flags = fields.uint8();
  if ((flags & HAS_GROUP_COMMIT_ID) !== 0) fields.uint64();
  const xid = (flags & (PREPARED_XA | COMPLETED_XA)) !== 0 ? readXid(fields, 1, broken) : null;
  const completed = (flags & COMPLETED_XA) !== 0 ? xid : null;
  const more = fields.left > 0 ? fields.uint8() : 0;
  const gtid = { domain, server: readUint32(b, start + 5), sequence };
  return {
    transaction: new MariadbTransaction(gtid, eventMs(b, start), completed, logged),
    begun: (flags & STANDALONE) === 0,
    announced: (more & (START_ALTER | ROLLBACK_ALTER)) !== 0,
    prepares: (flags & PREPARED_XA) !== 0 ? xid : null,
  };
}

/** `logged` is where the event stands. */
export const GTID_READERS: ReadonlyMap<
  number,
  (b: Uint8Array, start: number, end: number, logged: LoggedAt, broken: Broken) => GroupStart
> = new Map([
  [EventType.gtid, readMysqlGtid],
  [EventType.anonymousGtid, readMysqlGtid],
  [EventType.taggedGtid, readTaggedGtid],
  [EventType.mariadbGtid, readMariadbGtid],
]);
