import type { ChangeBatch } from "../core/change-batch.ts";
import type { LineItem, RowsItem } from "../core/line.ts";
import type { Cut, Position, Transaction } from "../core/position.ts";
import type { TableId } from "../core/table-schema.ts";
import { rowsOfRuns, selectRows } from "./select-rows.ts";

/** Where the changes of a table without a key wait until its rows are through: in memory first, in a file beyond that. */
export interface Spill {
  append(batch: ChangeBatch): void;
  /** What was appended, in order; the spill is empty behind it. */
  drain(): Iterable<ChangeBatch>;
  /** Throws away what it holds. */
  clear(): void;
}

type Phase =
  | { readonly kind: "waiting" }
  | { readonly kind: "registered"; readonly chunk: number; readonly barriers: readonly Transaction[] }
  | { readonly kind: "opened"; readonly chunk: number; readonly cut: Cut; readonly through: boolean };

/**
 * A table without a key, until its snapshot is complete (design §5): one chunk, whose rows enter the line as they come,
 * while the table's changes are held back. Those that the cut surely includes are dropped, the rest follows the rows.
 *
 * The cut must be exact: a change that it does not surely include is taken as one that it does not include.
 */
export class KeylessSnapshot {
  readonly #table: TableId;
  readonly #spill: Spill;
  #phase: Phase = { kind: "waiting" };
  /** Rows of this try, or of an earlier one, that are in the line. */
  #entered = false;
  #stale = false;

  constructor(table: TableId, spill: Spill) {
    this.#table = table;
    this.#spill = spill;
  }

  get chunk(): number | null {
    return this.#phase.kind === "waiting" ? null : this.#phase.chunk;
  }

  /** `unsettled`: what was passed before and may not be visible to the snapshot that is about to be taken. */
  register(chunk: number, unsettled: Iterable<ChangeBatch>): void {
    this.#phase = { kind: "registered", chunk, barriers: [] };
    for (const batch of unsettled) this.#spill.append(batch);
  }

  /** False where the chunk is void: a barrier passed meanwhile that its cut does not surely include. */
  opened(cut: Cut): boolean {
    if (this.#phase.kind !== "registered") return true;
    if (this.#phase.barriers.some((transaction) => !cut.surelyIncludes(transaction))) return false;
    this.#phase = { kind: "opened", chunk: this.#phase.chunk, cut, through: false };
    return true;
  }

  hold(batch: ChangeBatch): void {
    if (this.#phase.kind === "waiting") return;
    // Judged already here where the cut is known, so that less has to be kept.
    const left = this.#phase.kind === "opened" ? notIncluded(batch, this.#phase.cut) : batch;
    if (left !== null) this.#spill.append(left);
  }

  /** A TRUNCATE or an alteration passed. False where the chunk is void by it. */
  barrier(transaction: Transaction): boolean {
    if (this.#phase.kind === "opened") return this.#phase.cut.surelyIncludes(transaction);
    if (this.#phase.kind === "registered")
      this.#phase = { ...this.#phase, barriers: [...this.#phase.barriers, transaction] };
    return true;
  }

  /** Back to the start: the rows that have entered will have to go before others come. */
  restart(): void {
    this.#phase = { kind: "waiting" };
    this.#stale ||= this.#entered;
    this.#entered = false;
    this.#spill.clear();
  }

  rows(batch: ChangeBatch): LineItem[] {
    const items = [...this.#emptied(), { kind: "rows", batch } satisfies RowsItem];
    this.#entered = true;
    return items;
  }

  #emptied(): LineItem[] {
    if (!this.#stale) return [];
    this.#stale = false;
    return [{ kind: "truncate", table: this.#table, transaction: null }];
  }

  through(): void {
    if (this.#phase.kind === "opened") this.#phase = { ...this.#phase, through: true };
  }

  due(position: Position): boolean {
    return this.#phase.kind === "opened" && this.#phase.through && position.covers(this.#phase.cut.bound);
  }

  /** All rows are in the line: the end of the chunk, then what was held back. Lazy, for it may be larger than memory. */
  *release(): Iterable<LineItem> {
    if (this.#phase.kind !== "opened") return;
    const { chunk, cut } = this.#phase;
    yield* this.#emptied();
    yield { kind: "chunk-entered", table: this.#table, chunk };
    for (const held of this.#spill.drain()) {
      const batch = notIncluded(held, cut);
      if (batch !== null) yield { kind: "rows", batch };
    }
  }
}

/** What of the batch the cut does not include; null: nothing. */
function notIncluded(batch: ChangeBatch, cut: Cut): ChangeBatch | null {
  const rows = rowsOfRuns(batch, (run) => !cut.surelyIncludes(run.transaction));
  if (rows === null) return batch;
  return rows.length === 0 ? null : selectRows(batch, rows);
}
