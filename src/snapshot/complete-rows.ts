import { batchBytes, Op, type ChangeBatch } from "../core/change-batch.ts";
import { isAbsent } from "../core/column.ts";
import { MillraceError } from "../core/errors.ts";
import type { Transaction } from "../core/position.ts";
import { gather } from "../core/gather.ts";
import { KeyRows, KeyTable } from "./key-table.ts";
import { selectRuns } from "../core/select-rows.ts";
import { columnsByName, endOfRun } from "./window.ts";

/**
 * What becomes of a row that is gone when it is asked for: its delete or its next move follows in the log. A sink that is a
 * table has no use for it; one that keeps every change takes it as an insert whose cells are not all known.
 */
export type GoneRows = "dropped" | "kept";

/** What *complete* has to do with a batch: nothing; take moved rows for the inserts they are; or fetch some of them. */
export type Completion =
  | { readonly kind: "none" }
  | { readonly kind: "whole" }
  | { readonly kind: "fetch"; readonly rows: Uint32Array; readonly transactions: readonly Transaction[] };

export function completionOf(batch: ChangeBatch): Completion {
  const { ops } = batch;
  if (ops === null || !ops.includes(Op.moved)) return { kind: "none" };
  const rows: number[] = [];
  for (let row = 0; row < batch.length; row++)
    if (ops[row] === Op.moved && batch.columns.some((column) => isAbsent(column, row))) rows.push(row);
  if (rows.length === 0) return { kind: "whole" };
  const transactions = batch.runs
    .filter((run, i) => rows.some((row) => row >= run.firstRow && row < endOfRun(batch, i)))
    .map((run) => run.transaction);
  return { kind: "fetch", rows: Uint32Array.from(rows), transactions };
}

/**
 * The batch with the absent cells of `rows` taken from the fetched rows of the same keys, and every moved row as the insert it
 * is. What the log has of a row stays, for the fetched one is of a later moment.
 */
export function completed(
  batch: ChangeBatch,
  rows: Uint32Array,
  fetched: ChangeBatch | null,
  gone: GoneRows,
): ChangeBatch {
  const from = new Uint32Array(batch.length);
  const at = Uint32Array.from({ length: batch.length }, (_, row) => row);
  const kept = new Uint8Array(batch.length).fill(1);
  if (rows.length > 0) {
    const places = placesOf(batch, rows, fetched);
    for (const [i, row] of rows.entries())
      if (places[i]! < 0) kept[row] = gone === "kept" ? 1 : 0;
      else {
        from[row] = 1;
        at[row] = places[i]!;
      }
  }
  const left = at.map((_, row) => row).filter((row) => kept[row] === 1);
  const others = fetched === null ? batch.columns : columnsByName(fetched, batch.schema);
  const columns = batch.columns.map((column, c) => {
    const other = others[c];
    if (other === undefined)
      throw new MillraceError("SCHEMA_CHANGED", `a column of ${batch.schema.id} is gone`, {
        place: { table: batch.schema.id },
      });
    const isFetched = (row: number): boolean => from[row] === 1 && isAbsent(column, row);
    return gather(column.type, [column, other], {
      from: left.map((row) => (isFetched(row) ? 1 : 0)),
      rows: left.map((row) => (isFetched(row) ? at[row]! : row)),
    });
  });
  const stays = { from: null, rows: Uint32Array.from(left) };
  const before = batch.before?.map((column) => gather(column.type, [column], stays)) ?? null;
  const ops = Uint8Array.from(left, (row) => (batch.ops![row] === Op.moved ? Op.insert : batch.ops![row]!));
  return {
    schema: batch.schema,
    origin: batch.origin,
    length: left.length,
    columns,
    before,
    ops,
    runs: selectRuns(batch.runs, left),
    bytes: batchBytes(columns, ops, before),
  };
}

/** Where among the fetched rows each row's key is; −1: nowhere. */
function placesOf(batch: ChangeBatch, rows: Uint32Array, fetched: ChangeBatch | null): Int32Array {
  const places = new Int32Array(rows.length).fill(-1);
  if (fetched === null) return places;
  const table = new KeyTable();
  const place: number[] = [];
  const fetchedKeys = new KeyRows(fetched.schema.key.map((index) => fetched.columns[index]!));
  for (let row = 0; row < fetched.length; row++) place[table.add(fetchedKeys, row)] = row;
  const keys = new KeyRows(batch.schema.key.map((index) => batch.columns[index]!));
  for (const [i, row] of rows.entries()) {
    const entry = table.find(keys, row);
    if (entry >= 0) places[i] = place[entry]!;
  }
  return places;
}

/** Every moved row without absent cells is simply an insert; no buffer is copied but the ops. */
export function movedAsInserts(batch: ChangeBatch): ChangeBatch {
  return { ...batch, ops: batch.ops!.map((op) => (op === Op.moved ? Op.insert : op)) };
}
