import type { PipelineState } from "../core/pipeline-state.ts";
import { changesOf } from "../observe/progress-meter.ts";
import { count, duration, plural } from "./quantity.ts";
import type { RunEnding } from "./run-view.ts";
import { printable } from "./text-width.ts";

/** The end of a run in a few lines: what it did, and which tables need somebody. */
export function runSummary(
  pipeline: string,
  ending: RunEnding,
  state: PipelineState,
  nowMs: number,
): readonly string[] {
  const { facts } = state;
  const tables = [...facts.tables];
  const rows = tables.reduce((sum, [, table]) => sum + table.rowsDone, 0);
  const done =
    tables.length === 0
      ? ""
      : `: ${plural(tables.length, "table")}, ${plural(rows, "snapshot row")}, ${plural(changesOf(facts), "change")}`;
  const lines = [`${pipeline} ${ending} after ${duration(nowMs - facts.startedAtMs)}${done}`];
  for (const [id, { life }] of tables)
    if (life.kind === "stopped") lines.push(printable(`table ${id} has stopped: ${life.code}: ${life.message}`));
  const { committed } = facts;
  if (committed !== null)
    lines.push(`epoch ${count(committed.epoch)} is in the sink, up to ${printable(committed.position)}`);
  return lines;
}
