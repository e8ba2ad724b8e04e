import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { Cut, Position, Transaction } from "../../core/position.ts";
import { FilePosition } from "./position/file-position.ts";
import { GtidSet } from "./position/gtid-set.ts";
import { type LoggedAt, NOWHERE, placeText } from "./position/logged-at.ts";
import { formatMariadbGtid, GtidPosition, type MariadbGtid, parseMariadbGtid } from "./position/mariadb-gtid.ts";

/** Which of the two servers a source is: their GTIDs, events and cuts differ, and little else. */
export type Flavour = "mysql" | "mariadb";

/** A transaction of MySQL's log. `source` is `uuid` or `uuid:tag`. */
export class MysqlTransaction implements Transaction {
  readonly source: string;
  readonly gno: bigint;
  readonly commitTimeMs: number;
  readonly file: string;
  readonly start: number;

  constructor(source: string, gno: bigint, commitTimeMs: number, { file, start }: LoggedAt = NOWHERE) {
    this.source = source;
    this.gno = gno;
    this.commitTimeMs = commitTimeMs;
    this.file = file;
    this.start = start;
  }

  get id(): string {
    return `${this.source}:${this.gno}`;
  }

  get place(): string {
    return placeText(this);
  }
}

/** A transaction of MariaDB's log. The id is what the checkpoint keeps. */
export class MariadbTransaction implements Transaction {
  readonly gtid: MariadbGtid;
  readonly commitTimeMs: number;
  /** Of an XA transaction whose outcome this is. */
  readonly xid: string | null;
  readonly file: string;
  readonly start: number;

  constructor(gtid: MariadbGtid, commitTimeMs: number, xid: string | null = null, { file, start }: LoggedAt = NOWHERE) {
    this.gtid = gtid;
    this.commitTimeMs = commitTimeMs;
    this.xid = xid;
    this.file = file;
    this.start = start;
  }

  /** `0-1-100`; with an XID, that behind a space. */
  get id(): string {
    const gtid = formatMariadbGtid(this.gtid);
    return this.xid === null ? gtid : `${gtid} ${this.xid}`;
  }

  get place(): string {
    return placeText(this);
  }

  static parse(id: string): MariadbTransaction {
    const space = id.indexOf(" ");
    const [gtid, xid] = space < 0 ? [id, null] : [id.slice(0, space), id.slice(space + 1)];
    return new MariadbTransaction(parseMariadbGtid(gtid), 0, xid);
  }
}

/** How much of MySQL's log is done: a set of GTIDs, in any order. */
export class MysqlPosition implements Position {
  readonly gtids: GtidSet;
  /** A part of them: where another reading begins, for XA transactions whose outcome was open (`ReadingProgress`). */
  readonly restartGtids: GtidSet;

  constructor(gtids: GtidSet, restartGtids: GtidSet = gtids) {
    this.gtids = gtids;
    this.restartGtids = restartGtids;
  }

  /** What is done and nothing else; where another reading begins. */
  get done(): MysqlPosition {
    return this.isPlain ? this : new MysqlPosition(this.gtids);
  }

  get restart(): MysqlPosition {
    return this.isPlain ? this : new MysqlPosition(this.restartGtids);
  }

  get isPlain(): boolean {
    return this.gtids === this.restartGtids;
  }

  has(transaction: Transaction): boolean {
    if (!(transaction instanceof MysqlTransaction)) throw ofAnother("transaction");
    return this.gtids.has(transaction.source, transaction.gno);
  }

  covers(other: Position): boolean {
    return this.gtids.covers(mysqlPosition(other).gtids);
  }

  meet(other: Position): Position {
    const { gtids, restartGtids, isPlain } = mysqlPosition(other);
    const common = this.gtids.intersection(gtids);
    if (this.isPlain && isPlain) return new MysqlPosition(common);
    return new MysqlPosition(common, this.restartGtids.intersection(restartGtids));
  }

