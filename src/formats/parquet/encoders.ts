import { Worker } from "node:worker_threads";
import { BufferPool } from "../../core/buffer-pool.ts";
import { MillraceError } from "../../core/errors.ts";
import { abortable } from "../../flow/abortable.ts";
import { Notice } from "../../flow/notice.ts";
import { EncoderClient } from "./encoder-client.ts";
import type { EncodedRowGroup, RowGroup } from "./encoding.ts";
import { RowGroupStreams } from "./row-group-streams.ts";
import { wideColumns, withWideColumns } from "./wide-cells.ts";

export interface EncodersOptions {
  /** The module that a thread runs: it calls `serveEncoder` on its parent port. */
  readonly workerUrl: URL;
  readonly threads: number;
  /** Of row groups that are not encoded yet, as streams; one that is larger goes alone. */
  readonly bytesMax: number;
}

/** A row group whose cells were copied, but for those that are too large. */
export interface TakenRowGroup {
  /** Cells of it stay in the caller's memory: that is free only when the row group is written. */
  readonly borrows: boolean;
  /**
   * Rejects with `PARQUET_ENCODE_FAILED`, with `PARQUET_WORKER_LOST` where the worker died over it, or with the signal's
   * reason. Nobody has to wait for it.
   */
  readonly encoded: Promise<EncodedRowGroup>;
}

/** Row groups that a worker has: one that it encodes, and one to go on with. */
const ASKS_MAX = 2;

/**
 * Encodes row groups in threads, which start with the first of them. A thread whose encoder broke, or has grown too large,
 * is replaced by another; what is asked of it is not tried again.
 *
 * The caller's buffers are its own again as soon as `encode` has resolved, where nothing is borrowed: that is when the cells
 * were copied, and it waits before that where `bytesMax` are under way. Callers are served in the order in which they came.
 */
export class ParquetEncoders implements AsyncDisposable {
  readonly #options: EncodersOptions;
  readonly #workers = new Set<EncoderClient>();
  /** Of streams: their memory is large, and the garbage collector in no hurry. */
  readonly #pool: BufferPool;
  readonly #changed = new Notice();
  #bytes = 0;
  #lastTurn: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: EncodersOptions) {
    this.#options = options;
    this.#pool = new BufferPool(options.bytesMax);
  }

  /** Of row groups that were taken and are not encoded. */
  get bytes(): number {
    return this.#bytes;
  }

  async encode(rowGroup: RowGroup, signal: AbortSignal): Promise<TakenRowGroup> {
    const wide = wideColumns(rowGroup);
    const streams = new RowGroupStreams(wide?.narrow ?? rowGroup);
    if (streams.rows === 0) throw new MillraceError("INTERNAL", "a row group without rows was to be encoded");
    const { encoded } = await this.#turn(signal, () => {
      const worker = this.#workerFor(streams.bytes);
      return worker && { encoded: this.#asked(worker, streams) };
    });
    const whole = wide === null ? encoded : encoded.then((narrow) => withWideColumns(narrow, wide.places, rowGroup));
    const wanted = abortable(signal, whole, () => undefined);
    wanted.catch(() => undefined);
    return { borrows: wide !== null, encoded: wanted };
  }

  /** Ends the threads in the middle of their work: what is not encoded then is not going to be. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#changed.notify();
    await Promise.all([...this.#workers].map((worker) => worker.end()));
  }

  /** What `ready` gives, once it does, and once all who came before have got theirs. */
  async #turn<T>(signal: AbortSignal, ready: () => T | null): Promise<T> {
    const before = this.#lastTurn;
    let done: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => {
      done = resolve;
    });
    // Also where this one is given up: whoever comes next waits for those before it too.
    this.#lastTurn = before.then(() => turn);
    try {
      await abortable(signal, before, () => undefined);
      for (;;) {
        if (this.#isClosed) throw new MillraceError("INTERNAL", "the encoders are closed");
        const given = ready();
        if (given !== null) return given;
        await this.#changed.wait(signal);
      }
    } finally {
      done();
    }
  }

  /** The worker with the least to do, where there is room for so many bytes; null: not now. */
  #workerFor(bytes: number): EncoderClient | null {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#options.bytesMax) return null;
    for (const worker of this.#workers) if (worker.isDead) this.#workers.delete(worker);
    const workers = [...this.#workers].filter((worker) => worker.takesMore);
    const idle = workers.find(({ asked }) => asked === 0);
    if (idle !== undefined) return idle;
    if (workers.length < this.#options.threads) return this.#started();
    return workers.find(({ asked }) => asked < ASKS_MAX) ?? null;
  }

  #started(): EncoderClient {
    const worker = new EncoderClient(new Worker(this.#options.workerUrl), (buffer) => this.#pool.give(buffer));
    this.#workers.add(worker);
    return worker;
  }

  async #asked(worker: EncoderClient, streams: RowGroupStreams): Promise<EncodedRowGroup> {
    const { bytes } = streams;
    const work = streams.copyTo(this.#pool.take(bytes));
    this.#bytes += bytes;
    try {
      return await worker.encode(work);
    } finally {
      this.#bytes -= bytes;
      this.#changed.notify();
    }
  }
}
