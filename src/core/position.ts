import type { Json } from "./json.ts";

/**
 * A committed transaction of the source's log, as a batch's runs, a merge window and the checkpoint name it. Sources
 * subclass it with what their `Position` and `Cut` need.
 */
export interface Transaction {
  /** Unique within the source's history and stable over restarts: a 64-bit xid, a GTID. */
  readonly id: string;
  /** When it committed, in milliseconds since 1970, by the source's clock. */
  readonly commitTimeMs: number;
  /**
   * Where it stands in the source's log, for people and for sinks that keep history: `0/16B3748`, `binlog.000012:4711`.
   * Worked out when it is asked for. Empty where that is not known, as of one that a record names.
   */
  readonly place: string;
}

/**
 * How much of the source's log is done: a set of transactions, not a place in a file. GTID sets are only partly
 * ordered, so there is no `compare`. Immutable.
 */
export interface Position {
  /** Whether the transaction is part of what is done. Resume drops those for which it says yes. */
  has(transaction: Transaction): boolean;
  /** Whether everything in the other position is also in this one (a bound has been passed, a slot is not ahead of us). */
  covers(other: Position): boolean;
  /** What both have: where a reader must start that serves both. */
  meet(other: Position): Position;
  serialize(): Json;
  /** For people: `0/16B3748`. */
  toString(): string;
}

/**
 * What a chunk's own snapshot contains, in terms of the log (design §5). `surelyIncludes` false means *no* or *not
 * sure*, and `mayInclude` false *no*: where a cut is exact, they say the same. `bound` is at or behind every transaction
 * that the snapshot may contain.
 */
export interface Cut {
  surelyIncludes(transaction: Transaction): boolean;
  mayInclude(transaction: Transaction): boolean;
  readonly bound: Position;
}

/** A position that a sink has committed. Only the engine's committer makes one, so nothing else can acknowledge (law 1). */
export class DurablePosition {
  readonly position: Position;
  private constructor(position: Position) {
    this.position = position;
  }
  /** For the engine's committer alone, called with what the sink reports committed. */
  static committed(position: Position): DurablePosition {
    return new DurablePosition(position);
  }
}