  with({ source, gno }: MysqlTransaction): MysqlPosition {
    return new MysqlPosition(this.gtids.with(source, gno));
  }

  without({ source, gno }: MysqlTransaction): MysqlPosition {
    return new MysqlPosition(this.gtids.without(GtidSet.empty.with(source, gno)));
  }

  serialize(): Json {
    return `mysql ${this.gtids.toString()}${this.isPlain ? "" : ` ${this.restartGtids.toString()}`}`;
  }

  toString(): string {
    return this.gtids.toString();
  }
}

/** How much of MariaDB's log is done: the last GTID of each domain. */
export class MariadbPosition implements Position {
  readonly gtids: GtidPosition;
  /** A part of them: where another reading begins, for XA transactions whose outcome was open (`ReadingProgress`). */
  readonly restartGtids: GtidPosition;

  constructor(gtids: GtidPosition, restartGtids: GtidPosition = gtids) {
    this.gtids = gtids;
    this.restartGtids = restartGtids;
  }

  /** What is done and nothing else; where another reading begins. */
  get done(): MariadbPosition {
    return this.isPlain ? this : new MariadbPosition(this.gtids);
  }

  get restart(): MariadbPosition {
    return this.isPlain ? this : new MariadbPosition(this.restartGtids);
  }

  get isPlain(): boolean {
    return this.gtids === this.restartGtids;
  }

  has(transaction: Transaction): boolean {
    if (!(transaction instanceof MariadbTransaction)) throw ofAnother("transaction");
    return this.gtids.has(transaction.gtid);
  }

  covers(other: Position): boolean {
    return this.gtids.covers(mariadbPosition(other).gtids);
  }

  meet(other: Position): Position {
    const { gtids, restartGtids, isPlain } = mariadbPosition(other);
    const common = this.gtids.intersection(gtids);
    if (this.isPlain && isPlain) return new MariadbPosition(common);
    return new MariadbPosition(common, this.restartGtids.intersection(restartGtids));
  }

  with({ gtid }: MariadbTransaction): MariadbPosition {
    return new MariadbPosition(this.gtids.with(gtid));
  }

