import { Op } from "../../src/core/change-batch.ts";
import type { LogItem, RowsItem } from "../../src/core/line.ts";
import { cellTexts } from "./mysql-binlog.ts";

type Cells = readonly (string | null)[];

/** One row of the log, as texts; `absent` for a cell that is not known. `before` is null where its batch has none. */
interface LoggedRow {
  readonly op: string;
  readonly key: string;
  readonly cells: Cells;
  readonly before: Cells | null;
}

const OPS = Object.keys(Op);

function rowsOf({ batch }: RowsItem): LoggedRow[] {
  const columns = batch.columns.map(cellTexts);
  const before = batch.before?.map(cellTexts) ?? null;
  const { id, key } = batch.schema;
  return Array.from(batch.ops!, (op, row) => {
    const cells = columns.map((column) => column[row]!);
    return {
      op: OPS[op]!,
      key: [id, ...key.map((i) => cells[i])].join(),
      cells,
      before: before?.map((column) => column[row]!) ?? null,
    };
  });
}

function loggedRows(items: readonly LogItem[]): LoggedRow[] {
  return items.flatMap((item) => (item.kind === "rows" ? rowsOf(item) : []));
}

/** Each row as it was: `update 1,a`; `insert -` where all of it is absent, `insert` where its batch has nothing of the kind. */
export function beforeTexts(items: readonly LogItem[]): string[] {
  return loggedRows(items).map(({ op, before }) => {
    if (before === null) return op;
    return `${op} ${before.every((cell) => cell === "absent") ? "-" : before.map((cell) => cell ?? "null").join(",")}`;
  });
}

/**
 * How many cells before changes could be held against what an earlier change has left there, of tables with a key; and
 * those, if any, that are something else.
 */
export function checkedAgainstEarlier(items: readonly LogItem[]): { checked: number; wrong: string[] } {
  const rows = new Map<string, Cells>();
  const wrong: string[] = [];
  let checked = 0;
  for (const { op, key, cells, before } of loggedRows(items)) {
    const was = rows.get(key) ?? [];
    for (const [i, cell] of (before ?? []).entries()) {
      if (cell === "absent" || was[i] === undefined || was[i] === "absent") continue;
      checked++;
      if (was[i] !== cell) wrong.push(`${op} ${key}: column ${i}`);
    }
    if (op === "delete") rows.delete(key);
    else
      rows.set(key, op === "update" ? cells.map((cell, i) => (cell === "absent" && i in was ? was[i]! : cell)) : cells);
  }
  return { checked, wrong };
}
