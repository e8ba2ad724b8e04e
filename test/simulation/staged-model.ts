import { MillraceError } from "../../src/core/errors.ts";
import { applyEpoch, STAGED_KEY, type CommittedRecord, type EpochRecord } from "../../src/core/record.ts";
import { checkedEnd, Violation } from "./epoch-model.ts";
import type { Mutation } from "./epoch-mutation.ts";

interface Decided {
  readonly record: CommittedRecord;
  /** What was staged for it. */
  readonly staged: number;
  /** Number of the last row that is in. */
  readonly end: number;
}

/**
 * The part of a staged sink that commits: rows are staged under a number, one write of an entry that follows the last one of the
 * pipeline's own log decides an epoch, and only then its rows become visible.
 */
export class StagedSink {
  wasRestored = false;
  #stages = 0;
  #decided: Decided[] = [];
  #visible = 0;
  readonly #staged = new Map<number, { readonly epoch: number; readonly rows: readonly number[] }>();
  readonly #mutation: Mutation;

  constructor(mutation: Mutation) {
    this.#mutation = mutation;
  }

  /** Whoever opens finishes what is decided. */
  open(): CommittedRecord | null {
    if (this.#mutation !== "opening finishes nothing") this.#finish();
    return this.#decided.at(-1)?.record ?? null;
  }

  /** Of the last decided epoch; nothing is done for this look. */
  get record(): CommittedRecord | null {
    return this.#decided.at(-1)?.record ?? null;
  }

  /** Rows that a reader sees. */
  get rows(): number {
    return this.#visible;
  }

  stage(epoch: number, rows: readonly number[]): number {
    this.#staged.set(++this.#stages, { epoch, rows });
    return this.#stages;
  }

  /** Of epochs that are over, by anyone: nothing can decide for what was staged for them. */
  discard(epoch: number): void {
    const decided = this.#decided.at(-1)?.staged;
    for (const [id, staged] of this.#staged) if (staged.epoch <= epoch && id !== decided) this.#staged.delete(id);
  }

  /** What the store lets expire: not what is decided, or nothing could be promised. */
  expire(): void {
    const [first] = this.#staged.keys();
    if (first !== undefined && first !== this.#decided.at(-1)?.staged) this.#staged.delete(first);
  }

  /** The record is the last decided one: to commit it again is to finish it. */
  isDecided(record: EpochRecord): boolean {
    const last = this.#decided.at(-1);
    if (record.epoch !== last?.record.epoch) return false;
    return this.#mutation === "any record of the epoch is the same one" || last.staged === stagedOf(record);
  }

  /** Just before the decision. */
  checkStaged(record: EpochRecord): void {
    if (this.#mutation === "decides what is gone" || this.#staged.has(stagedOf(record))) return;
    throw new MillraceError("SINK_STAGED_LOST", "");
  }

  decide(record: EpochRecord): void {
    if (this.isDecided(record)) return;
    const last = this.#decided.at(-1);
    if (this.#mutation !== "epochs are not compared" && record.epoch !== (last?.record.epoch ?? 0) + 1)
      throw new MillraceError("FENCED", "by the sink");
    if (this.#mutation !== "tokens are not compared" && record.token < (last?.record.token ?? 0))
      throw new MillraceError("FENCED", "by the sink");
    const id = stagedOf(record);
    const end = checkedEnd(last?.end ?? 0, this.#staged.get(id)?.rows ?? [], record);
    this.#decided.push({ record: applyEpoch(last?.record ?? null, record), staged: id, end });
  }

  /** Only a run that breaks the rules does this. */
  show(rows: readonly number[]): void {
    const first = rows[0];
    if (first !== undefined && first !== this.#visible + 1) throw new Violation(`row ${first} is visible twice`);
    this.#visible += rows.length;
  }

  /** What is not the last decided epoch any more is not there: the sink was put back meanwhile. */
  complete(record: EpochRecord): void {
    if (!this.isDecided(record)) throw new MillraceError("SINK_FILES_LOST", "");
    this.#finish();
  }

  #finish(): void {
    const last = this.#decided.at(-1);
    if (last === undefined || this.#visible === last.end) return;
    if (!this.#staged.has(last.staged))
      throw new Violation(`epoch ${last.record.epoch} is decided and its rows are gone`);
    this.#visible = last.end;
  }

  /** An older copy is put in its place, of a moment when nothing was under way; never an empty one. */
  restore(epochsBack: number): boolean {
    const kept = this.#decided.length - epochsBack;
    if (kept < 1) return false;
    this.#decided = this.#decided.slice(0, kept);
    const last = this.#decided.at(-1)!;
    this.#visible = last.end;
    this.wasRestored = true;
    return true;
  }
}

function stagedOf(record: EpochRecord): number {
  return Number(record.parts.get(STAGED_KEY));
}
