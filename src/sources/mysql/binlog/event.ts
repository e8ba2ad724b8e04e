import { crc32 } from "node:zlib";
import { type Broken, readUint32 } from "./fields.ts";

/**
 * The events that either server writes (MySQL `mysql/binlog/event/binlog_event.h`, `Log_event_type`; MariaDB
 * `sql/log_event.h`). Those up to 42 are MySQL's, many of them both servers'; from 160 on they are MariaDB's.
 */
export const EventType = {
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  rand: 13,
  userVar: 14,
  formatDescription: 15,
  xid: 16,
  tableMap: 19,
  writeRowsV1: 23,
  updateRowsV1: 24,
  deleteRowsV1: 25,
  incident: 26,
  heartbeat: 27,
  ignorable: 28,
  rowsQuery: 29,
  writeRows: 30,
  updateRows: 31,
  deleteRows: 32,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  transactionContext: 36,
  viewChange: 37,
  xaPrepare: 38,
  partialUpdateRows: 39,
  transactionPayload: 40,
  heartbeatV2: 41,
  taggedGtid: 42,
  annotateRows: 160,
  binlogCheckpoint: 161,
  mariadbGtid: 162,
  gtidList: 163,
  startEncryption: 164,
  queryCompressed: 165,
  writeRowsCompressedV1: 166,
  updateRowsCompressedV1: 167,
  deleteRowsCompressedV1: 168,
  writeRowsCompressed: 169,
  updateRowsCompressed: 170,
  deleteRowsCompressed: 171,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(EventType).map(([name, type]) => [type, name]));

/** `incident (26)`, for messages. */
export function eventName(type: number): string {
  return `${NAMES.get(type) ?? "unknown"} (${type})`;
}

/**
 * Events that say nothing about rows: of how the server keeps its files, of how a statement read, of group replication.
 */
export const PASSED_OVER: ReadonlySet<number> = new Set([
  EventType.stop,
  // What a statement used; in itself no change. The statement behind it is what is refused.
  EventType.intvar,
  EventType.rand,
  EventType.userVar,
  EventType.heartbeat,
  EventType.heartbeatV2,
  EventType.ignorable,
  EventType.rowsQuery,
  EventType.previousGtids,
  EventType.transactionContext,
  EventType.viewChange,
  EventType.annotateRows,
  EventType.binlogCheckpoint,
  EventType.gtidList,
  // Files are encrypted, what is sent is not.
  EventType.startEncryption,
]);

export const HEADER_BYTES = 19;
const CHECKSUM_BYTES = 4;
const WRONG_CHECKSUM = "an event with a wrong checksum";
/** A reader that does not know the event may pass over it. */
const IGNORABLE_FLAG = 0x80;

/** Milliseconds since 1970, in whole seconds, by the clock of the server that wrote the event. */
export function eventMs(b: Uint8Array, start: number): number {
  return readUint32(b, start) * 1000;
}

export function isIgnorable(b: Uint8Array, start: number): boolean {
  return (b[start + 17]! & IGNORABLE_FLAG) !== 0;
}

/** Of an event that is in one piece: what is behind that. */
export const NO_REST: Uint8Array[] = [];

/**
 * Checks that an event is as long as it says. Its layout: seconds 4, type 1, server 4, length 4, position 4, flags 2. One that
 * is long may go on in `rest`.
 */
export function checkLength(b: Uint8Array, start: number, end: number, rest: Uint8Array[], broken: Broken): void {
  const length = rest.reduce((sum, piece) => sum + piece.length, end - start);
  if (end - start < HEADER_BYTES || readUint32(b, start + 9) !== length)
    throw broken("an event of another length than it says");
}

/** Verifies the checksum behind an event, and says where that begins; the last piece of `rest` is left without it. */
export function checkedEnd(b: Uint8Array, start: number, end: number, rest: Uint8Array[], broken: Broken): number {
  if (rest.length > 0) return checkPieces(b, start, end, rest, broken);
  const bodyEnd = end - CHECKSUM_BYTES;
  if (bodyEnd < start + HEADER_BYTES) throw broken("an event too short for its checksum");
  if (crc32(b.subarray(start, bodyEnd)) !== readUint32(b, bodyEnd)) throw broken(WRONG_CHECKSUM);
  return bodyEnd;
}

/** Pieces are longer than a checksum. */
function checkPieces(b: Uint8Array, start: number, end: number, rest: Uint8Array[], broken: Broken): number {
  const last = rest.pop()!;
  const lastEnd = last.length - CHECKSUM_BYTES;
  rest.push(last.subarray(0, lastEnd));
  const sum = rest.reduce((before, piece) => crc32(piece, before), crc32(b.subarray(start, end)));
  if (sum !== readUint32(last, lastEnd)) throw broken(WRONG_CHECKSUM);
  return end;
}
