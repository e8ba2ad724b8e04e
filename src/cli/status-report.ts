import type { ErrorCode } from "../core/error-codes.ts";
import { lagMs, type PipelineState, type TableLife } from "../core/pipeline-state.ts";
import type { CommittedRecord, TablePart } from "../core/record.ts";
import type { SourceStatus } from "../core/source.ts";
import type { SinkStatus } from "../pipeline/sink-status.ts";
import type { WorkersReport } from "../pipeline/work.ts";
import type { StatusDocument } from "../observe/status-file.ts";

/**
 * What `status` knows of the process that runs, or ran, the pipeline. `silent`: its process is there but has written
 * nothing for long, so it hangs, or another program has its number now. `gone`: it ended without a last word.
 */
export type RunReport =
  | { readonly kind: "never" }
  | {
      readonly kind: "running" | "silent" | "gone" | "ended";
      readonly pid: number;
      readonly updatedAtMs: number;
      readonly state: PipelineState;
    };

export interface TableReport {
  readonly table: string;
  readonly life: TableLife;
  readonly incarnation: number;
  readonly rowsDone: number;
  /** Null: not known, as for a pipeline that does not run. */
  readonly rowsEstimate: number | null;
  readonly chunksDone: number | null;
  readonly chunksEstimate: number | null;
  readonly chunksInFlight: number | null;
  /** Rows that the log delivered in the last run. */
  readonly changes: number | null;
}

export type SourceReport =
  | { readonly kind: "reachable"; readonly status: SourceStatus }
  | { readonly kind: "unreachable"; readonly code: ErrorCode; readonly message: string };

/** All that `status` shows, and exactly what `status --json` prints; docs/operating.md describes it. */
export interface StatusReport {
  readonly version: 1;
  readonly pipeline: string;
  readonly run: RunReport;
  /** Of the checkpoint store: null where nothing was ever committed, or the store cannot be read (`checkpointProblem`). */
  readonly committed: { readonly epoch: number; readonly position: string | null } | null;
  readonly checkpointProblem: { readonly code: ErrorCode; readonly message: string } | null;
  readonly lagMs: number | null;
  readonly tables: readonly TableReport[];
  readonly source: SourceReport;
  readonly sink: SinkStatus;
  /** Null: the run reads the chunks itself. */
  readonly workers: WorkersReport | null;
}

export interface StatusInput {
  readonly pipeline: string;
  readonly document: StatusDocument | null;
  readonly isAlive: (pid: number) => boolean;
  readonly record: CommittedRecord | null;
  /** The record's, for people. */
  readonly position: string | null;
  readonly checkpointProblem: StatusReport["checkpointProblem"];
  readonly source: SourceReport;
  readonly sink: SinkStatus;
  readonly workers: WorkersReport | null;
  readonly nowMs: number;
}

/** A run writes its status every second. */
const SILENT_AFTER_MS = 15_000;

export function statusReport(input: StatusInput): StatusReport {
  const run = runReport(input);
  return {
    version: 1,
    pipeline: input.pipeline,
    run,
    committed: input.record === null ? null : { epoch: input.record.epoch, position: input.position },
    checkpointProblem: input.checkpointProblem,
    lagMs: run.kind === "running" ? lagMs(run.state.facts, input.nowMs) : null,
    tables: tableReports(run, input.record),
    source: input.source,
    sink: input.sink,
    workers: input.workers,
  };
}

function runReport({ document, isAlive, nowMs }: StatusInput): RunReport {
  if (document === null) return { kind: "never" };
  const { pid, updatedAtMs, state } = document;
  const ended = state.kind === "stopped" || state.kind === "failed";
  const lives = !ended && isAlive(pid);
  const kind = ended ? "ended" : !lives ? "gone" : nowMs - updatedAtMs > SILENT_AFTER_MS ? "silent" : "running";
  return { kind, pid, updatedAtMs, state };
}

const TABLE_PART = "table/";

/** A live run knows best; of one that is over, only what is in the record has lasted. */
function tableReports(run: RunReport, record: CommittedRecord | null): readonly TableReport[] {
  const reports = new Map<string, TableReport>();
  for (const [key, part] of record?.parts ?? [])
    if (key.startsWith(TABLE_PART))
      reports.set(key.slice(TABLE_PART.length), recordedTable(key, part as unknown as TablePart));
  if (run.kind !== "never") {
    const live = run.kind === "running" || run.kind === "silent";
    for (const [table, progress] of run.state.facts.tables) {
      const recorded = reports.get(table);
      if (live || recorded === undefined) reports.set(table, { table, ...progress });
      else reports.set(table, { ...recorded, rowsEstimate: progress.rowsEstimate, changes: progress.changes });
    }
  }
  return [...reports.values()].toSorted((a, b) => (a.table < b.table ? -1 : 1));
}

function recordedTable(key: string, { state, incarnation }: TablePart): TableReport {
  const rowsDone =
    state.kind === "streaming" ? state.rows : state.kind === "snapshotting" ? (state.progress?.rows ?? 0) : 0;
  const life: TableLife =
    state.kind === "stopped"
      ? { kind: "stopped", code: state.code, message: state.message, at: state.at }
      : { kind: state.kind };
  return {
    table: key.slice(TABLE_PART.length),
    life,
    incarnation,
    rowsDone,
    rowsEstimate: null,
    chunksDone: null,
    chunksEstimate: null,
    chunksInFlight: null,
    changes: null,
  };
}
