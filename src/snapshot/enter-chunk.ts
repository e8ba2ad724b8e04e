import { snapshotBatch, Op, type ChangeBatch } from "../core/change-batch.ts";
import { bit, isAbsent, type Column } from "../core/column.ts";
import { assertNever } from "../core/errors.ts";
import type { Cut } from "../core/position.ts";
import { gather } from "../core/gather.ts";
import { KeyRows, KeyTable } from "./key-table.ts";
import { selectRows } from "../core/select-rows.ts";
import { columnsByName, endOfRun, type Note, type RowsNote } from "./window.ts";

/** A chunk's rows, all read, with what is known of the moment they are of. */
export interface ReadChunk {
  readonly cut: Cut;
  readonly batches: readonly ChangeBatch[];
}

export type EnterResult =
  | { readonly kind: "enters"; readonly batches: readonly ChangeBatch[] }
  /** A TRUNCATE or an alteration lies in the window that the cut does not surely include: it must be read again. */
  | { readonly kind: "void" };

/** One partial update of a touched key. */
interface Part {
  readonly note: RowsNote;
  readonly row: number;
}

/** What the log has done to a key since the chunk's cut: null where the line has the whole row (or knows that it is gone). */
type Touch = Part[] | null;

/**
 * Rule 4 of the merge (design §5): *what the log has touched, the log delivers*. `window` holds every change of the table
 * from the chunk's registration up to its bound, in log order, and before it those that were not settled then.
 */
export function enterChunk(window: readonly Note[], chunk: ReadChunk): EnterResult {
  const touched = new KeyTable();
  const touches: Touch[] = [];
  for (const note of window) {
    switch (note.kind) {
      case "barrier":
        if (!chunk.cut.surelyIncludes(note.transaction)) return { kind: "void" };
        break;
      case "rows":
        touch(note, chunk.cut, touched, touches);
        break;
      default:
        assertNever(note);
    }
  }
  if (touched.size === 0) return { kind: "enters", batches: chunk.batches };
  return { kind: "enters", batches: chunk.batches.flatMap((batch) => withoutTouched(batch, touched, touches)) };
}

/** A key is touched from its first change that the cut does not surely include; that one and all later ones count. */
function touch(note: RowsNote, cut: Cut, touched: KeyTable, touches: Touch[]): void {
  const keys = new KeyRows(note.keys);
  for (let run = 0; run < note.runs.length; run++) {
    const sure = cut.surelyIncludes(note.runs[run]!.transaction);
    if (sure && touched.size === 0) continue;
    for (let row = note.runs[run]!.firstRow, end = endOfRun(note, run); row < end; row++) {
      const entry = sure ? touched.find(keys, row) : touched.add(keys, row);
      if (entry < 0) continue;
      if (entry === touches.length) touches.push([]);
      if (note.ops[row] === Op.update && note.parts !== null && bit(note.parts, row))
        touches[entry]?.push({ note, row });
      else touches[entry] = null;
    }
  }
}

function withoutTouched(batch: ChangeBatch, touched: KeyTable, touches: readonly Touch[]): ChangeBatch[] {
  const keys = new KeyRows(batch.schema.key.map((index) => batch.columns[index]!));
  const kept = new Uint32Array(batch.length);
  let keptLength = 0;
  const patchedRows: number[] = [];
  const patches: (readonly Part[])[] = [];
  for (let row = 0; row < batch.length; row++) {
    const entry = touched.find(keys, row);
    if (entry < 0) {
      kept[keptLength++] = row;
      continue;
    }
    const parts = touches[entry]!;
    if (parts === null) continue;
    patchedRows.push(row);
    patches.push(parts);
  }
  const batches = keptLength === 0 ? [] : [selectRows(batch, kept.subarray(0, keptLength))];
  return patchedRows.length === 0 ? batches : [...batches, overlaid(batch, patchedRows, patches)];
}

/** The rows with their partial updates' known cells laid over them, in log order. */
function overlaid(batch: ChangeBatch, rows: readonly number[], patches: readonly (readonly Part[])[]): ChangeBatch {
  const notes = [...new Set(patches.flatMap((parts) => parts.map((part) => part.note)))];
  const numberOf = new Map(notes.map((note, i) => [note, i + 1]));
  const noteColumns = notes.map((note) => columnsByName(note.batch!, batch.schema));
  const columns = batch.columns.map((column, c) => {
    const from = new Uint32Array(rows.length);
    const fromRows = Uint32Array.from(rows);
    for (const [i, parts] of patches.entries())
      for (const part of parts) {
        const known = noteColumns[numberOf.get(part.note)! - 1]![c];
        // A column that the older batch does not have was added since, by an alteration the chunk includes.
        if (known === undefined || isAbsent(known, part.row)) continue;
        from[i] = numberOf.get(part.note)!;
        fromRows[i] = part.row;
      }
    const sources: Column[] = [column, ...noteColumns.map((of) => of[c] ?? column)];
    return gather(column.type, sources, { from, rows: fromRows });
  });
  return snapshotBatch(batch.schema, columns, rows.length);
}
