import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { Cut, Position, Transaction } from "../../core/position.ts";
import { FilePosition } from "./file-position.ts";
import { GtidSet } from "./gtid-set.ts";
import { formatMariadbGtid, GtidPosition, type MariadbGtid } from "./mariadb-gtid.ts";

/** Which of the two servers a source is: their GTIDs, events and cuts differ, and little else. */
export type Flavour = "mysql" | "mariadb";

/** A transaction of MySQL's log. `source` is `uuid` or `uuid:tag`. */
export class MysqlTransaction implements Transaction {
  readonly source: string;
  readonly gno: bigint;
  readonly commitTimeMs: number;

  constructor(source: string, gno: bigint, commitTimeMs: number) {
    this.source = source;
    this.gno = gno;
    this.commitTimeMs = commitTimeMs;
  }

  get id(): string {
    return `${this.source}:${this.gno}`;
  }
}

/** A transaction of MariaDB's log. */
export class MariadbTransaction implements Transaction {
  readonly gtid: MariadbGtid;
  readonly commitTimeMs: number;

  constructor(gtid: MariadbGtid, commitTimeMs: number) {
    this.gtid = gtid;
    this.commitTimeMs = commitTimeMs;
  }

  get id(): string {
    return formatMariadbGtid(this.gtid);
  }
}

/** How much of MySQL's log is done: a set of GTIDs, in any order. */
export class MysqlPosition implements Position {
  readonly gtids: GtidSet;

  constructor(gtids: GtidSet) {
    this.gtids = gtids;
  }

  has(transaction: Transaction): boolean {
    if (!(transaction instanceof MysqlTransaction)) throw ofAnother("transaction");
    return this.gtids.has(transaction.source, transaction.gno);
  }

  covers(other: Position): boolean {
    return this.gtids.covers(mysqlPosition(other).gtids);
  }

  meet(other: Position): Position {
    return new MysqlPosition(this.gtids.intersection(mysqlPosition(other).gtids));
  }

  with({ source, gno }: MysqlTransaction): MysqlPosition {
    return new MysqlPosition(this.gtids.with(source, gno));
  }

  serialize(): Json {
    return `mysql ${this.gtids.toString()}`;
  }

  toString(): string {
    return this.gtids.toString();
  }
}

/** How much of MariaDB's log is done: the last GTID of each domain. */
export class MariadbPosition implements Position {
  readonly gtids: GtidPosition;

  constructor(gtids: GtidPosition) {
    this.gtids = gtids;
  }

  has(transaction: Transaction): boolean {
    if (!(transaction instanceof MariadbTransaction)) throw ofAnother("transaction");
    return this.gtids.has(transaction.gtid);
  }

  covers(other: Position): boolean {
    return this.gtids.covers(mariadbPosition(other).gtids);
  }

  meet(other: Position): Position {
    return new MariadbPosition(this.gtids.intersection(mariadbPosition(other).gtids));
  }

  with({ gtid }: MariadbTransaction): MariadbPosition {
    return new MariadbPosition(this.gtids.with(gtid));
  }

  serialize(): Json {
    return `mariadb ${this.gtids.toString()}`;
  }

  toString(): string {
    return this.gtids.toString();
  }
}

/** By GTIDs; of MySQL without them, by a place in its files. */
export type LogPosition = MysqlPosition | MariadbPosition | FilePosition;

export function isLogPosition(position: Position): position is LogPosition {
  return [MysqlPosition, MariadbPosition, FilePosition].some((kind) => position instanceof kind);
}

export function parseLogPosition(json: Json): LogPosition {
  const place = typeof json === "string" ? FilePosition.parse(json) : null;
  if (place !== null) return place;
  const [flavour, gtids] = typeof json === "string" ? json.split(" ", 2) : [];
  if (gtids !== undefined && flavour === "mysql") return new MysqlPosition(GtidSet.parse(gtids));
  if (gtids !== undefined && flavour === "mariadb") return new MariadbPosition(GtidPosition.parse(gtids));
  throw new MillraceError("INTERNAL", "not a position of MySQL or MariaDB");
}

/**
 * The cut of a chunk (design §5): on MySQL `included` was executed before its snapshot was opened, or without GTIDs stood in
 * the log for so long before that (null: nothing is known to have); `bound` was asked behind it. A transaction in neither
 * is not part of it; one that only the bound has may be.
 *
 * On MariaDB both are the position of the consistent snapshot itself, which is exact.
 */
export class LogCut implements Cut {
  readonly included: LogPosition | null;
  readonly bound: LogPosition;

  constructor(included: LogPosition | null, bound: LogPosition) {
    this.included = included;
    this.bound = bound;
  }

  surelyIncludes(transaction: Transaction): boolean {
    return this.included?.has(transaction) === true;
  }

  mayInclude(transaction: Transaction): boolean {
    return this.#knowsAll ? this.surelyIncludes(transaction) : this.bound.has(transaction);
  }

  /** There is no transaction of which it is not sure. */
  get isExact(): boolean {
    return this.#knowsAll || this.included?.covers(this.bound) === true;
  }

  /** MariaDB tells what is in the snapshot; its bound has more for the sake of alterations alone (`cut.ts`). */
  get #knowsAll(): boolean {
    return this.included instanceof MariadbPosition;
  }

  serialize(): Json {
    return { included: this.included?.serialize() ?? null, bound: this.bound.serialize() };
  }

  static parse(json: Json): LogCut {
    const { included, bound } = json as { included?: Json; bound?: Json };
    if (included === undefined || bound === undefined)
      throw new MillraceError("INTERNAL", "not the cut of a chunk of MySQL or MariaDB");
    return new LogCut(included === null ? null : parseLogPosition(included), parseLogPosition(bound));
  }
}

function mysqlPosition(position: Position): MysqlPosition {
  if (position instanceof MysqlPosition) return position;
  throw ofAnother("position");
}

function mariadbPosition(position: Position): MariadbPosition {
  if (position instanceof MariadbPosition) return position;
  throw ofAnother("position");
}

function ofAnother(what: string): MillraceError {
  return new MillraceError("INTERNAL", `a ${what} of another source`);
}
