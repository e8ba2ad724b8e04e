import type { Ambient } from "../../core/ambient.ts";
import { BufferPool } from "../../core/buffer-pool.ts";
import type { ChunkGrant, ChunkOutcome, ChunkRequest } from "../../core/chunk.ts";
import { assertNever, MillraceError } from "../../core/errors.ts";
import { abortable } from "../../flow/abortable.ts";
import { Notice } from "../../flow/notice.ts";
import { decodeBatch } from "../../formats/batch-file.ts";
import type { StoreLocation } from "../../stores/open-store.ts";
import type { ChunkListener } from "../chunk-listener.ts";
import type { ChunkExecutor } from "../executor.ts";
import { type ChunkReport, failureOf, isSameGrant, jobId, parseReport, type StagedObject } from "./chunk-job.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import type { JobEnd, Standstill } from "./job-watch.ts";
import type { QueueConnection } from "./queue-options.ts";
import { StagingArea } from "./staging-area.ts";

export interface QueueExecutorOptions {
  readonly pipeline: string;
  readonly connection: QueueConnection;
  readonly staging: StoreLocation;
  /** Chunks that are read at a time, by all workers together. */
  readonly readsMax: number;
  /** Chunks that are waited for at a time: more, so that one is ready for a worker while another's rows are taken over. */
  readonly chunksMax: number;
  /** Reads tables without a key: all their rows are one chunk, which goes down the line as it is read. */
  readonly local: ChunkExecutor;
  /** Told what chunks wait for; null: for nothing. */
  readonly waiting: (on: string | null) => void;
  /** What starts a worker, for people. */
  readonly workerCommand: string;
  readonly ambient: Ambient;
}

/** Has chunks read by other processes, which take them from a queue and stage their rows (ADR 0020). */
export function createQueueExecutor(options: QueueExecutorOptions): ChunkExecutor {
  return new QueueExecutor(options);
}

interface Opened {
  readonly queue: ChunkQueue;
  readonly staging: StagingArea;
}

/** As much as chunks that wait for the sink may have. */
const POOL_BYTES_MAX = 16 << 20;

/** Removing what is left is a courtesy: the next run does it again. */
const SWEEP_MS = 10_000;

class QueueExecutor implements ChunkExecutor {
  readonly #options: QueueExecutorOptions;
  readonly #closed = new AbortController();
  readonly #ended = new Notice();
  readonly #sweeping = new Set<Promise<void>>();
  /** What batches are fetched into. */
  readonly #pool = new BufferPool(POOL_BYTES_MAX);
  #opened: Promise<Opened> | null = null;
  /** Of the chunks that are being read or taken over. */
  readonly #live = new Set<string>();
  #token: number | null = null;

  constructor(options: QueueExecutorOptions) {
    this.#options = options;
  }

