import type { CheckpointStore, StoredEpochs } from "../../src/core/checkpoint-store.ts";
import { MillraceError } from "../../src/core/errors.ts";
import { applyEpoch, type CommittedRecord, type EpochRecord } from "../../src/core/record.ts";
import type { Mutation } from "./epoch-mutation.ts";

/** A promise of the design that a history broke. */
export class Violation extends Error {}

/** The store's contract, at once and in memory. It can lose writes, as a replicated store loses its last second. */
export class ModelStore implements Readonly<{
  [Call in keyof Pick<CheckpointStore, "open" | "put" | "confirm" | "reset">]: unknown;
}> {
  hasLost = false;
  #states: (StoredEpochs | null)[] = [null];
  readonly #everStored = new Set<EpochRecord>();
  readonly #checksToken: boolean;

  constructor(mutation: Mutation) {
    this.#checksToken = mutation !== "tokens are not compared";
  }

  open(): StoredEpochs | null {
    return this.#states.at(-1) ?? null;
  }

  put(record: EpochRecord): void {
    const newest = this.open()?.newest ?? null;
    if (record.epoch !== (newest?.epoch ?? 0) + 1) throw new MillraceError("FENCED", "by the store");
    if (this.#checksToken && record.token < (newest?.token ?? 0)) throw new MillraceError("FENCED", "by the store");
    this.#everStored.add(record);
    this.#become({ confirmed: newest, newest: applyEpoch(newest, record) });
  }

  confirm(epoch: number): void {
    const newest = this.open()?.newest ?? null;
    if (newest?.epoch === epoch) this.#become({ confirmed: newest, newest });
  }

  reset(record: CommittedRecord): void {
    const token = this.open()?.newest.token ?? 0;
    if (this.#checksToken && record.token <= token) throw new MillraceError("FENCED", "by the store");
    this.#become({ confirmed: record, newest: record });
  }

  loseWrites(count: number): void {
    this.hasLost = true;
    this.#states = this.#states.slice(0, Math.max(1, this.#states.length - count));
  }

  /** Whether it ever had this record. */
  hadStored(record: EpochRecord): boolean {
    return this.#everStored.has(record);
  }

  #become(stored: StoredEpochs): void {
    this.#states.push(stored);
  }
}

/** The last row that is in once these are behind `before`: each once, in order, and the record tells of it. */
export function checkedEnd(before: number, rows: readonly number[], record: EpochRecord): number {
  let end = before;
  for (const row of rows) {
    if (row !== end + 1) throw new Violation(row <= end ? `row ${row} came twice` : `row ${end + 1} was lost`);
    end = row;
  }
  if (record.parts.get("position") !== end || record.parts.get("table/t") !== end)
    throw new Violation(`the record does not tell of the ${end} rows that are in`);
  return end;
}

interface Commit {
  readonly record: CommittedRecord;
  /** Number of the last row that is in. */
  readonly rows: number;
}

/**
 * The part of a transactional sink that commits. Its rows are the source's, numbered from 1: it must hold them all up
 * to the position of its record, each once.
 */
export class ModelSink {
  wasRestored = false;
  #commits: Commit[] = [];
  readonly #mutation: Mutation;

  constructor(mutation: Mutation) {
    this.#mutation = mutation;
  }

  open(): CommittedRecord | null {
    return this.#commits.at(-1)?.record ?? null;
  }

  /** As `open`. */
  get record(): CommittedRecord | null {
    return this.open();
  }

  get rows(): number {
    return this.#commits.at(-1)?.rows ?? 0;
  }

  commit(record: EpochRecord, rows: readonly number[]): void {
    const last = this.open();
    if (this.#mutation !== "epochs are not compared" && record.epoch !== (last?.epoch ?? 0) + 1)
      throw new MillraceError("FENCED", "by the sink");
    if (this.#mutation !== "tokens are not compared" && record.token < (last?.token ?? 0))
      throw new MillraceError("FENCED", "by the sink");
    const end = checkedEnd(this.rows, rows, record);
    this.#commits.push({ record: applyEpoch(last, record), rows: end });
  }

  /** An older copy is put in its place; never an empty one, which no word of an operator makes the truth. */
  restore(epochsBack: number): boolean {
    const kept = this.#commits.length - epochsBack;
    if (kept < 1) return false;
    this.#commits = this.#commits.slice(0, kept);
    this.wasRestored = true;
    return true;
  }
}

/** The log has rows 1 … `LOG_ROWS`, in transactions of 1, 2 and 3 rows. */
export const LOG_ROWS = 24;

/** The last row of the transaction that `row` belongs to. */
export function transactionEnd(row: number): number {
  const within = (row - 1) % 6;
  return row - within + (within < 1 ? 0 : within < 3 ? 2 : 5);
}

export class ModelReader {
  #row: number;

  constructor(row: number) {
    this.#row = row;
  }

  /** Null: the log has ended. */
  next(): number | null {
    return this.#row < LOG_ROWS ? ++this.#row : null;
  }
}

/** Forgets what was acknowledged. */
export class ModelSource {
  acknowledged = 0;

  acknowledge(position: number): void {
    this.acknowledged = Math.max(this.acknowledged, position);
  }

  /**
   * Whole transactions, from the first that the position does not have. Fails for a run that was overtaken while it
   * started; one that goes on from the sink's epoch always has its log.
   */
  read(position: number): ModelReader {
    if (position < this.acknowledged) throw new MillraceError("LOG_LOST", `row ${position + 1} was acknowledged`);
    let start = position;
    while (start > 0 && transactionEnd(start) > position) start--;
    return new ModelReader(start);
  }
}
