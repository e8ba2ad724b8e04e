import { Notice } from "../../flow/notice.ts";

/**
 * The parts of all staged objects of a store, in the order in which they became full: so many are sent at a time, and whoever
 * writes waits while too many bytes are in it.
 */
export class UploadQueue {
  readonly #parallelMax: number;
  readonly #bytesMax: number;
  readonly #waiting: (() => void)[] = [];
  readonly #room = new Notice();
  #running = 0;
  #bytes = 0;

  constructor(limits: { readonly parallelMax: number; readonly bytesMax: number }) {
    this.#parallelMax = limits.parallelMax;
    this.#bytesMax = limits.bytesMax;
  }

  /** Does the work when it is its turn; until it is done its bytes count. */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.#bytes += bytes;
    if (this.#running < this.#parallelMax) this.#running += 1;
    // Whoever ends hands its place over.
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#bytes -= bytes;
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
      if (this.#bytes <= this.#bytesMax) this.#room.notify();
    }
  }

  /** Resolves when there is room for more, rejects with the signal's reason when it is aborted first. */
  async room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#bytes > this.#bytesMax) await this.#room.wait(signal);
  }
}