  start(): void {
    // Whoever reads first hears of a failure.
    this.#open().catch(() => undefined);
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#openBoth().catch((error: unknown) => {
      this.#opened = null;
      throw error;
    });
    return this.#opened;
  }

  async #openBoth(): Promise<Opened> {
    const { pipeline, connection, readsMax, ambient, waiting } = this.#options;
    const staging = new StagingArea(this.#options.staging, pipeline, ambient.clock);
    await staging.open(this.#closed.signal);
    const queue = await ChunkQueue.open({
      pipeline,
      connection,
      readsMax,
      ambient,
      signal: this.#closed.signal,
      standstill: (why) => waiting(why === null ? null : this.#workersMissing(why)),
      unawaited: (id) => this.#sweep(() => this.#removeUnawaited(id)),
    });
    return { queue, staging };
  }

  #workersMissing(why: NonNullable<Standstill>): string {
    const command = `\`${this.#options.workerCommand}\``;
    return why === "no-workers"
      ? `workers: none is there to read chunks; start ${command}`
      : `workers: those that have begun chunks are not heard of; start another ${command}`;
  }

  async read(request: ChunkRequest, listener: ChunkListener, signal: AbortSignal): Promise<ChunkOutcome> {
    const { local, chunksMax } = this.#options;
    if (request.schema.key.length === 0) return await local.read(request, listener, signal);
    while (this.#live.size >= chunksMax) await this.#ended.wait(signal);
    signal.throwIfAborted();
    const id = jobId(request.grant);
    this.#live.add(id);
    try {
      return await this.#read(request, listener, signal);
    } finally {
      this.#live.delete(id);
      this.#ended.notify();
    }
  }

  async #read(request: ChunkRequest, listener: ChunkListener, signal: AbortSignal): Promise<ChunkOutcome> {
    const { queue, staging } = await abortable(signal, this.#open(), () => undefined);
    const { grant } = request;
    await this.#claim(grant.token, staging, signal);
    let end: JobEnd | null = null;
    let report: ChunkReport | null = null;
    try {
      end = await queue.run(request, signal);
      report = reportOf(end, request);
      return await takeOver(report, (object) => staging.get(object, this.#pool, signal), this.#pool, listener);
    } finally {
      const wasLost = end !== null && end.workers > 1;
      this.#sweep(async () => {
        if (report !== null) await staging.remove(report.objects, this.#closed.signal);
        // A worker that has it still goes on; when it is through it is found to be unawaited.
        const isOver = await queue.remove(jobId(grant));
        if (isOver && (wasLost || report === null)) await staging.removeAttempts(grant, this.#closed.signal);
      });
    }
  }

  /** Once. Nobody stages anything for earlier runs from here on but late workers, and a later run removes that. */
  async #claim(token: number, staging: StagingArea, signal: AbortSignal): Promise<void> {
    if (this.#token !== null) return;
    await staging.claim(token, signal);
    this.#token = token;
    this.#sweep(() => staging.removeRuns(token - 1, this.#closed.signal));
  }

  /** What comes of a chunk that was given up, unread. */
  async #removeUnawaited(id: string): Promise<void> {
    // Another run may have begun: its jobs are its own.
    if (this.#live.has(id) || !id.startsWith(`${this.#token}-`)) return;
    const { queue, staging } = await this.#open();
    const grant: ChunkGrant | null = await queue.grantOf(id);
    if (grant === null || !(await queue.remove(id))) return;
    await staging.removeAttempts(grant, this.#closed.signal);
  }

  /** In the background. */
  #sweep(work: () => Promise<void>): void {
    const { logger } = this.#options.ambient;
    const sweeping = work().catch((error: unknown) => {
      logger.debug("what was staged is left behind", { reason: String(error) });
    });
    this.#sweeping.add(sweeping);
    void sweeping.then(() => this.#sweeping.delete(sweeping));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.local[Symbol.asyncDispose]();
    if (this.#opened !== null) await this.#close(this.#opened);
  }

  async #close(opening: Promise<Opened>): Promise<void> {
    const { clock } = this.#options.ambient;
    const token = this.#token;
    if (token !== null) this.#sweep(async () => (await opening).staging.removeRuns(token, this.#closed.signal));
    const overdue = new AbortController();
    const late = clock.sleep(SWEEP_MS, overdue.signal).catch(() => undefined);
    await Promise.race([Promise.all(this.#sweeping), late]);
    overdue.abort();
    this.#closed.abort(new MillraceError("INTERNAL", "the executor is closed"));
    const closing = opening.then(async ({ queue, staging }) => {
      await queue[Symbol.asyncDispose]();
      await staging[Symbol.asyncDispose]();
    });
    await closing.catch(() => undefined);
  }
}

/** What the worker has reported, or the failure that the read ends with. */
function reportOf(end: JobEnd, { grant, schema }: ChunkRequest): ChunkReport {
  const place = { table: schema.id };
  switch (end.kind) {
    case "done": {
      const report = parseReport(end.result);
      if (isSameGrant(report.outcome.grant, grant)) return report;
      throw new MillraceError("CHUNK_WORKER_LOST", `a worker has read another chunk of ${schema.id}`, { place });
    }
    case "failed": {
      const said = failureOf(end.reason);
      const lost = `${end.workers} workers that were to read a chunk of ${schema.id} were lost, one after the other`;
      throw said ?? new MillraceError("CHUNK_WORKER_LOST", lost, { place });
    }
    case "lost":
      throw new MillraceError("CHUNK_WORKER_LOST", `the queue has lost a chunk of ${schema.id}`, { place });
    default:
      return assertNever(end);
  }
}

/** One object after the other, and the next one is fetched meanwhile. */
async function takeOver(
  { cut, outcome, objects }: ChunkReport,
  get: (object: StagedObject) => Promise<Uint8Array<ArrayBuffer>>,
  pool: BufferPool,
  listener: ChunkListener,
): Promise<ChunkOutcome> {
  listener.opened(cut);
  const [first, ...rest] = objects.map((object) => () => get(object));
  let fetching = first?.();
  while (fetching !== undefined) {
    const bytes = await fetching;
    fetching = rest.shift()?.();
    // Whoever waits for it hears of a failure.
    fetching?.catch(() => undefined);
    const recycle = (): void => pool.give(bytes.buffer);
    await listener.batch({ ...decodeBatch(bytes), schema: outcome.schema, recycle });
  }
  return outcome;
}
