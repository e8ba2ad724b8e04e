import { MillraceError } from "../../../core/errors.ts";

/** Within an event's header: where its length stands (mysql/binlog_event.h, `EVENT_LEN_OFFSET`). */
const EVENT_LENGTH_AT = 9;
/** Up to there, with the packet's first byte. */
const HEAD_BYTES = 1 + EVENT_LENGTH_AT + 4;
/** The servers write none that is longer (`max_allowed_packet`), but for its header. */
const EVENT_BYTES_MAX = (1 << 30) + (1 << 20);

/** Where a large event goes. */
export interface LargeEventQueue {
  /** Room for an event that comes in parts; `begun`: all of it is there. */
  begin(length: number): Uint8Array;
  begun(): void;
}

/** An event of 16 MB and more, which comes in parts: put together where its reader has it, in memory once. */
export class LargeEvent {
  readonly #queue: LargeEventQueue;
  /** What comes before the length is known. */
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  #room: Uint8Array | null = null;
  #length = 0;

  constructor(queue: LargeEventQueue) {
    this.#queue = queue;
  }

  /** `bytes[start, end)` of the packet, whose first byte is none of the event. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const headEnd = Math.min(start + HEAD_BYTES - this.#headBytes, end);
    this.#head.set(bytes.subarray(start, headEnd), this.#headBytes);
    this.#headBytes += headEnd - start;
    if (this.#headBytes < HEAD_BYTES) return;
    if (this.#room === null) {
      this.#room = this.#begin(this.#head.readUInt32LE(1 + EVENT_LENGTH_AT));
      this.#append(this.#head.subarray(1));
    }
    this.#append(bytes.subarray(headEnd, end));
  }

  #begin(length: number): Uint8Array {
    if (length < HEAD_BYTES || length > EVENT_BYTES_MAX) throw this.#broken();
    return this.#queue.begin(length);
  }

  #append(part: Uint8Array): void {
    if (this.#length + part.length > this.#room!.length) throw this.#broken();
    this.#room!.set(part, this.#length);
    this.#length += part.length;
  }

  end(): void {
    if (this.#length !== this.#room?.length) throw this.#broken();
    this.#queue.begun();
  }

  #broken(): MillraceError {
    return new MillraceError("LOG_NOT_UNDERSTOOD", "an event of the log is of another length than it says");
  }
}
