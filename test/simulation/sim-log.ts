import type { Json } from "../../src/core/json.ts";
import type { Cut, Position, Transaction } from "../../src/core/position.ts";

/** The simulated log is totally ordered: transaction n is the n-th of it, from 0. */
export class SimTransaction implements Transaction {
  readonly sequence: number;
  readonly commitTimeMs: number = 0;

  constructor(sequence: number) {
    this.sequence = sequence;
  }

  get id(): string {
    return `t${this.sequence}`;
  }

  get place(): string {
    return String(this.sequence);
  }
}

export class SimPosition implements Position {
  /** The first transaction that is not part of it. */
  readonly next: number;

  constructor(next: number) {
    this.next = next;
  }

  has(transaction: Transaction): boolean {
    return (transaction as SimTransaction).sequence < this.next;
  }

  covers(other: Position): boolean {
    return (other as SimPosition).next <= this.next;
  }

  meet(other: Position): Position {
    return this.covers(other) ? other : this;
  }

  serialize(): Json {
    return this.next;
  }

  toString(): string {
    return String(this.next);
  }
}

/**
 * A cut that vouches for the transactions it was given: those visible at its moment, or, where not exact, some of them. It
 * is not exact where it has doubts: of what is before its bound it then says that it may have it.
 */
export class SimCut implements Cut {
  readonly bound: SimPosition;
  readonly sure: ReadonlySet<number>;
  readonly #isExact: boolean;

  constructor(sure: ReadonlySet<number>, bound: SimPosition, isExact: boolean = true) {
    this.sure = sure;
    this.bound = bound;
    this.#isExact = isExact;
  }

  surelyIncludes(transaction: Transaction): boolean {
    return this.sure.has((transaction as SimTransaction).sequence);
  }

  mayInclude(transaction: Transaction): boolean {
    return this.#isExact ? this.surelyIncludes(transaction) : this.bound.has(transaction);
  }
}
