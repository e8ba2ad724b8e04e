import type { ErrorCode } from "./error-codes.ts";
import { assertNever } from "./errors.ts";
import type { PipelineEvent } from "./pipeline-event.ts";
import type { TableState } from "./record.ts";
import { TableMap } from "./table-map.ts";
import type { TableId } from "./table-schema.ts";

/** A table's life as people see it: `TableState` without what belongs to the record alone, key values above all (law 8). */
export type TableLife =
  | { readonly kind: "planned" | "snapshotting" | "streaming" }
  | { readonly kind: "stopped"; readonly code: ErrorCode; readonly message: string; readonly at: string };

export interface TableProgress {
  readonly life: TableLife;
  readonly incarnation: number;
  /** Rows of the snapshot that are in the line, those before a restart included. */
  readonly rowsDone: number;
  /** By the source's statistics; null: not planned yet. */
  readonly rowsEstimate: number | null;
  /** Of this run. */
  readonly chunksDone: number;
  readonly chunksEstimate: number | null;
  readonly chunksInFlight: number;
  /** Rows that the log delivered in this run. */
  readonly changes: number;
}

/** The last epoch that is in the sink. */
export interface CommittedEpoch {
  readonly epoch: number;
  readonly position: string;
  readonly commitTimeMs: number | null;
  readonly rows: number;
  readonly tookMs: number;
  readonly atMs: number;
}

/** What is known in every state of a run. Plain data, as which status.json and `status --json` hold it. */
export interface PipelineFacts {
  readonly startedAtMs: number;
  readonly tables: TableMap<TableProgress>;
  /** Chunks wait for this; null: for nothing. */
  readonly waitingOn: string | null;
  /** The log reader's own place; null: it has not begun. */
  readonly logPosition: string | null;
  readonly committed: CommittedEpoch | null;
  /** Since when the sink has not had all that the log reader has; null: it has. By the source's clock where it is known. */
  readonly behindSinceMs: number | null;
}

/**
 * A run's state (law 9): the one union that progress view, plain lines, status file and API render. `stopped` and
 * `failed` are final.
 */
export type PipelineState =
  | { readonly kind: "starting"; readonly step: string; readonly facts: PipelineFacts }
  | { readonly kind: "running"; readonly facts: PipelineFacts }
  | { readonly kind: "stopping"; readonly facts: PipelineFacts }
  | { readonly kind: "stopped"; readonly atMs: number; readonly facts: PipelineFacts }
  | {
      readonly kind: "failed";
      readonly atMs: number;
      readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint: string };
      readonly facts: PipelineFacts;
    };

export function initialState(nowMs: number): PipelineState {
  const facts: PipelineFacts = {
    startedAtMs: nowMs,
    tables: TableMap.of([]),
    waitingOn: null,
    logPosition: null,
    committed: null,
    behindSinceMs: null,
  };
  return { kind: "starting", step: "starting", facts };
}

/** The state after an event. Pure; `nowMs` is when it happened. Final states stay as they are. */
export function reduce(state: PipelineState, event: PipelineEvent, nowMs: number): PipelineState {
  if (state.kind === "stopped" || state.kind === "failed") return state;
  switch (event.kind) {
    case "starting":
      if (state.kind === "stopping") return state;
      return {
        kind: "starting",
        step: event.step,
        facts: state.kind === "running" ? anew(state.facts) : idle(state.facts),
      };
    case "running":
      return state.kind === "stopping" ? state : { kind: "running", facts: state.facts };
    case "stopping":
      return { kind: "stopping", facts: state.facts };
    case "stopped":
      return { kind: "stopped", atMs: nowMs, facts: atRest(state.facts) };
    case "failed": {
      const { code, message, hint } = event.error;
      return { kind: "failed", atMs: nowMs, error: { code, message, hint }, facts: atRest(state.facts) };
    }
    default:
      return { ...state, facts: reduceFacts(state.facts, event, nowMs) };
  }
}

/** How long ago the oldest change was made that is read and not yet in the sink; 0 where there is none. */
export function lagMs(facts: PipelineFacts, nowMs: number): number {
  return facts.behindSinceMs === null ? 0 : Math.max(0, nowMs - facts.behindSinceMs);
}

type FactEvent = Exclude<PipelineEvent, { readonly kind: "starting" | "running" | "stopping" | "stopped" | "failed" }>;

