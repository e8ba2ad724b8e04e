import { Queue, QueueEvents } from "bullmq";
import type { Ambient, Clock } from "../../core/ambient.ts";
import type { ChunkGrant, ChunkRequest } from "../../core/chunk.ts";
import { MillraceError } from "../../core/errors.ts";
import { abortable } from "../../flow/abortable.ts";
import { chunkJob, JOB, jobId, QUEUE } from "./chunk-job.ts";
import { type JobEnd, JobWatch, type Standstill } from "./job-watch.ts";
import { orReconnect } from "./or-reconnect.ts";
import { type QueueConnection, sharedOptions } from "./queue-options.ts";

export interface ChunkQueueOptions {
  readonly pipeline: string;
  readonly connection: QueueConnection;
  /** Chunks that workers read at a time, all of them together. */
  readonly readsMax: number;
  readonly ambient: Ambient;
  /** Ends the opening. */
  readonly signal: AbortSignal;
  readonly standstill: (why: Standstill) => void;
  readonly unawaited: (id: string) => void;
}

/** Each has a result in it, with a schema; and one that is missed costs a moment. */
const EVENTS_MAX = 200;

/** The run's side of a pipeline's queue: adds jobs, and waits for what becomes of them. */
export class ChunkQueue implements AsyncDisposable {
  readonly #queue: Queue;
  readonly #events: QueueEvents;
  readonly #watch: JobWatch;
  readonly #clock: Clock;

  private constructor(queue: Queue, events: QueueEvents, watch: JobWatch, clock: Clock) {
    this.#clock = clock;
    this.#queue = queue;
    this.#events = events;
    this.#watch = watch;
  }

  /** Discards what an earlier run has left in it, held by workers or not: a run plans by its checkpoint alone. */
  static async open(options: ChunkQueueOptions): Promise<ChunkQueue> {
    const { ambient, standstill, unawaited } = options;
    const shared = sharedOptions(options.pipeline, options.connection);
    const queue = new Queue(QUEUE, { ...shared, skipMetasUpdate: true });
    const troubled = (error: Error): void => ambient.logger.debug("queue connection", { reason: error.message });
    queue.on("error", troubled);
    const discard = async (): Promise<void> => {
      await queue.obliterate({ force: true });
      await queue.getBackend().setQueueMeta({ concurrency: options.readsMax, "opts.maxLenEvents": EVENTS_MAX });
    };
    try {
      await abortable(options.signal, discard(), () => undefined);
    } catch (error) {
      await queue.getBackend().close(true);
      throw queueFailure(error);
    }
    const events = new QueueEvents(QUEUE, shared);
    events.on("error", troubled);
    return new ChunkQueue(
      queue,
      events,
      new JobWatch({ queue, events, standstill, unawaited, ambient }),
      ambient.clock,
    );
  }

  /** Has the chunk read. Rejects with the signal's reason; whatever a worker still makes of it is then unawaited. */
  async run(request: ChunkRequest, signal: AbortSignal): Promise<JobEnd> {
    const id = jobId(request.grant);
    const adding = async (): Promise<void> => {
      // Who may try again is for the run to say, by another grant.
      const added = this.#queue.add(JOB, chunkJob(request), { jobId: id, attempts: 1, stackTraceLimit: 0 });
      try {
        await abortable(signal, orReconnect(this.#queue, this.#clock, added), () => undefined);
      } catch (error) {
        throw signal.aborted ? error : queueFailure(error);
      }
    };
    return await this.#watch.end(id, adding, signal);
  }

  /** Whether it was there. False too while a worker has it. */
  async remove(id: string): Promise<boolean> {
    return (await this.#queue.remove(id)) === 1;
  }

  /** The grant of a job that is there; null: there is none. */
  async grantOf(id: string): Promise<ChunkGrant | null> {
    const job = await this.#queue.getJob(id);
    return (job?.data as { readonly request?: ChunkRequest } | undefined)?.request?.grant ?? null;
  }

  /** Does not wait for a server that is away. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch[Symbol.asyncDispose]();
    // It says that nobody listens any more; its connection is cut below, wherever that one is.
    this.#events.close().catch(() => undefined);
    await Promise.all([this.#events.getBackend().close(true), this.#queue.getBackend().close(true)]);
  }
}

/** What the server answers that is no outage, over which the connection waits: no memory, a user without a right. */
function queueFailure(error: unknown): Error {
  if (error instanceof MillraceError) return error;
  return new MillraceError("CHUNK_WORKER_LOST", `the queue of chunks cannot be used: ${String(error)}`, {
    cause: error,
  });
}

/** Empties a queue for good. Workers that have something of it can report nothing. */
export async function discardQueue(pipeline: string, connection: QueueConnection, signal: AbortSignal): Promise<void> {
  const queue = new Queue(QUEUE, { ...sharedOptions(pipeline, connection), skipMetasUpdate: true });
  queue.on("error", () => undefined);
  try {
    await abortable(signal, queue.obliterate({ force: true }), () => undefined);
  } finally {
    await queue.getBackend().close(true);
  }
}