  serialize(): Json {
    return `mariadb ${this.gtids.toString()}${this.isPlain ? "" : ` ${this.restartGtids.toString()}`}`;
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

/** With the transaction, too. */
export function reached(position: LogPosition, transaction: Transaction): LogPosition {
  if (position instanceof MysqlPosition && transaction instanceof MysqlTransaction) return position.with(transaction);
  if (position instanceof MariadbPosition && transaction instanceof MariadbTransaction)
    return position.with(transaction);
  throw ofAnother("transaction");
}

/** `done`, of which another reading begins at `restart`. */
export function restartedAt(done: LogPosition, restart: LogPosition): LogPosition {
  if (done === restart) return done;
  if (done instanceof FilePosition && restart instanceof FilePosition)
    return restart.covers(done) ? done : new FilePosition(done.server, done, restart);
  if (done instanceof MysqlPosition) return new MysqlPosition(done.gtids, mysqlPosition(restart).gtids);
  return new MariadbPosition(mariadbPosition(done).gtids, mariadbPosition(restart).gtids);
}

/** The position before transactions that it has: on MariaDB, before the first of each domain. `before` each. */
export function withoutUndecided(
  position: LogPosition,
  undecided: readonly { readonly transaction: Transaction; readonly before: LogPosition }[],
): LogPosition {
  if (position instanceof FilePosition) return undecided[0]?.before ?? position;
  return undecided.toReversed().reduce<LogPosition>((all, { transaction, before }) => {
    if (all instanceof MysqlPosition && transaction instanceof MysqlTransaction) return all.without(transaction);
    if (all instanceof MariadbPosition && transaction instanceof MariadbTransaction)
      return new MariadbPosition(all.gtids.backTo(transaction.gtid.domain, mariadbPosition(before).gtids));
    throw ofAnother("transaction");
  }, position);
}

export function parseLogPosition(json: Json): LogPosition {
  const place = typeof json === "string" ? FilePosition.parse(json) : null;
  if (place !== null) return place;
  const [flavour, gtids, restart = gtids] = typeof json === "string" ? json.split(" ", 3) : [];
  if (gtids !== undefined && flavour === "mysql") return mysqlRestarted(gtids, restart!);
  if (gtids !== undefined && flavour === "mariadb") return mariadbRestarted(gtids, restart!);
  throw new MillraceError("INTERNAL", "not a position of MySQL or MariaDB");
}

function mysqlRestarted(gtids: string, restart: string): MysqlPosition {
  const done = new MysqlPosition(GtidSet.parse(gtids));
  const read = GtidSet.parse(restart);
  return read.covers(done.gtids) ? done : new MysqlPosition(done.gtids, read);
}

function mariadbRestarted(gtids: string, restart: string): MariadbPosition {
  const done = new MariadbPosition(GtidPosition.parse(gtids));
  const read = GtidPosition.parse(restart);
  return read.covers(done.gtids) ? done : new MariadbPosition(done.gtids, read);
}

/**
 * XA transactions on MariaDB: their commit is in the log before snapshots see it. What was committed by `before` is seen,
 * unless it was prepared and undecided when asked behind that.
 */
export interface XaCut {
  readonly before: LogPosition;
  readonly undecided: readonly string[];
}

/**
 * The cut of a chunk (design §5): on MySQL `included` was executed before its snapshot was opened, or without GTIDs stood in
 * the log for so long before that (null: nothing is known to have); `bound` was asked behind it. A transaction in neither
 * is not part of it; one that only the bound has may be.
 *
 * On MariaDB both are the position of the consistent snapshot itself, which is exact but for XA transactions.
 */
export class LogCut implements Cut {
  readonly included: LogPosition | null;
  readonly bound: LogPosition;
  readonly xa: XaCut | null;

  constructor(included: LogPosition | null, bound: LogPosition, xa: XaCut | null = null) {
    this.included = included;
    this.bound = bound;
    this.xa = xa;
  }

  surelyIncludes(transaction: Transaction): boolean {
    if (this.included?.has(transaction) !== true) return false;
    if (this.xa === null || !(transaction instanceof MariadbTransaction) || transaction.xid === null) return true;
    return this.xa.before.has(transaction) && !this.xa.undecided.includes(transaction.xid);
  }

  mayInclude(transaction: Transaction): boolean {
    return this.#knowsAll ? this.included?.has(transaction) === true : this.bound.has(transaction);
  }

  /** There is no transaction of which it is not sure, but maybe an XA transaction that is being committed. */
  get isExact(): boolean {
    if (this.#knowsAll) return this.xa === null || this.xa.undecided.length === 0;
    return this.included?.covers(this.bound) === true;
  }

  /** MariaDB tells what is in the snapshot; its bound has more for the sake of alterations alone (`cut.ts`). */
  get #knowsAll(): boolean {
    return this.included instanceof MariadbPosition;
  }

  serialize(): Json {
    const xa = this.xa === null ? null : { before: this.xa.before.serialize(), undecided: [...this.xa.undecided] };
    return { included: this.included?.serialize() ?? null, bound: this.bound.serialize(), xa };
  }

  static parse(json: Json): LogCut {
    const { included, bound, xa } = json as {
      included?: Json;
      bound?: Json;
      xa?: { before: Json; undecided: string[] } | null;
    };
    if (included === undefined || bound === undefined || xa === undefined)
      throw new MillraceError("INTERNAL", "not the cut of a chunk of MySQL or MariaDB");
    const xaCut = xa === null ? null : { before: parseLogPosition(xa.before), undecided: xa.undecided };
    return new LogCut(included === null ? null : parseLogPosition(included), parseLogPosition(bound), xaCut);
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
