import { setImmediate } from "node:timers/promises";
import type { Clock } from "../core/ambient.ts";
import { MillraceError } from "../core/errors.ts";
import type { LogItem } from "../core/line.ts";
import { MessageQueue } from "./message-queue.ts";

/** The connection is paused above the one, and read again below the other. */
const QUEUE_HIGH_BYTES = 16 << 20;
const QUEUE_LOW_BYTES = 8 << 20;
/** Decoded at a stretch before the socket, the timers and the consumer get a turn. */
const SLICE_BYTES = 1 << 20;
/** A server that says nothing for so long, not even when asked, is gone. */
const SILENCE_MAX_MS = 60_000;

/** What a source's log is to the pump: its connection and its decoder. */
export interface PumpedLog {
  pause(): void;
  resume(): void;
  /**
   * Decodes the message that `queue.next()` found; a promise: the next one may be decoded when it resolves. The bytes stay
   * as they are until then, and while `hasMore`.
   */
  decode(queue: MessageQueue): Promise<void> | null;
  /** The last message holds more than is decoded at a time; `decodeMore` goes on with it, when the items were taken. */
  readonly hasMore: boolean;
  decodeMore(): Promise<void> | null;
  /** Somebody waits for the position to move: it is flushed at once and not at the interval's end. */
  readonly hasty: boolean;
  flush(): void;
  /** The items so far, in order. */
  take(): readonly LogItem[];
  /** A turn of its own, every tick. `silentMs`: since something came, or since we paused. */
  tick(nowMs: number, silentMs: number): void;
  /** What the end of the connection means; null: the server ended it in order. */
  endError(error: unknown, signal: AbortSignal): Promise<unknown>;
}

export interface PumpOptions {
  readonly clock: Clock;
  readonly flushIntervalMs: number;
  readonly tickMs: number;
}

/**
 * Drives a log reader: takes what the connection brings into a bounded queue, has it decoded slice by slice as the items
 * are asked for, flushes in time, and notices silence. The connection calls `push` and `end`.
 */
export class LogPump {
  readonly #log: PumpedLog;
  readonly #options: PumpOptions;
  readonly #queue = new MessageQueue();
  #paused = false;
  /** Something came since the last tick; when the last such tick was. */
  #heard = false;
  #heardMs = 0;
  #ended: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;

  constructor(log: PumpedLog, options: PumpOptions) {
    this.#log = log;
    this.#options = options;
  }

  /** The bytes are copied. Hot: once a message. */
  push(tag: number, message: Uint8Array): void {
    this.#queue.push(tag, message);
    this.#pushed();
  }

  /** Room for a long message that comes in parts, or for its first piece: `MessageQueue.begin`. */
  begin(tag: number, length: number): Uint8Array {
    return this.#queue.begin(tag, length);
  }

  pushBegun(rest: Uint8Array[]): void {
    this.#queue.pushBegun(rest);
    this.#pushed();
  }

  #pushed(): void {
    this.#heard = true;
    if (!this.#paused && this.#queue.heldBytes > QUEUE_HIGH_BYTES) {
      this.#paused = true;
      this.#log.pause();
    }
    this.#wake();
  }

  /** The connection is over; what it brought before is decoded first. The first end counts. */
  end(error: unknown): void {
    this.#ended ??= { error };
    this.#wake();
  }

  /** Has the loop look at what is due. */
  wake(): void {
    this.#wake();
  }

  /** The log's items until its end, which it throws. The connection is open by then. */
  async *items(life: AbortSignal): AsyncGenerator<LogItem, void, undefined> {
    this.#heardMs = this.#options.clock.monotonicMs();
    const over = new AbortController();
    const ticking = this.#tick(AbortSignal.any([life, over.signal]));
    try {
      yield* this.#decoded(life);
    } finally {
      over.abort(new MillraceError("INTERNAL", "the log reader was closed"));
      await ticking;
    }
  }

  async *#decoded(life: AbortSignal): AsyncGenerator<LogItem, void, undefined> {
    const { clock, flushIntervalMs } = this.#options;
    let flushedMs = clock.monotonicMs();
    for (;;) {
      life.throwIfAborted();
      await this.#decodeSlice();
      if (this.#log.hasty || clock.monotonicMs() - flushedMs >= flushIntervalMs) {
        flushedMs = clock.monotonicMs();
        this.#log.flush();
      }
      yield* this.#log.take();
      if (!this.#queue.isEmpty || this.#log.hasMore) await setImmediate();
      else if (this.#ended !== null) throw await this.#log.endError(this.#ended.error, life);
      else await this.#somethingNew(life);
    }
  }

  async #decodeSlice(): Promise<void> {
    const queue = this.#queue;
    const until = queue.bytes - SLICE_BYTES;
    if (this.#log.hasMore) await this.#log.decodeMore();
    while (!this.#log.hasMore && queue.bytes > until && queue.next()) {
      const looking = this.#log.decode(queue);
      if (looking !== null) await looking;
    }
    if (!this.#log.hasMore) queue.forget();
    if (this.#paused && queue.heldBytes < QUEUE_LOW_BYTES) {
      this.#paused = false;
      this.#log.resume();
    }
  }

  /** Resolves with the next bytes, the end of the connection, or the next tick. */
  async #somethingNew(life: AbortSignal): Promise<void> {
    life.throwIfAborted();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (!this.#queue.isEmpty || this.#ended !== null) resolve();
    });
    this.#wake = () => undefined;
  }

  async #tick(life: AbortSignal): Promise<void> {
    const { clock, tickMs } = this.#options;
    while (!life.aborted) {
      await clock.sleep(tickMs, life).catch(() => undefined);
      const nowMs = clock.monotonicMs();
      // While we do not read, silence is ours.
      if (this.#heard || this.#paused) this.#heardMs = nowMs;
      this.#heard = false;
      const silentMs = nowMs - this.#heardMs;
      this.#log.tick(nowMs, silentMs);
      if (silentMs > SILENCE_MAX_MS) {
        const silence = `the source's log connection has been silent for ${SILENCE_MAX_MS / 1000} s`;
        this.end(new MillraceError("SOURCE_CONNECTION_LOST", silence));
      }
      this.#wake();
    }
    this.#wake();
  }
}
