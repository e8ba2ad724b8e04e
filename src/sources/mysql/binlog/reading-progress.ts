import type { Transaction } from "../../../core/position.ts";
import { type LogPosition, reached, restartedAt, withoutUndecided } from "../position.ts";

/** An XA transaction that is prepared; `before`: what had been read until then. */
export interface Undecided {
  readonly transaction: Transaction;
  readonly before: LogPosition;
}

/**
 * How far a reading of the log has come, and where another one would have to begin: before the first PREPARE whose
 * outcome is open, since its rows are delivered with that. A transaction that the reading began before, and that is
 * done, is read again and passed over.
 */
export class ReadingProgress {
  readonly #undecided = new Map<string, Undecided>();
  /** What has been read, and what is done besides. */
  #read: LogPosition;
  #done: LogPosition;
  #position: LogPosition;

  constructor(from: LogPosition) {
    this.#position = from;
    this.#read = from.restart;
    this.#done = from.done;
  }

  get position(): LogPosition {
    return this.#position;
  }

  /** It is committed, or was rolled back, or is of no concern. */
  passed(transaction: Transaction): void {
    if (this.#undecided.size === 0 && this.#read === this.#done)
      this.#position = this.#read = this.#done = reached(this.#read, transaction);
    else this.#advance(transaction);
  }

  /** Where positions are places: everything up to there has been read. */
  moveTo(place: LogPosition): void {
    this.#read = place;
    if (!this.#done.covers(place)) this.#done = place;
    this.#settle();
  }

  /** What has been read was read until its beginning; it passes next. */
  prepared(xid: string, transaction: Transaction): void {
    this.#undecided.set(xid, { transaction, before: this.#read });
  }

  /** Its outcome is the next transaction that passes. */
  decided(xid: string): void {
    this.#undecided.delete(xid);
  }

  #advance(transaction: Transaction): void {
    this.#read = reached(this.#read, transaction);
    this.#done = reached(this.#done, transaction);
    this.#settle();
  }

  #settle(): void {
    // As one object again, once all of it has been read.
    if (this.#read.covers(this.#done)) this.#read = this.#done;
    this.#position = restartedAt(this.#done, withoutUndecided(this.#read, [...this.#undecided.values()]));
  }
}
