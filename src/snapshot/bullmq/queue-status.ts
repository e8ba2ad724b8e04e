import { type Job, Queue } from "bullmq";
import type { ChunkRequest } from "../../core/chunk.ts";
import { abortable } from "../../flow/abortable.ts";
import { QUEUE } from "./chunk-job.ts";
import { holdOf } from "./hold.ts";
import { type QueueConnection, sharedOptions } from "./queue-options.ts";

/** A chunk that a worker holds. */
export interface ChunkLease {
  /** The run's token, the chunk's number and the attempt. */
  readonly chunk: string;
  readonly table: string;
  /** Null: an unknown one. */
  readonly worker: string | null;
  readonly sinceMs: number;
  /** Of the run's attempts at its table, from 1 on. */
  readonly attempt: number;
  /** It stands still, or is cut off; another one may take the chunk. */
  readonly silent: boolean;
  /** That had it before, under this attempt, and were lost. */
  readonly workersLost: number;
}

/** What is known of a pipeline's workers, whether a run goes on or not. */
export interface WorkersStatus {
  /** By name: host and process. */
  readonly workers: readonly string[];
  readonly leases: readonly ChunkLease[];
  /** Chunks that no worker has taken yet. */
  readonly waiting: number;
}

/** Asks the queue, and changes nothing in it. */
export async function workersStatus(
  pipeline: string,
  connection: QueueConnection,
  signal: AbortSignal,
): Promise<WorkersStatus> {
  const queue = new Queue(QUEUE, { ...sharedOptions(pipeline, connection), skipMetasUpdate: true });
  // Whatever it says, the commands below wait for it or fail.
  queue.on("error", () => undefined);
  try {
    const asked = Promise.all([queue.getWorkers(), queue.getActive(), queue.getWaitingCount()]);
    const [workers, active, waiting] = await abortable(signal, asked, () => undefined);
    const leases = await abortable(signal, Promise.all(active.map((job) => leaseOf(queue, job))), () => undefined);
    return {
      workers: workers.map(({ rawname }) => nameOf(rawname)).toSorted(),
      leases: leases.flatMap((lease) => lease ?? []).toSorted((a, b) => a.sinceMs - b.sinceMs),
      waiting,
    };
  } finally {
    await queue.getBackend().close(true);
  }
}

/** Of a worker's connection: the queue's name, `:w:`, and the worker's. */
function nameOf(connection: string | undefined): string {
  return connection?.split(":w:")[1] ?? "unknown";
}

/** Null: it has ended meanwhile. */
async function leaseOf(queue: Queue, job: Job): Promise<ChunkLease | null> {
  const hold = job.id === undefined ? "none" : await holdOf(queue, job.id);
  if (hold === "none") return null;
  const request = (job.data as { readonly request?: ChunkRequest }).request;
  return {
    chunk: job.id ?? "",
    table: request?.schema.id ?? "",
    worker: job.processedBy ?? null,
    sinceMs: job.processedOn ?? job.timestamp,
    attempt: request?.grant.attempt ?? 1,
    silent: hold === "silent",
    workersLost: job.stalledCounter,
  };
}
