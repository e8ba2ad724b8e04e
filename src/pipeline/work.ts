import { hostname } from "node:os";
import type { Ambient } from "../core/ambient.ts";
import { BufferPool } from "../core/buffer-pool.ts";
import type { ErrorCode } from "../core/error-codes.ts";
import { asMillraceError, MillraceError } from "../core/errors.ts";
import type { WorkersStatus } from "../snapshot/bullmq/queue-status.ts";
import type { WorkerEvent } from "../snapshot/bullmq/worker.ts";
import { chunkWorkerData } from "./catalog.ts";
import { chunkReaders } from "./chunk-readers.ts";
import { sourceStatus, storedRecord } from "./compose.ts";
import { chunkQueueConnection } from "./redis-url.ts";
import { storeLocation } from "./s3-keys.ts";
import type { PipelineSpec } from "./spec.ts";

export interface WorkRequest {
  /** Chunks that are read at a time. */
  readonly concurrency: number;
  readonly leaseMs: number;
  readonly events: (event: WorkerEvent) => void;
  readonly ambient: Ambient;
  readonly stop: AbortSignal;
}

/** The batches of a chunk, for each that is read at a time. */
const POOL_BYTES_MAX = 8 << 20;

/**
 * Reads chunks for a run of the pipeline, on this machine or another, until it is told to stop. The third composition root. A worker
 * that cannot reach the queue, the source or the staging area refuses to begin: it would take chunks and fail them.
 */
export async function workPipeline(spec: PipelineSpec, request: WorkRequest): Promise<void> {
  const { executor, name } = spec;
  const { ambient, stop, concurrency, leaseMs, events } = request;
  if (executor.kind === "local")
    throw new MillraceError("USAGE", "the pipeline has no use for workers: its run reads the chunks itself", {
      hint: "Set `snapshot.executor: bullmq` in the section `pipeline`, for the run and for its workers.",
    });
  await storedRecord(spec, ambient, stop);
  await sourceStatus(spec, ambient, stop);
  const pool = new BufferPool(POOL_BYTES_MAX * concurrency);
  const openReader = await chunkReaders(chunkWorkerData(spec));
  const { workChunks } = await import("../snapshot/bullmq/worker.ts");
  const options = {
    pipeline: name,
    connection: chunkQueueConnection(executor),
    staging: storeLocation(executor.staging),
    name: `${hostname().replaceAll(/[^\w.-]/g, "_")}-${ambient.pid}`,
    concurrency,
    openReader: () => openReader(pool),
    pool,
    leaseMs,
    events,
    ambient,
  };
  await workChunks(options, stop);
}

export type WorkersReport =
  | ({ readonly kind: "reachable" } & WorkersStatus)
  | { readonly kind: "unreachable"; readonly code: ErrorCode; readonly message: string };

const ASK_MS = 5_000;

/** What `status` says of the pipeline's workers. Null: it has no use for any. */
export async function workersReport(spec: PipelineSpec, signal: AbortSignal): Promise<WorkersReport | null> {
  const { executor, name } = spec;
  if (executor.kind === "local") return null;
  const { workersStatus } = await import("../snapshot/bullmq/queue-status.ts");
  const late = AbortSignal.timeout(ASK_MS);
  try {
    const status = await workersStatus(name, chunkQueueConnection(executor), AbortSignal.any([signal, late]));
    return { kind: "reachable", ...status };
  } catch (error) {
    if (late.aborted)
      return { kind: "unreachable", code: "CHECKPOINT_UNREACHABLE", message: "the queue does not answer" };
    const { code, message } = asMillraceError(error);
    return { kind: "unreachable", code, message };
  }
}
