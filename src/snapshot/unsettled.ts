import type { Cut, Transaction } from "../core/position.ts";
import type { TableId } from "../core/table-schema.ts";
import type { Note } from "./window.ts";

/**
 * Rule 2 of the merge (design §5): what was passed lately and may not be visible to new snapshots yet. A new window
 * begins with it. Kept per table, from the oldest transaction that no cut has shown to be visible, *without gaps*: a key's
 * later change must never be there without its earlier one, and keys are of one table.
 *
 * Beyond `bytesMax` only the transactions are remembered, and no chunk may be registered until all those are visible.
 */
export class Unsettled {
  readonly #bytesMax: number;
  readonly #tables = new Map<TableId, SettleList>();
  /** Transactions whose notes had to go. */
  readonly #ids = new Map<string, Transaction>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(table: TableId, note: Note): void {
    let list = this.#tables.get(table);
    if (list === undefined) this.#tables.set(table, (list = new SettleList()));
    list.push(note);
    this.#bytes += note.bytes;
    if (this.#bytes > this.#bytesMax) this.#keepIdsOnly();
  }

  #keepIdsOnly(): void {
    for (const list of this.#tables.values())
      for (const transaction of list.transactions()) this.#ids.set(transaction.id, transaction);
    this.#tables.clear();
    this.#bytes = 0;
  }

  /** What this cut surely includes is visible to every snapshot from now on. */
  settle(cut: Cut): void {
    for (const [id, transaction] of this.#ids) if (cut.surelyIncludes(transaction)) this.#ids.delete(id);
    for (const [table, list] of this.#tables) {
      this.#bytes -= list.settle(cut);
      if (list.empty) this.#tables.delete(table);
    }
  }

  /** What a chunk's window of this table begins with; null: no chunk of it may be opened yet. */
  window(table: TableId): Note[] | null {
    if (this.#ids.size > 0) return null;
    const notes = this.#tables.get(table)?.notes() ?? [];
    // A chunk read under a cut without it would be void, again and again until it is visible.
    return notes.some((note) => note.kind === "barrier") ? null : notes;
  }

  forget(table: TableId): void {
    this.#bytes -= this.#tables.get(table)?.bytes ?? 0;
    this.#tables.delete(table);
  }

  get empty(): boolean {
    return this.#tables.size === 0 && this.#ids.size === 0;
  }

  /** For the checkpoint: after a restart no chunk is opened before these are visible. */
  ids(): string[] {
    const ids = new Set(this.#ids.keys());
    for (const list of this.#tables.values()) for (const transaction of list.transactions()) ids.add(transaction.id);
    return [...ids];
  }
}

/** One table's notes in log order, with a mark up to where they are known to be visible. */
class SettleList {
  #notes: Note[] = [];
  #head = 0;
  /** Leading runs of the first note that are visible; the note stays until all of them are. */
  #runsVisible = 0;
  bytes = 0;

  push(note: Note): void {
    this.#notes.push(note);
    this.bytes += note.bytes;
  }

  get empty(): boolean {
    return this.#head === this.#notes.length;
  }

  notes(): Note[] {
    return this.#notes.slice(this.#head);
  }

  *transactions(): Iterable<Transaction> {
    for (let i = this.#head; i < this.#notes.length; i++) {
      const note = this.#notes[i]!;
      if (note.kind === "barrier") yield note.transaction;
      else {
        const first = i === this.#head ? this.#runsVisible : 0;
        for (let run = first; run < note.runs.length; run++) yield note.runs[run]!.transaction;
      }
    }
  }

  /** Drops from the front what is visible; the bytes of it. */
  settle(cut: Cut): number {
    let freed = 0;
    while (!this.empty && this.#allVisible(this.#notes[this.#head]!, cut)) {
      freed += this.#notes[this.#head]!.bytes;
      this.#head++;
      this.#runsVisible = 0;
    }
    if (this.#head * 2 > this.#notes.length) {
      this.#notes = this.#notes.slice(this.#head);
      this.#head = 0;
    }
    this.bytes -= freed;
    return freed;
  }

  #allVisible(note: Note, cut: Cut): boolean {
    if (note.kind === "barrier") return cut.surelyIncludes(note.transaction);
    while (this.#runsVisible < note.runs.length) {
      if (!cut.surelyIncludes(note.runs[this.#runsVisible]!.transaction)) return false;
      this.#runsVisible++;
    }
    return true;
  }
}
