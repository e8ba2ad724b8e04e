import type { EngineSettings } from "../engine/parts.ts";
import type { SinkTraits } from "../core/sink.ts";
import type { PipelineSpec } from "./spec.ts";

const MIB = 1024 * 1024;

/** Changes of an epoch: to bring many into a table at once takes memory; to keep them does not. */
const ROWS_MAX = { table: 100_000, log: 1_000_000_000 } as const;

/**
 * Chunks that are under way at a time. Over a queue twice as many as are read: one is ready for each worker while the rows of
 * another are taken over.
 */
export function chunkLanes({ executor, parallelism }: PipelineSpec): number {
  return executor.kind === "local" ? parallelism : 2 * parallelism;
}

/**
 * The engine's bounds, from the pipeline file and from one budget: 512 MB for the process, of which DuckDB has 144 MiB by
 * default, or row groups and their encoder about 200, and Node.js, with a worker thread for chunks, about 130.
 */
export function engineSettings(spec: PipelineSpec, sink: SinkTraits["kind"]): EngineSettings {
  const chunkBytesMax = 8 * MIB;
  const checkpointRowsMax = spec.checkpointRowsMax ?? ROWS_MAX[sink];
  return {
    checkpointIntervalMs: spec.checkpointIntervalMs,
    checkpointRowsMax,
    checkpointBytesMax: 32 * MIB,
    // An epoch ends where the reader has flushed: a tenth keeps the interval to within a tenth.
    flushIntervalMs: Math.min(100, Math.max(5, spec.checkpointIntervalMs / 10)),
    flushRows: Math.max(1, Math.floor(checkpointRowsMax / 20)),
    batchBytesMax: 2 * MIB,
    lanes: chunkLanes(spec),
    chunkRows: spec.source.chunkRows,
    chunkBytesMax,
    waitingBytesMax: 2 * chunkBytesMax,
    windowBytesMax: 16 * MIB,
    unsettledBytesMax: 16 * MIB,
    heldBytesMax: 16 * MIB,
    completeTimeoutMs: spec.source.completeTimeoutMs,
    stopTimeoutMs: 5000,
    attemptsMax: spec.source.connectRetriesMax + 1,
    retryPauseMs: 1000,
  };
}
