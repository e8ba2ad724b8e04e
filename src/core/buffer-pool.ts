/** Smaller ones are not worth keeping. */
const KEPT_BYTES_MIN = 4096;

/**
 * Memory that is used again. Fresh buffers are dear in bulk: the system clears each page, and the garbage collector runs
 * the more often. Bounded by bytes; what does not fit is left to the collector.
 */
export class BufferPool {
  readonly #bytesMax: number;
  readonly #free: ArrayBuffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that lie here unused. */
  get bytes(): number {
    return this.#bytes;
  }

  /** At least so many bytes and, but for the smallest, at most twice; **not zeroed**. */
  take(bytes: number): ArrayBuffer {
    let best = -1;
    let bestBytes = bytes * 2 + 1;
    for (const [i, { byteLength }] of this.#free.entries())
      if (byteLength >= bytes && byteLength < bestBytes) {
        best = i;
        bestBytes = byteLength;
      }
    if (best < 0) return new ArrayBuffer((bytes + 7) & ~7);
    const [taken] = this.#free.splice(best, 1);
    this.#bytes -= taken!.byteLength;
    return taken!;
  }

  /** Takes a buffer that nobody uses any more. */
  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength < KEPT_BYTES_MIN) return;
    this.#free.push(buffer);
    this.#bytes += buffer.byteLength;
    while (this.#bytes > this.#bytesMax) this.#bytes -= this.#free.shift()!.byteLength;
  }
}

/** Buffers of a pool that are taken one by one and given back together. */
export class BufferLoan {
  readonly #pool: BufferPool;
  readonly #taken: ArrayBuffer[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** As `BufferPool.take`. */
  take(bytes: number): ArrayBuffer {
    const buffer = this.#pool.take(bytes);
    this.#taken.push(buffer);
    return buffer;
  }

  /** Nothing of what was taken may be used from here on. */
  end(): void {
    for (const buffer of this.#taken.splice(0)) this.#pool.give(buffer);
  }
}
