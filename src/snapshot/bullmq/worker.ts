import { randomUUID } from "node:crypto";
import { Job, Worker } from "bullmq";
import type { Ambient, Clock } from "../../core/ambient.ts";
import type { BufferPool } from "../../core/buffer-pool.ts";
import type { ChunkReader, ChunkRequest } from "../../core/chunk.ts";
import { asMillraceError, MillraceError } from "../../core/errors.ts";
import { sentError } from "../../core/sent-error.ts";
import type { TableId } from "../../core/table-schema.ts";
import { abortable } from "../../flow/abortable.ts";
import { Notice } from "../../flow/notice.ts";
import type { StoreLocation } from "../../stores/open-store.ts";
import { type ChunkReport, jobId, parseJob, QUEUE } from "./chunk-job.ts";
import { Lease } from "./lease.ts";
import { orReconnect } from "./or-reconnect.ts";
import { type QueueConnection, sharedOptions } from "./queue-options.ts";
import { stageChunk } from "./stage-chunk.ts";
import { StagingArea } from "./staging-area.ts";

/** What a worker does, for whoever has started it. */
export type WorkerEvent =
  | { readonly kind: "ready"; readonly staging: string }
  | {
      readonly kind: "read";
      readonly chunk: string;
      readonly table: TableId;
      readonly rows: number;
      readonly tookMs: number;
    }
  | { readonly kind: "failed"; readonly chunk: string; readonly table: TableId; readonly error: MillraceError }
  /** The chunk was another worker's by then, or the run's no more: nobody reads what this one has staged. */
  | { readonly kind: "late"; readonly chunk: string; readonly table: TableId };

export interface ChunkWorkerOptions {
  readonly pipeline: string;
  readonly connection: QueueConnection;
  readonly staging: StoreLocation;
  /** In the queue's own lists: no spaces. */
  readonly name: string;
  /** Chunks that this worker reads at a time. */
  readonly concurrency: number;
  readonly openReader: () => ChunkReader;
  readonly pool: BufferPool;
  /** A worker that says nothing for so long loses its chunks to others. */
  readonly leaseMs: number;
  readonly events: (event: WorkerEvent) => void;
  readonly ambient: Ambient;
}

/** Workers that a chunk may lose before it is given up: one that kills its readers must not kill all of them. */
const WORKERS_LOST_MAX = 3;
/** How long the queue is asked for a chunk at a time: so long does an idle worker take to end, too. */
const ASK_SECONDS = 1;
const REST_MIN_MS = 1_000;
const REST_MAX_MS = 15_000;
/** How long its chunks may take when it is to end. Then others read them. */
const END_MS = 30_000;
/** And what they may take to give up. */
const CLOSE_MS = 5_000;

/**
 * Reads chunks that the pipeline's queue has, until `stop`; then those that it has to their end. Any number of workers may do so, on any
 * machine. What becomes of a chunk is the queue's to say: a worker that has lost it can report nothing.
 */
export async function workChunks(options: ChunkWorkerOptions, stop: AbortSignal): Promise<void> {
  await using staging = new StagingArea(options.staging, options.pipeline, options.ambient.clock);
  await staging.open(stop);
  const work = new ChunkWork(options, staging);
  try {
    await work.run(stop);
  } finally {
    await work.close();
  }
}

class ChunkWork {
  readonly #options: ChunkWorkerOptions;
  readonly #staging: StagingArea;
  readonly #worker: Worker;
  readonly #ended = new Notice();
  readonly #abort = new AbortController();
  readonly #lanes = new Set<Promise<void>>();
  readonly #free: ChunkReader[] = [];
  /** In a row. */
  #failures = 0;

