import type { ChangeBatch } from "../core/change-batch.ts";
import type { LineItem, RowsItem } from "../core/line.ts";
import type { Cut, Position, Transaction } from "../core/position.ts";
import type { TableId } from "../core/table-schema.ts";
import { rowsOfRuns, selectRows } from "../core/select-rows.ts";

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
  | {
      readonly kind: "registered";
      readonly chunk: number;
      readonly barriers: readonly Transaction[];
      /** Those that changed rows, since nobody knows yet of which the cut will be sure. */
      readonly passed: Transaction[];
    }
  | { readonly kind: "opened"; readonly chunk: number; readonly cut: Cut; readonly through: boolean };

/** What passes between registering and opening is a moment's. */
const PASSED_MAX = 1_000_000;

/**
 * A table without a key, until its snapshot is complete (design §5): one chunk, whose rows enter the line as they come,
 * while the table's changes are held back. Those that the cut surely includes are dropped, the rest follows the rows. A
 * change of which the cut is not sure voids the chunk: nothing tells whether the rows have it already.
 */
export class KeylessSnapshot {
  readonly #table: TableId;
  readonly #spill: Spill;
  #phase: Phase = { kind: "waiting" };
  /** Rows of this try, or of an earlier one, that are in the line. */
  #entered = false;
  #stale = false;
  /** Chunks that were void because their cut was not sure. */
  unsureChunks: number = 0;

  constructor(table: TableId, spill: Spill) {
    this.#table = table;
    this.#spill = spill;
  }

  get chunk(): number | null {
    return this.#phase.kind === "waiting" ? null : this.#phase.chunk;
  }

  /** `unsettled`: what was passed before and may not be visible to the snapshot that is about to be taken. */
  register(chunk: number, unsettled: Iterable<ChangeBatch>): void {
    this.#phase = { kind: "registered", chunk, barriers: [], passed: [] };
    for (const batch of unsettled) this.hold(batch);
  }

  /**
   * False where the chunk is void: a barrier passed meanwhile that its cut does not surely include, or a change of which
   * the cut is not sure.
   */
  opened(cut: Cut): boolean {
    if (this.#phase.kind !== "registered") return true;
    const { chunk, barriers, passed } = this.#phase;
    if (barriers.some((transaction) => !cut.surelyIncludes(transaction))) return false;
    if (passed.some((transaction) => isUnsure(cut, transaction))) return this.#unsure();
    this.#phase = { kind: "opened", chunk, cut, through: false };
    return true;
  }

  /** False where the chunk is void by it. */
  hold(batch: ChangeBatch): boolean {
    const phase = this.#phase;
    if (phase.kind === "waiting") return true;
    if (phase.kind === "registered") {
      if (phase.passed.length >= PASSED_MAX) return false;
      for (const { transaction } of batch.runs) phase.passed.push(transaction);
      this.#spill.append(batch);
      return true;
    }
    if (batch.runs.some(({ transaction }) => isUnsure(phase.cut, transaction))) return this.#unsure();
    // Judged already here, where the cut is known, so that less has to be kept.
    const left = notIncluded(batch, phase.cut);
    if (left !== null) this.#spill.append(left);
    return true;
  }

  #unsure(): false {
    this.unsureChunks++;
    return false;
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

function isUnsure(cut: Cut, transaction: Transaction): boolean {
  return !cut.surelyIncludes(transaction) && cut.mayInclude(transaction);
}

/** What of the batch the cut does not include; null: nothing. */
function notIncluded(batch: ChangeBatch, cut: Cut): ChangeBatch | null {
  const rows = rowsOfRuns(batch, (run) => !cut.surelyIncludes(run.transaction));
  if (rows === null) return batch;
  return rows.length === 0 ? null : selectRows(batch, rows);
}
