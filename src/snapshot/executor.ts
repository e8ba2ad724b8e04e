import { Worker } from "node:worker_threads";
import type { Ambient } from "../core/ambient.ts";
import type { ChunkOutcome, ChunkRequest } from "../core/chunk.ts";
import { MillraceError } from "../core/errors.ts";
import type { TableSchema } from "../core/table-schema.ts";
import { Notice } from "../flow/notice.ts";
import type { ChunkListener } from "./chunk-listener.ts";
import { WorkerLane, type WorkerHandle } from "./worker-lane.ts";

/**
 * Has chunks read by workers, each of which reads one at a time; beyond `workers` at once, `read` waits for one to be
 * free. The local one has threads, and one over a queue will have other processes. Rejects as a `ChunkReader` does, and
 * with `CHUNK_WORKER_LOST`, to be tried again, where the worker died.
 */
export interface ChunkExecutor extends AsyncDisposable {
  readonly workers: number;
  /** Says that chunks will come: workers get ready while the rest of the run does. */
  start(): void;
  read(request: ChunkRequest, listener: ChunkListener, signal: AbortSignal): Promise<ChunkOutcome>;
}

export interface LocalExecutorOptions {
  /** The module that a thread runs: it calls `serveChunks` on its parent port. */
  readonly workerUrl: URL;
  /** What the module finds as `workerData`; structured-cloneable. */
  readonly workerData: unknown;
  readonly workers: number;
  readonly ambient: Ambient;
}

/** Reads chunks in threads of this process. They start with the first chunks, one each, unless `start` was called. */
export function createLocalExecutor(options: LocalExecutorOptions): ChunkExecutor {
  const { workerUrl, workerData, workers, ambient } = options;
  return new ThreadExecutor(workers, () => new Worker(workerUrl, { workerData }), ambient);
}

/** Deaths of workers, over the executor's life, after which it starts no other. */
const DEATHS_MAX = 20;
const CLOSE_TIMEOUT_MS = 5000;
/** A worker that has not answered a cancel by then hangs, and is ended. */
const CANCEL_TIMEOUT_MS = 10_000;

export class ThreadExecutor implements ChunkExecutor {
  readonly workers: number;
  readonly #start: () => WorkerHandle;
  readonly #ambient: Ambient;
  readonly #free: WorkerLane[] = [];
  readonly #lanes = new Set<WorkerLane>();
  readonly #freed = new Notice();
  #deaths = 0;

  constructor(workers: number, start: () => WorkerHandle, ambient: Ambient) {
    this.workers = workers;
    this.#start = start;
    this.#ambient = ambient;
  }

  async read(request: ChunkRequest, listener: ChunkListener, signal: AbortSignal): Promise<ChunkOutcome> {
    const lane = await this.#acquire(signal);
    const ended = new AbortController();
    const overdue = (): void => {
      const late = this.#ambient.clock.sleep(CANCEL_TIMEOUT_MS, ended.signal);
      late.then(
        () => lane.terminate(),
        () => undefined,
      );
    };
    signal.addEventListener("abort", overdue, { once: true });
    try {
      return await lane.read(request, sharingSchema(listener), signal);
    } finally {
      signal.removeEventListener("abort", overdue);
      ended.abort();
      this.#release(lane);
    }
  }

  start(): void {
    while (this.#lanes.size < this.workers) this.#free.push(this.#started());
  }

  async #acquire(signal: AbortSignal): Promise<WorkerLane> {
    for (;;) {
      signal.throwIfAborted();
      const free = this.#free.pop();
      if (free !== undefined && !free.dead) return free;
      if (free !== undefined) this.#bury(free);
      else if (this.#lanes.size < this.workers) return this.#started();
      else await this.#freed.wait(signal);
    }
  }

  #started(): WorkerLane {
    if (this.#deaths > DEATHS_MAX)
      throw new MillraceError("CHUNK_WORKERS_FAILING", `${this.#deaths} chunk workers have died`);
    const lane = new WorkerLane(this.#start());
    this.#lanes.add(lane);
    return lane;
  }

  #release(lane: WorkerLane): void {
    if (lane.dead) this.#bury(lane);
    else this.#free.push(lane);
    this.#freed.notify();
  }

  #bury(lane: WorkerLane): void {
    this.#deaths++;
    this.#lanes.delete(lane);
    this.#ambient.logger.warn("chunk worker died", { deaths: this.#deaths, deathsMax: DEATHS_MAX });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const lanes = [...this.#lanes];
    for (const lane of lanes) lane.close();
    const overdue = new AbortController();
    const late = this.#ambient.clock.sleep(CLOSE_TIMEOUT_MS, overdue.signal).catch(() => undefined);
    await Promise.race([Promise.all(lanes.map((lane) => lane.exited)), late]);
    overdue.abort();
    await Promise.all(lanes.map((lane) => lane.terminate()));
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
