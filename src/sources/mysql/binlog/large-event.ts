import { MillraceError } from "../../../core/errors.ts";
import { EventType } from "./event.ts";

const EVENT_TYPE_AT = 4;
/** Within an event's header: where its length stands (mysql/binlog_event.h, `EVENT_LEN_OFFSET`). */
const EVENT_LENGTH_AT = 9;
/** Up to there, with the packet's first byte. */
const HEAD_BYTES = 1 + EVENT_LENGTH_AT + 4;
/** The servers write none that is longer (`max_allowed_packet`), but for its header. */
const EVENT_BYTES_MAX = (1 << 30) + (1 << 20);

/** A compressed transaction is kept in pieces of this size, the last one longer, so that it leaves memory as it is decoded. */
export const PIECE_BYTES: number = 1 << 20;

/** Where a large event goes. */
export interface LargeEventQueue {
  /** Room for an event that comes in parts, or for its first piece; `begun`: all of it is there, the other pieces in `rest`. */
  begin(length: number): Uint8Array;
  begun(rest: Uint8Array[]): void;
}

/** An event of 16 MB and more, which comes in parts: put together where its reader has it, in memory once. */
export class LargeEvent {
  readonly #queue: LargeEventQueue;
  /** What comes before the length is known. */
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  #isPieced = false;
  /** What is being filled, and how far it is. */
  #piece: Uint8Array | null = null;
  #filled = 0;
  readonly #rest: Uint8Array[] = [];
  /** That are in no piece yet. */
  #left = 0;

  constructor(queue: LargeEventQueue) {
    this.#queue = queue;
  }

  /** `bytes[start, end)` of the packet, whose first byte is none of the event. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const headEnd = Math.min(start + HEAD_BYTES - this.#headBytes, end);
    this.#head.set(bytes.subarray(start, headEnd), this.#headBytes);
    this.#headBytes += headEnd - start;
    if (this.#headBytes < HEAD_BYTES) return;
    if (this.#piece === null) {
      this.#begin(this.#head.readUInt32LE(1 + EVENT_LENGTH_AT), this.#head[1 + EVENT_TYPE_AT]!);
      this.#append(this.#head.subarray(1));
    }
    this.#append(bytes.subarray(headEnd, end));
  }

  #begin(length: number, type: number): void {
    if (length < HEAD_BYTES || length > EVENT_BYTES_MAX) throw this.#broken();
    this.#isPieced = type === EventType.transactionPayload;
    this.#left = length;
    this.#piece = this.#queue.begin(this.#nextPieceBytes());
  }

  #nextPieceBytes(): number {
    const bytes = this.#isPieced && this.#left >= 2 * PIECE_BYTES ? PIECE_BYTES : this.#left;
    this.#left -= bytes;
    return bytes;
  }

  #append(part: Uint8Array): void {
    for (let at = 0; at < part.length;) {
      if (this.#filled === this.#piece!.length) this.#nextPiece();
      const fitting = part.subarray(at, at + this.#piece!.length - this.#filled);
      this.#piece!.set(fitting, this.#filled);
      this.#filled += fitting.length;
      at += fitting.length;
    }
  }

  #nextPiece(): void {
    if (this.#left === 0) throw this.#broken();
    this.#piece = new Uint8Array(this.#nextPieceBytes());
    this.#rest.push(this.#piece);
    this.#filled = 0;
  }

  end(): void {
    if (this.#left > 0 || this.#filled !== this.#piece?.length) throw this.#broken();
    this.#queue.begun(this.#rest);
  }

  #broken(): MillraceError {
    return new MillraceError("LOG_NOT_UNDERSTOOD", "an event of the log is of another length than it says");
  }
}
