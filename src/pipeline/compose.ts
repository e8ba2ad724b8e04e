import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Ambient } from "../core/ambient.ts";
import { MillraceError } from "../core/errors.ts";
import type { CommittedRecord, PositionPart } from "../core/record.ts";
import type { Inspection, SourceStatus, TableSize } from "../core/source.ts";
import type { TableId } from "../core/table-schema.ts";
import type { Pipeline, RunRequest } from "../engine/parts.ts";
import type { RunOutcome } from "../engine/run-outcome.ts";
import { withSinkRefusals } from "../engine/sink-refusals.ts";
import { run } from "../engine/supervise.ts";
import { type ChunkExecutor, createLocalExecutor } from "../snapshot/executor.ts";
import { chunkWorkerData, openSink, openSource, openStore, sinkTraits, valueRules } from "./catalog.ts";
import { chunkLanes, engineSettings } from "./engine-settings.ts";
import { chunkQueueConnection } from "./redis-url.ts";
import { storeLocation } from "./s3-keys.ts";
import type { PipelineSpec } from "./spec.ts";

/** What `millrace plan` shows: nothing was written for it. */
export interface PipelinePlan {
  readonly inspection: Inspection;
  readonly sizes: ReadonlyMap<TableId, TableSize>;
  /** Source table → its name in the sink. */
  readonly targets: ReadonlyMap<TableId, string>;
  readonly guarantee: string;
  /** About how many rows a chunk has. */
  readonly chunkRows: number;
}

/** Runs a pipeline in this process until it ends. The composition root: nothing else knows all the rooms. */
export async function runPipeline(spec: PipelineSpec, request: RunRequest): Promise<RunOutcome> {
  return await run(composePipeline(spec, request), request);
}

function composePipeline(spec: PipelineSpec, { ambient, events }: RunRequest): Pipeline {
  const traits = sinkTraits(spec);
  const rules = valueRules(spec);
  return {
    name: spec.name,
    settings: engineSettings(spec, traits.kind),
    startup: spec.source.startup,
    sinkRemembers: traits.remembers,
    spillFolder: join(spec.folder, "spill"),
    terms: ({ schema, object }) => ({ schema, object, target: traits.targetName(schema), ...rules }),
    problem: traits.problem,
    connect: async () => ({
      source: await openSource(spec, ambient),
      sink: await openSink(spec, ambient),
      store: await openStore(spec, ambient),
      executor: await openExecutor(spec, ambient, (on) => events({ kind: "waiting", on })),
    }),
  };
}

/** As for a source, the code of the one that is not for everybody is loaded here. */
async function openExecutor(
  spec: PipelineSpec,
  ambient: Ambient,
  waiting: (on: string | null) => void,
): Promise<ChunkExecutor> {
  const { executor, name, parallelism, file } = spec;
  const local = createLocalExecutor({
    workerUrl: new URL("./chunk-worker.js", import.meta.url),
    workerData: chunkWorkerData(spec),
    threads: chunkThreads(spec),
    readsMax: parallelism,
    ambient,
  });
  if (executor.kind === "local") return local;
  const { createQueueExecutor } = await import("../snapshot/bullmq/executor.ts");
  return createQueueExecutor({
    pipeline: name,
    connection: chunkQueueConnection(executor),
    staging: storeLocation(executor.staging),
    readsMax: parallelism,
    chunksMax: chunkLanes(spec),
    local,
    waiting,
    workerCommand: `millrace worker ${file}`,
    ambient,
  });
}

/**
 * Threads decode what the connections bring, and leave one core to the thread that writes to the sink. One keeps up with
 * two connections and more: what takes a chunk's time is the source.
 */
function chunkThreads({ parallelism }: PipelineSpec): number {
  return Math.min(parallelism, Math.max(1, availableParallelism() - 1));
}

/** What source and sink say to the pipeline: the tables, how each would be read, and what cannot be right. Writes nothing. */
export async function inspectPipeline(
  spec: PipelineSpec,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<PipelinePlan> {
  const traits = sinkTraits(spec);
  await using source = await openSource(spec, ambient);
  const inspection = withSinkRefusals(await source.inspect(signal), traits.problem);
  const targets = new Map(inspection.offers.map(({ schema }) => [schema.id, traits.targetName(schema)]));
  const sizes = await source.sizes(inspection.offers, signal);
  return { inspection, sizes, targets, guarantee: traits.guarantee, chunkRows: spec.source.chunkRows };
}

/** What the source keeps for the pipeline. */
export async function sourceStatus(spec: PipelineSpec, ambient: Ambient, signal: AbortSignal): Promise<SourceStatus> {
  await using source = await openSource(spec, ambient);
  return await source.status(signal);
}

/** The newest record in the checkpoint store, read beside a running pipeline. Null: there is none. */
export async function storedRecord(
  spec: PipelineSpec,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<CommittedRecord | null> {
  await using store = await openStore(spec, ambient);
  return (await store.read(signal))?.newest ?? null;
}

/**
 * A record's position in the words of its source, for people: `0/16B3748`; one of another kind of source, which the file
 * named before, as it is kept. Null: it has none yet.
 */
export async function recordedPosition(
  spec: PipelineSpec,
  record: CommittedRecord | null,
  ambient: Ambient,
): Promise<string | null> {
  const part = record?.parts.get("position") as PositionPart | undefined;
  if (part === undefined) return null;
  await using source = await openSource(spec, ambient);
  try {
    return source.parsePosition(part.position).toString();
  } catch (error) {
    if (error instanceof MillraceError) return JSON.stringify(part.position);
    throw error;
  }
}

/** Takes away what the pipeline made on the source, and its checkpoint. What was delivered stays in the sink. */
export async function dropPipeline(
  spec: PipelineSpec,
  said: (what: string) => void,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<void> {
  // First, since a pipeline that still runs is found out by it. A sink that kept the record would not let it begin anew.
  const sink = await openSink(spec, ambient);
  await sink.forget(spec.name, signal);
  await using source = await openSource(spec, ambient);
  await source.drop(said, signal);
  if (spec.executor.kind === "bullmq") {
    const { discardChunks } = await import("../snapshot/bullmq/discard.ts");
    const { executor, name } = spec;
    await discardChunks(name, chunkQueueConnection(executor), storeLocation(executor.staging), ambient.clock, signal);
    said("emptied the queue of chunks, and what workers had staged");
  }
  await using store = await openStore(spec, ambient);
  await store.remove(signal);
  said(`removed the checkpoint in ${store.place}`);
}
