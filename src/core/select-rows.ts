import { batchBytes, type ChangeBatch, type Run } from "./change-batch.ts";
import type { Column } from "./column.ts";
import { gather } from "./gather.ts";

/** The batch with only these rows of it (ascending), copied; the batch itself where that is all of them. */
export function selectRows(batch: ChangeBatch, rows: Uint32Array): ChangeBatch {
  if (rows.length === batch.length) return batch;
  const pick = { from: null, rows };
  const selected = (column: Column): Column => gather(column.type, [column], pick);
  const columns = batch.columns.map(selected);
  const before = batch.before?.map(selected) ?? null;
  const ops = batch.ops === null ? null : Uint8Array.from(rows, (row) => batch.ops![row]!);
  return {
    schema: batch.schema,
    origin: batch.origin,
    length: rows.length,
    columns,
    before,
    ops,
    runs: selectRuns(batch.runs, rows),
    bytes: batchBytes(columns, ops, before),
  };
}

/** The runs that still have rows, at their new places. */
export function selectRuns(runs: readonly Run[], rows: Uint32Array): readonly Run[] {
  const selected: Run[] = [];
  let at = 0;
  for (const [i, run] of runs.entries()) {
    const end = runs[i + 1]?.firstRow ?? Infinity;
    const firstRow = at;
    while (at < rows.length && rows[at]! < end) at++;
    if (at > firstRow) selected.push({ firstRow, transaction: run.transaction });
  }
  return selected;
}

/** The rows whose run is kept: what is left of a batch when whole transactions go. Null where all are. */
export function rowsOfRuns(batch: ChangeBatch, keep: (run: Run) => boolean): Uint32Array | null {
  const rows = new Uint32Array(batch.length);
  let length = 0;
  for (const [i, run] of batch.runs.entries()) {
    if (!keep(run)) continue;
    const end = batch.runs[i + 1]?.firstRow ?? batch.length;
    for (let row = run.firstRow; row < end; row++) rows[length++] = row;
  }
  return length === batch.length ? null : rows.subarray(0, length);
}
