import { crc32 } from "node:zlib";
import { EventType, HEADER_BYTES } from "./event.ts";
import { readUint32, readUint64 } from "./fields.ts";
import { type LoggedAt, NOWHERE } from "../position/logged-at.ts";
import { askable, FILE_START, type FilePlace } from "../position/file-position.ts";

const TWO_32 = 4_294_967_296;
const CHECKSUM_BYTES = 4;
/** Of a ROTATE event, before the name. */
const OFFSET_BYTES = 8;

/**
 * Where a reader of the log stands in its files, by the events that it gets: they have no more than 32 bits of it, so that
 * what is passed over behind 4 GiB of one file, by GTIDs, is not seen to be there.
 */
export class LogPlace implements FilePlace {
  file: string = "";
  /** Of the last event. */
  start: number = FILE_START;
  /** Behind the last event. */
  offset: number = FILE_START;
  ask: number = FILE_START;
  begun: number = 0;
  /** False of an event that the server made up. */
  #standsThere = false;

  /** An event as it was sent, checksum included, in the order of the log. */
  see(b: Uint8Array, start: number, end: number): void {
    if (end - start < HEADER_BYTES) return;
    const type = b[start + 4]!;
    if (type === EventType.rotate) return this.#rotate(b, start, end);
    if (type === EventType.formatDescription) this.begun = readUint32(b, start);
    const low = readUint32(b, start + 13);
    // What the server makes up stands nowhere, and a heartbeat says how far it is by itself.
    this.#standsThere = low !== 0;
    if (low === 0 || type === EventType.heartbeat || type === EventType.heartbeatV2) return;
    const high = Math.floor(this.offset / TWO_32) * TWO_32;
    const offset = high + low < this.offset ? high + TWO_32 + low : high + low;
    this.start = offset - readUint32(b, start + 9);
    this.offset = offset;
  }

  /** Where the last event stands. */
  get logged(): LoggedAt {
    return this.#standsThere ? this : NOWHERE;
  }

  /** No transaction is open: the log may be asked for from here. */
  boundary(): FilePlace {
    const { file, offset, begun } = this;
    if (askable(offset)) this.ask = offset;
    return { file, offset, ask: this.ask, begun };
  }

  /** Both the one that ends a file and the one that the server makes up for the start, which may have a checksum too. */
  #rotate(b: Uint8Array, start: number, end: number): void {
    const body = start + HEADER_BYTES;
    if (end - body <= OFFSET_BYTES + CHECKSUM_BYTES) return;
    const behind = end - CHECKSUM_BYTES;
    const nameEnd = crc32(b.subarray(start, behind)) === readUint32(b, behind) ? behind : end;
    // The new one's comes with its first event.
    this.begun = 0;
    this.file = Buffer.from(b.subarray(body + OFFSET_BYTES, nameEnd)).toString("utf8");
    this.offset = Number(readUint64(b, body));
    this.start = this.ask = this.offset;
  }
}
