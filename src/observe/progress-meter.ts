import type { PipelineFacts, PipelineState } from "../core/pipeline-state.ts";
import { Rate } from "./rate.ts";

const HALF_LIFE_MS = 3000;

/** What needs time to be known: how fast it goes, and how long it will take. */
export interface Pace {
  /** Snapshot rows per second, per table. */
  readonly rowsPerSecond: ReadonlyMap<string, number>;
  /** Changes per second over all tables. */
  readonly changesPerSecond: number;
  /** Until each table's snapshot is done; missing where nobody can tell. */
  readonly etaMs: ReadonlyMap<string, number>;
}

/** Follows a run's states and tells its pace. Pure but for what it remembers; time comes with each state. */
export class ProgressMeter {
  readonly #rows = new Map<string, Rate>();
  readonly #changes = new Rate(HALF_LIFE_MS);

  observe(state: PipelineState, nowMs: number): Pace {
    const { tables } = state.facts;
    const rowsPerSecond = new Map<string, number>();
    const etaMs = new Map<string, number>();
    for (const [id, table] of tables) {
      const rate = this.#rows.get(id) ?? new Rate(HALF_LIFE_MS);
      this.#rows.set(id, rate);
      rate.observe(table.rowsDone, nowMs);
      rowsPerSecond.set(id, rate.perSecond);
      const left = (table.rowsEstimate ?? 0) - table.rowsDone;
      if (table.life.kind === "snapshotting" && left > 0 && rate.perSecond >= 1)
        etaMs.set(id, (left / rate.perSecond) * 1000);
    }
    this.#changes.observe(changesOf(state.facts), nowMs);
    return { rowsPerSecond, changesPerSecond: this.#changes.perSecond, etaMs };
  }
}

/** Rows that the log delivered, over all tables. */
export function changesOf(facts: PipelineFacts): number {
  let sum = 0;
  for (const [, { changes }] of facts.tables) sum += changes;
  return sum;
}
