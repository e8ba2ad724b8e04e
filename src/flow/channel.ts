import { MillraceError } from "../core/errors.ts";

/**
 * A queue between two components, for one consumer and any number of producers. The interface says nothing of where the
 * items are kept, so that a channel on disk can take its place (design §9).
 *
 * - *push* takes the item in any case and resolves when there is room for the next: that is the back-pressure.
 * - *end*: no more will come; what is in the channel is still consumed.
 * - *fail*: the producer broke; the consumer gets the error at once, what was in the channel is dropped.
 * - *cancel*: the consumer has gone; every push, waiting or to come, rejects with the reason.
 *
 * A consumer that leaves its loop early cancels. Ending twice, or failing after an end, changes nothing.
 */
export interface Channel<T> extends AsyncIterable<T> {
  push(item: T): Promise<void>;
  end(): void;
  fail(error: unknown): void;
  cancel(reason: unknown): void;
}

type ChannelState =
  | { readonly kind: "open" }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "cancelled"; readonly reason: unknown };

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** A channel in memory, bounded by bytes: beyond `bytesMax` pushes wait until half of it is free again. */
export class MemoryChannel<T> implements Channel<T> {
  readonly #bytesMax: number;
  readonly #sizeOf: (item: T) => number;
  #state: ChannelState = { kind: "open" };
  #items: T[] = [];
  #head = 0;
  #bytes = 0;
  #full = false;
  #producers: Waiter[] = [];
  #consumer: Waiter | null = null;

  constructor(options: { readonly bytesMax: number; readonly sizeOf: (item: T) => number }) {
    this.#bytesMax = options.bytesMax;
    this.#sizeOf = options.sizeOf;
  }

  /** Bytes waiting in it now. */
  get bytes(): number {
    return this.#bytes;
  }

  push(item: T): Promise<void> {
    const state = this.#state;
    if (state.kind === "cancelled") return Promise.reject(state.reason);
    if (state.kind === "failed") return Promise.reject(state.error);
    if (state.kind === "ended") return Promise.reject(new MillraceError("INTERNAL", "pushed into an ended channel"));
    this.#items.push(item);
    this.#bytes += this.#sizeOf(item);
    if (this.#bytes > this.#bytesMax) this.#full = true;
    this.#wakeConsumer();
    if (!this.#full) return Promise.resolve();
    return new Promise((resolve, reject) => this.#producers.push({ resolve, reject }));
  }

  end(): void {
    if (this.#state.kind !== "open") return;
    this.#state = { kind: "ended" };
    this.#releaseProducers();
    this.#wakeConsumer();
  }

  fail(error: unknown): void {
    if (this.#state.kind !== "open") return;
    this.#state = { kind: "failed", error };
    this.#drop(error);
  }

  cancel(reason: unknown): void {
    if (this.#state.kind === "cancelled" || this.#state.kind === "failed") return;
    this.#state = { kind: "cancelled", reason };
    this.#drop(reason);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      for (;;) {
        if (this.#state.kind === "failed") throw this.#state.error;
        if (this.#state.kind === "cancelled") return;
        if (this.#head < this.#items.length) yield this.#shift();
        else if (this.#state.kind === "ended") return;
        else await this.#arrival();
      }
    } finally {
      this.cancel(new MillraceError("INTERNAL", "the consumer of a channel has left"));
    }
  }

  #arrival(): Promise<void> {
    if (this.#consumer !== null) throw new MillraceError("INTERNAL", "a channel has one consumer");
    return new Promise((resolve, reject) => {
      this.#consumer = { resolve, reject };
    });
  }

  #shift(): T {
    const item = this.#items[this.#head]!;
    this.#items[this.#head++] = undefined as T;
    if (this.#head === this.#items.length || this.#head > 1024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    this.#bytes -= this.#sizeOf(item);
    if (this.#full && this.#bytes <= this.#bytesMax / 2) {
      this.#full = false;
      this.#releaseProducers();
    }
    return item;
  }

  #drop(error: unknown): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    for (const producer of this.#producers.splice(0)) producer.reject(error);
    this.#wakeConsumer();
  }

  #releaseProducers(): void {
    for (const producer of this.#producers.splice(0)) producer.resolve();
  }

  #wakeConsumer(): void {
    const consumer = this.#consumer;
    this.#consumer = null;
    consumer?.resolve();
  }
}
