import type { Ambient } from "../core/ambient.ts";
import type { CheckpointStore } from "../core/checkpoint-store.ts";
import type { MillraceError } from "../core/errors.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { Sink } from "../core/sink.ts";
import type { Source, TableOffer } from "../core/source.ts";
import type { Startup } from "../core/startup.ts";
import type { TableId, TableSchema } from "../core/table-schema.ts";
import type { ChunkExecutor } from "../snapshot/executor.ts";
import type { TableTerms } from "./fingerprint.ts";

/** When a run ends by itself: at the source's position as it was when the snapshot was done, or never. */
export type Until = "caught-up" | null;

/** The connectors of one attempt. The engine closes each, in reverse, when the attempt ends. */
export interface Connectors {
  readonly source: Source;
  readonly sink: Sink;
  readonly store: CheckpointStore;
  readonly executor: ChunkExecutor;
}

/** All bounds and intervals of a run; none has a default here. */
export interface EngineSettings {
  readonly checkpointIntervalMs: number;
  /** An epoch has at most so many changes of the log, and more only where a single transaction has. */
  readonly checkpointRowsMax: number;
  /** And behind this many bytes that the sink has accepted. */
  readonly checkpointBytesMax: number;
  /** The log reader passes on what it has this often: a fraction of the checkpoint interval. */
  readonly flushIntervalMs: number;
  /** And behind this many changes: a fraction of `checkpointRowsMax`. */
  readonly flushRows: number;
  readonly batchBytesMax: number;
  /** Chunks under way at a time. */
  readonly lanes: number;
  readonly chunkRows: number;
  readonly chunkBytesMax: number;
  /** Chunks that were read and that the sink has not taken over: beyond this no further chunk starts. */
  readonly waitingBytesMax: number;
  readonly windowBytesMax: number;
  readonly unsettledBytesMax: number;
  /** Changes of a table without a key that wait in memory while it is read; beyond it they wait in a file. */
  readonly heldBytesMax: number;
  readonly completeTimeoutMs: number;
  /** How long a stop waits for the end of a transaction before it gives the open epoch up. */
  readonly stopTimeoutMs: number;
  /** Failed attempts in a row, none of them long or with rows committed, before a passing failure becomes the run's. */
  readonly attemptsMax: number;
  readonly retryPauseMs: number;
}

/** One pipeline, ready to run. */
export interface Pipeline {
  readonly name: string;
  readonly settings: EngineSettings;
  readonly startup: Startup;
  /** New connectors for an attempt; nothing is connected yet. */
  connect(this: void): Promise<Connectors>;
  /** False for a sink that keeps no record of its own: then the store is the truth. */
  readonly sinkRemembers: boolean;
  /** What the pipeline file and the source resolve to for a table; different terms at start are a changed pipeline. */
  terms(this: void, offer: TableOffer): TableTerms;
  /** `SinkTraits.problem`. */
  problem(this: void, schema: TableSchema): MillraceError | null;
  /** A folder of this pipeline's own for what is spilled to disk. */
  readonly spillFolder: string;
}

export interface RunRequest {
  readonly ambient: Ambient;
  readonly events: (event: PipelineEvent) => void;
  /** Aborted by the first signal: the epoch is finished, then the run ends as `stopped`. */
  readonly stop: AbortSignal;
  readonly until: Until;
  /** From a process that has the checkpoint and lives, too: it is fenced. */
  readonly takeOver: boolean;
  /** Tables to begin anew, by a new incarnation. */
  readonly resnapshot: readonly TableId[];
}

/** One attempt of a run. */
export interface AttemptRequest extends RunRequest {
  /** Of the attempt before; null: it is the first. */
  readonly tokenBefore: number | null;
  /** Told the attempt's own. */
  readonly recovered: (token: number) => void;
  /** `StoreOpening.takenOver`. */
  readonly takenOver: (error: MillraceError) => void;
}
