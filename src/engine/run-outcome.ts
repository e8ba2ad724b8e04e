import type { StoppedTable } from "./stopped-tables.ts";

/**
 * How a run ended that did not fail. `snapshot-done`: that was all it was to do (`scan.startup.mode: snapshot`). Tables
 * that have stopped are named: `caught-up` and `snapshot-done` say nothing about them.
 */
export interface RunOutcome {
  readonly kind: "stopped" | "caught-up" | "snapshot-done";
  readonly stoppedTables: readonly StoppedTable[];
}