  constructor(options: ChunkWorkerOptions, staging: StagingArea) {
    this.#options = options;
    this.#staging = staging;
    const { pipeline, connection, name, leaseMs, ambient } = options;
    this.#worker = new Worker(QUEUE, null, {
      ...sharedOptions(pipeline, connection),
      name,
      autorun: false,
      lockDuration: leaseMs,
      stalledInterval: leaseMs / 3,
      maxStalledCount: WORKERS_LOST_MAX - 1,
      drainDelay: ASK_SECONDS,
    });
    this.#worker.on("error", (error) => ambient.logger.debug("queue connection", { reason: error.message }));
    this.#worker.on("stalled", (job) => ambient.logger.warn("a chunk's worker was lost", { job }));
  }

  async run(stop: AbortSignal): Promise<void> {
    const { concurrency, events, ambient } = this.#options;
    await abortable(stop, this.#worker.waitUntilReady(), () => undefined);
    await this.#worker.startStalledCheckTimer();
    events({ kind: "ready", staging: this.#staging.place });
    try {
      while (!stop.aborted) {
        while (this.#lanes.size >= concurrency) await this.#ended.wait(stop);
        await this.#rest(stop);
        await soonAfter(stop, this.#takeOne(), ambient.clock);
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
    await atMost(END_MS, Promise.all(this.#lanes), ambient.clock);
  }

  /** Before the next chunk, where the last ones failed here: others may do better. */
  async #rest(stop: AbortSignal): Promise<void> {
    if (this.#failures === 0) return;
    const restMs = Math.min(REST_MAX_MS, REST_MIN_MS * 2 ** (this.#failures - 1));
    await this.#options.ambient.clock.sleep(restMs, stop);
  }

  async #takeOne(): Promise<void> {
    const token = randomUUID();
    const job = await this.#nextJob(token);
    if (job === null) return;
    const lane = this.#work(job, token).catch((error: unknown) => {
      this.#options.ambient.logger.warn("a chunk was left to others", { job: job.id, reason: String(error) });
    });
    this.#lanes.add(lane);
    void lane.then(() => {
      this.#lanes.delete(lane);
      this.#ended.notify();
    });
  }

  /** Null: there is none, or the server refuses to say: it is full, or a replica that waits to be promoted. */
  async #nextJob(token: string): Promise<Job | null> {
    const { clock, logger } = this.#options.ambient;
    try {
      const job = (await orReconnect(this.#worker, clock, this.#worker.getNextJob(token))) as Job | undefined;
      return job ?? null;
    } catch (error) {
      this.#failures++;
      logger.warn("the queue of chunks cannot be used", { reason: String(error) });
      return null;
    }
  }

  async #work(job: Job, token: string): Promise<void> {
    // Workers that took it were lost, one after the other.
    if (job.deferredFailure !== undefined) {
      await job.moveToFailed(new Error(job.deferredFailure), token, false);
      return;
    }
    let request: ChunkRequest;
    try {
      ({ request } = parseJob(job.data));
    } catch (error) {
      await this.#report(job, token, asMillraceError(error));
      return;
    }
    const chunk = jobId(request.grant);
    const table = request.schema.id;
    const { events, ambient, leaseMs } = this.#options;
    const beganMs = ambient.clock.monotonicMs();
    ambient.logger.debug("a chunk is begun", { job: chunk, table });
    await using lease = new Lease(job, token, leaseMs, this.#worker, ambient);
    const signal = AbortSignal.any([lease.lost, this.#abort.signal]);
    let report: ChunkReport;
    try {
      report = await this.#read(request, signal);
      this.#failures = 0;
    } catch (error) {
      const failure = asMillraceError(error);
      if (lease.lost.aborted) return events({ kind: "late", chunk, table });
      this.#failures++;
      events({ kind: "failed", chunk, table, error: failure });
      await this.#report(job, token, failure);
      return;
    }
    const refusal = await this.#complete(job, token, report, signal);
    if (refusal === null) {
      const tookMs = ambient.clock.monotonicMs() - beganMs;
      return events({ kind: "read", chunk, table, rows: report.outcome.rows, tookMs });
    }
    ambient.logger.warn("a chunk's result came too late", { job: chunk, table, reason: refusal.message });
    events({ kind: "late", chunk, table });
    await this.#staging.remove(report.objects, this.#abort.signal);
  }

  /** Null, or why the queue refuses the result: the token of this lease is not the one that the chunk has. */
  async #complete(job: Job, token: string, report: ChunkReport, signal: AbortSignal): Promise<Error | null> {
    const { clock, logger } = this.#options.ambient;
    for (;;) {
      try {
        await job.moveToCompleted(report, token, false);
        return null;
      } catch (error) {
        if (isRefusal(error)) return (await this.#isReported(job, report)) ? null : error;
        logger.warn("the queue of chunks cannot be used", { reason: String(error) });
        await clock.sleep(REST_MIN_MS, signal);
      }
    }
  }

  /** Whether the job has this very result: it was sent twice then, since the first answer was lost with its connection. */
  async #isReported(job: Job, report: ChunkReport): Promise<boolean> {
    const found = job.id === undefined ? undefined : await Job.fromId<unknown, unknown>(this.#worker, job.id);
    return JSON.stringify(found?.returnvalue) === JSON.stringify(report);
  }

  async #report(job: Job, token: string, failure: MillraceError): Promise<void> {
    await job.moveToFailed(new Error(JSON.stringify(sentError(failure))), token, false);
  }

  async #read(request: ChunkRequest, signal: AbortSignal): Promise<ChunkReport> {
    const { openReader, pool, ambient } = this.#options;
    await this.#staging.checkClaim(request.grant.token, signal);
    const reader = this.#free.pop() ?? openReader();
    try {
      return await stageChunk(reader, request, { staging: this.#staging, pool, ambient }, signal);
    } finally {
      this.#free.push(reader);
    }
  }

  async close(): Promise<void> {
    this.#abort.abort(new MillraceError("INTERNAL", "the worker ends"));
    await atMost(CLOSE_MS, Promise.all(this.#lanes), this.#options.ambient.clock);
    await this.#worker.close(true);
    await Promise.all(this.#free.map((reader) => reader[Symbol.asyncDispose]()));
  }
}

/** Of the queue's own scripts, which number what they refuse; and not of a server that is full. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && "code" in error && typeof error.code === "number";
}

/** Waits for `work`, and when it is to stop no longer than that is still worth it. */
async function soonAfter(stop: AbortSignal, work: Promise<void>, clock: Clock): Promise<void> {
  const done = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    stop.addEventListener("abort", () => resolve(), { once: true, signal: done.signal });
  });
  const late = stopped.then(() => clock.sleep(2 * ASK_SECONDS * 1000, done.signal)).catch(() => undefined);
  await Promise.race([work, late]);
  done.abort();
}

async function atMost(ms: number, work: Promise<unknown>, clock: Clock): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, clock.sleep(ms, done.signal).catch(() => undefined)]);
  done.abort();
}
