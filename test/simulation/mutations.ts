import { bit, setBit } from "../../src/core/column.ts";
import type { Cut, Transaction } from "../../src/core/position.ts";
import type { TableId } from "../../src/core/table-schema.ts";
import { enterChunk, type EnterResult, type ReadChunk } from "../../src/snapshot/enter-chunk.ts";
import { gather } from "../../src/core/gather.ts";
import { selectRows, selectRuns } from "../../src/core/select-rows.ts";
import { Unsettled } from "../../src/snapshot/unsettled.ts";
import { endOfRun, type Note, type RowsNote } from "../../src/snapshot/window.ts";

/** Every way in which the simulation can break a rule, to see that it notices. */
export const MUTATIONS = {
  noregister: "rule 1: a chunk's window begins when it has been read, not before it is opened",
  nosettle: "rule 2: a window begins empty",
  gaps: "rule 2: what is visible leaves the list wherever it stands",
  noids: "rule 2: after a restart chunks are opened while unsettled transactions are invisible",
  forgetids: "rule 2: what a record left unsettled is not in the next record, although it is still invisible",
  nobound: "rule 3: a chunk enters as soon as it is read",
  firstonly: "rule 4: of a touched key only the changes that the cut does not include count",
  nooverlay: "rule 4: partial updates are not laid over the chunk's row",
  partswhole: "rule 4: a partial update drops the chunk's row",
  novoid: "rule 4: a chunk enters whatever TRUNCATE or alteration came between",
  eagerfetch: "complete: a moved row is fetched before its transaction is visible",
  twice: "keyless: changes that the cut includes are not dropped",
  deaf: "keyless: a TRUNCATE is not noticed",
  unsure: "keyless: a change of which the cut is not sure counts as one that it does not include",
  early: "record: a chunk counts as done when it enters the line, not when it is through",
} as const;
export type Mutation = keyof typeof MUTATIONS;

const ALL: Cut["surelyIncludes"] = () => true;
const NONE: Cut["surelyIncludes"] = () => false;
export const everythingVisible = (cut: Cut): Cut => ({ surelyIncludes: ALL, mayInclude: ALL, bound: cut.bound });
export const nothingIncluded = (cut: Cut): Cut => ({ surelyIncludes: NONE, mayInclude: NONE, bound: cut.bound });
export function withoutDoubts(cut: Cut): Cut {
  const surelyIncludes: Cut["surelyIncludes"] = (transaction) => cut.surelyIncludes(transaction);
  return { surelyIncludes, mayInclude: surelyIncludes, bound: cut.bound };
}

/** Rule 4 as the mutation has it: the real one over a spoiled window. */
export function enterWith(mutation: Mutation | null): (window: readonly Note[], chunk: ReadChunk) => EnterResult {
  return (window, chunk) => {
    if (mutation === "novoid")
      return enterChunk(
        window.filter((note) => note.kind === "rows"),
        chunk,
      );
    const spoiled = window.map((note) => {
      if (note.kind === "barrier") return note;
      if (mutation === "firstonly")
        return filtered(note, (_row, transaction) => !chunk.cut.surelyIncludes(transaction));
      if (mutation === "nooverlay") return filtered(note, (row) => note.parts === null || !bit(note.parts, row));
      return mutation === "partswhole" ? { ...note, parts: null } : note;
    });
    return enterChunk(spoiled, chunk);
  };
}

function filtered(note: RowsNote, keep: (row: number, transaction: Transaction) => boolean): RowsNote {
  const rows: number[] = [];
  for (const [i, run] of note.runs.entries())
    for (let row = run.firstRow; row < endOfRun(note, i); row++) if (keep(row, run.transaction)) rows.push(row);
  const kept = Uint32Array.from(rows);
  const parts = new Uint8Array((rows.length + 7) >> 3);
  for (const [i, row] of rows.entries()) if (note.parts !== null && bit(note.parts, row)) setBit(parts, i);
  return {
    ...note,
    length: rows.length,
    ops: Uint8Array.from(rows, (row) => note.ops[row]!),
    runs: selectRuns(note.runs, kept),
    keys: note.keys.map((column) => gather(column.type, [column], { from: null, rows: kept })),
    batch: note.batch === null ? null : selectRows(note.batch, kept),
    parts: note.parts === null ? null : parts,
  };
}

/** A settle list that forgets whatever is visible, wherever it stands. */
export class GappyUnsettled extends Unsettled {
  #notes: { readonly table: TableId; readonly note: Note }[] = [];

  constructor() {
    super(0);
  }

  override add(table: TableId, note: Note): void {
    if (note.kind === "rows")
      for (const { transaction } of note.runs)
        this.#notes.push({ table, note: filtered(note, (_row, of) => of === transaction) });
    else this.#notes.push({ table, note });
  }

  override settle(cut: Cut): void {
    this.#notes = this.#notes.filter(({ note }) => transactionsOf(note).some((of) => !cut.surelyIncludes(of)));
  }

  override window(table: TableId): Note[] | null {
    const notes = this.#notes.filter((of) => of.table === table).map((of) => of.note);
    return notes.some((note) => note.kind === "barrier") ? null : notes;
  }

  override forget(table: TableId): void {
    this.#notes = this.#notes.filter((of) => of.table !== table);
  }

  override get empty(): boolean {
    return this.#notes.length === 0;
  }

  override ids(): string[] {
    return this.#notes.flatMap(({ note }) => transactionsOf(note).map((of) => of.id));
  }
}

function transactionsOf(note: Note): Transaction[] {
  return note.kind === "rows" ? note.runs.map((run) => run.transaction) : [note.transaction];
}