function reduceFacts(facts: PipelineFacts, event: FactEvent, nowMs: number): PipelineFacts {
  switch (event.kind) {
    case "notice":
      return facts;
    case "waiting":
      return { ...facts, waitingOn: event.on };
    case "log":
      return { ...facts, logPosition: event.position, behindSinceMs: behindAfterRead(facts, event.position, nowMs) };
    case "committed": {
      const { kind: _, ...epoch } = event;
      return { ...facts, committed: { ...epoch, atMs: nowMs }, behindSinceMs: behindAfterCommit(facts, event, nowMs) };
    }
    case "table":
    case "planned":
    case "chunk-started":
    case "chunk-ended":
    case "delivered": {
      const table = reduceTable(facts.tables.get(event.table) ?? NEW_TABLE, event);
      return { ...facts, tables: facts.tables.with(event.table, table) };
    }
    default:
      return assertNever(event);
  }
}

function behindAfterRead(facts: PipelineFacts, position: string, nowMs: number): number | null {
  if (facts.behindSinceMs !== null) return facts.behindSinceMs;
  return facts.committed?.position === position || facts.logPosition === position ? null : nowMs;
}

/**
 * The commit time says how old the sink's state is only where the epoch brought a transaction: on a source where nothing
 * happens the last one may be hours old, and the sink has it.
 */
function behindAfterCommit(
  facts: PipelineFacts,
  event: Extract<PipelineEvent, { readonly kind: "committed" }>,
  nowMs: number,
): number | null {
  if (facts.logPosition === null || facts.logPosition === event.position) return null;
  const fresh = event.commitTimeMs !== null && event.commitTimeMs !== (facts.committed?.commitTimeMs ?? null);
  return fresh ? event.commitTimeMs : (facts.behindSinceMs ?? nowMs);
}

const NEW_TABLE: TableProgress = {
  life: { kind: "planned" },
  incarnation: 0,
  rowsDone: 0,
  rowsEstimate: null,
  chunksDone: 0,
  chunksEstimate: null,
  chunksInFlight: 0,
  changes: 0,
};

type TableEvent = Extract<PipelineEvent, { readonly table: TableId }>;

function reduceTable(table: TableProgress, event: TableEvent): TableProgress {
  switch (event.kind) {
    case "table": {
      const same = table.incarnation === event.incarnation && table.life.kind === event.state.kind;
      const rowsDone = same ? table.rowsDone : (knownRows(event.state) ?? table.rowsDone);
      const begun = event.incarnation === table.incarnation ? table : { ...NEW_TABLE, changes: table.changes };
      return { ...begun, incarnation: event.incarnation, life: lifeOf(event.state), rowsDone };
    }
    case "planned":
      return { ...table, rowsEstimate: event.rowsEstimate, chunksEstimate: event.chunksEstimate };
    case "chunk-started":
      return { ...table, chunksInFlight: table.chunksInFlight + 1 };
    case "chunk-ended":
      return {
        ...table,
        chunksInFlight: Math.max(0, table.chunksInFlight - 1),
        chunksDone: table.chunksDone + (event.abandoned ? 0 : 1),
      };
    case "delivered":
      return event.origin === "snapshot"
        ? { ...table, rowsDone: table.rowsDone + event.rows }
        : { ...table, changes: table.changes + event.rows };
    default:
      return assertNever(event);
  }
}

/** Rows of the snapshot that a table's record speaks of; null: it does not. */
function knownRows(state: TableState): number | null {
  switch (state.kind) {
    case "planned":
      return 0;
    case "snapshotting":
      return state.progress?.rows ?? 0;
    case "streaming":
      return state.rows;
    case "stopped":
      return null;
    default:
      return assertNever(state);
  }
}

function lifeOf(state: TableState): TableLife {
  if (state.kind !== "stopped") return { kind: state.kind };
  return { kind: "stopped", code: state.code, message: state.message, at: state.at };
}

/** Another attempt of the same run goes back to the last committed epoch, and tells of every table again. */
function anew(facts: PipelineFacts): PipelineFacts {
  return idle({ ...facts, tables: facts.tables.map(({ changes }) => ({ ...NEW_TABLE, changes })) });
}

function idle(facts: PipelineFacts): PipelineFacts {
  return { ...facts, waitingOn: null };
}

/** When a run ends, no chunk is being read and nothing is waited for. */
function atRest(facts: PipelineFacts): PipelineFacts {
  return idle({ ...facts, tables: facts.tables.map((table) => ({ ...table, chunksInFlight: 0 })) });
}
