import { Worker } from "node:worker_threads";
import type { Ambient } from "../core/ambient.ts";
import type { ChunkOutcome, ChunkRequest } from "../core/chunk.ts";
import { MillraceError } from "../core/errors.ts";
import type { TableSchema } from "../core/table-schema.ts";
import { Notice } from "../flow/notice.ts";
import type { ChunkListener } from "./chunk-listener.ts";
import { ChunkClient, type WorkerHandle } from "./chunk-client.ts";

/**
 * Has chunks read by workers; beyond a number at once, `read` waits for another to end. The local one has threads, and one
 * over a queue will have other processes. Rejects as a `ChunkReader` does, and with `CHUNK_WORKER_LOST`, to be tried again,
 * where the worker died.
 */
export interface ChunkExecutor extends AsyncDisposable {
  /** Says that chunks will come: workers get ready while the rest of the run does. */
  start(): void;
  read(request: ChunkRequest, listener: ChunkListener, signal: AbortSignal): Promise<ChunkOutcome>;
}

export interface LocalExecutorOptions {
  /** The module that a thread runs: it calls `serveChunks` on its parent port. */
  readonly workerUrl: URL;
  /** What the module finds as `workerData`; structured-cloneable. */
  readonly workerData: unknown;
  readonly threads: number;
  /** Chunks that are read at a time, by all threads together. */
  readonly readsMax: number;
  readonly ambient: Ambient;
}

/** Reads chunks in threads of this process. They start with the first chunks, one each, unless `start` was called. */
export function createLocalExecutor(options: LocalExecutorOptions): ChunkExecutor {
  const { workerUrl, workerData } = options;
  return new ThreadExecutor(options, () => new Worker(workerUrl, { workerData }));
}

/** Deaths of workers, over the executor's life, after which it starts no other. */
const DEATHS_MAX = 20;
const CLOSE_TIMEOUT_MS = 5000;
/** A worker that has not answered a cancel by then hangs, and is ended. */
const CANCEL_TIMEOUT_MS = 10_000;

export class ThreadExecutor implements ChunkExecutor {
  readonly #threads: number;
  readonly #readsMax: number;
  readonly #ambient: Ambient;
  readonly #start: () => WorkerHandle;
  readonly #workers = new Set<ChunkClient>();
  readonly #ended = new Notice();
  #reads = 0;
  #deaths = 0;

  constructor(options: Pick<LocalExecutorOptions, "threads" | "readsMax" | "ambient">, start: () => WorkerHandle) {
    this.#threads = options.threads;
    this.#readsMax = options.readsMax;
    this.#ambient = options.ambient;
    this.#start = start;
  }

  async read(request: ChunkRequest, listener: ChunkListener, signal: AbortSignal): Promise<ChunkOutcome> {
    while (this.#reads >= this.#readsMax) await this.#ended.wait(signal);
    signal.throwIfAborted();
    this.#reads++;
    try {
      return await this.#readBy(this.#leastBusy(), request, listener, signal);
    } finally {
      this.#reads--;
      this.#ended.notify();
    }
  }

  start(): void {
    while (this.#workers.size < this.#threads) this.#started();
  }

  async #readBy(
    worker: ChunkClient,
    request: ChunkRequest,
    listener: ChunkListener,
    signal: AbortSignal,
  ): Promise<ChunkOutcome> {
    const ended = new AbortController();
    const overdue = (): void => {
      const late = this.#ambient.clock.sleep(CANCEL_TIMEOUT_MS, ended.signal);
      late.then(
        () => worker.terminate(),
        () => undefined,
      );
    };
    signal.addEventListener("abort", overdue, { once: true });
    try {
      return await worker.read(request, sharingSchema(listener), signal);
    } finally {
      signal.removeEventListener("abort", overdue);
      ended.abort();
    }
  }

  /** A worker without work, new where there is none, or else the one with the least. */
  #leastBusy(): ChunkClient {
    for (const worker of this.#workers) if (worker.dead) this.#bury(worker);
    const [first, ...others] = this.#workers;
    if (first === undefined) return this.#started();
    const least = others.reduce((a, b) => (b.reading < a.reading ? b : a), first);
    return least.reading > 0 && this.#workers.size < this.#threads ? this.#started() : least;
  }

  #started(): ChunkClient {
    if (this.#deaths > DEATHS_MAX)
      throw new MillraceError("CHUNK_WORKERS_FAILING", `${this.#deaths} chunk workers have died`);
    const worker = new ChunkClient(this.#start());
    this.#workers.add(worker);
    return worker;
  }

  #bury(worker: ChunkClient): void {
    this.#deaths++;
    this.#workers.delete(worker);
    this.#ambient.logger.warn("chunk worker died", { deaths: this.#deaths, deathsMax: DEATHS_MAX });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const workers = [...this.#workers];
    for (const worker of workers) worker.close();
    const overdue = new AbortController();
    const late = this.#ambient.clock.sleep(CLOSE_TIMEOUT_MS, overdue.signal).catch(() => undefined);
    await Promise.race([Promise.all(workers.map((worker) => worker.exited)), late]);
    overdue.abort();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Each message has a copy of the schema of its own; a chunk's batches share the first one. */
function sharingSchema(listener: ChunkListener): ChunkListener {
  let schema: TableSchema | null = null;
  return {
    opened: (cut) => listener.opened(cut),
    batch: (batch) => {
      schema ??= batch.schema;
      return listener.batch({ ...batch, schema });
    },
  };
}
