import type { Brand } from "../../core/brand.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { Cut, Position, Transaction } from "../../core/position.ts";

/** A WAL location, 64 bit. */
export type PgLsn = Brand<bigint, "PgLsn">;
/** A transaction id with its epoch, as `pg_current_xact_id()` prints it. */
export type Xid64 = Brand<bigint, "Xid64">;

export const pgLsn = (value: bigint): PgLsn => value as PgLsn;
export const xid64 = (value: bigint): Xid64 => value as Xid64;

const LSN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/** From the server's text form, `16/B374D848`. */
export function parseLsn(text: string): PgLsn {
  const match = LSN.exec(text);
  if (match === null) throw new MillraceError("INTERNAL", `not a WAL location: ${JSON.stringify(text)}`);
  return pgLsn((BigInt(`0x${match[1]!}`) << 32n) | BigInt(`0x${match[2]!}`));
}

export function formatLsn(lsn: PgLsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

/**
 * A 32-bit xid of the log with the epoch that puts it within ±2³¹ of a known 64-bit one. All xids that a log and a
 * snapshot can speak of together lie that close.
 */
export function widenXid(xid: number, near: Xid64): Xid64 {
  const low = BigInt(xid);
  const distance = BigInt.asIntN(32, low - near);
  return xid64(near + distance);
}

/** A transaction of the WAL: top-level xid and the LSN of its commit record. */
export class PgTransaction implements Transaction {
  readonly xid: Xid64;
  readonly commitLsn: PgLsn;
  readonly commitTimeMs: number;

  constructor(xid: Xid64, commitLsn: PgLsn, commitTimeMs: number) {
    this.xid = xid;
    this.commitLsn = commitLsn;
    this.commitTimeMs = commitTimeMs;
  }

  get id(): string {
    return this.xid.toString();
  }

  get place(): string {
    return formatLsn(this.commitLsn);
  }
}

/**
 * How much of the WAL is done: every transaction whose commit record ends at or before `lsn` (a *commit end* LSN, or
 * any later place up to which the walsender has sent everything). WAL is totally ordered, so one LSN says it all.
 */
export class PgPosition implements Position {
  readonly lsn: PgLsn;

  constructor(lsn: PgLsn) {
    this.lsn = lsn;
  }

  has(transaction: Transaction): boolean {
    return pgTransaction(transaction).commitLsn < this.lsn;
  }

  covers(other: Position): boolean {
    return pgPosition(other).lsn <= this.lsn;
  }

  meet(other: Position): Position {
    return this.covers(other) ? other : this;
  }

  serialize(): Json {
    return formatLsn(this.lsn);
  }

  static parse(json: Json): PgPosition {
    if (typeof json !== "string") throw new MillraceError("INTERNAL", "a PostgreSQL position is a WAL location");
    return new PgPosition(parseLsn(json));
  }

  toString(): string {
    return formatLsn(this.lsn);
  }
}

/**
 * The cut of a PostgreSQL chunk: the `pg_snapshot` its transaction reads under, and the insert LSN asked right after.
 * Exact on a primary. Comparing LSNs would not be: a commit is in the WAL before snapshots see it.
 */
export class PgCut implements Cut {
  readonly xmin: Xid64;
  readonly xmax: Xid64;
  readonly bound: PgPosition;
  readonly #inProgress: ReadonlySet<bigint>;
  readonly #snapshot: string;

  /** `snapshot` is the server's text form: `xmin:xmax:xip,xip…`. */
  constructor(snapshot: string, bound: PgPosition) {
    const [xmin, xmax, list] = snapshot.split(":");
    if (xmin === undefined || xmax === undefined || list === undefined)
      throw new MillraceError("INTERNAL", `not a pg_snapshot: ${JSON.stringify(snapshot)}`);
    this.xmin = xid64(BigInt(xmin));
    this.xmax = xid64(BigInt(xmax));
    this.bound = bound;
    this.#inProgress = new Set(list === "" ? [] : list.split(",").map(BigInt));
    this.#snapshot = snapshot;
  }

  surelyIncludes(transaction: Transaction): boolean {
    return this.includesXid(pgTransaction(transaction).xid);
  }

  mayInclude(transaction: Transaction): boolean {
    return this.surelyIncludes(transaction);
  }

  includesXid(xid: Xid64): boolean {
    return xid < this.xmax && !this.#inProgress.has(xid);
  }

  serialize(): Json {
    return { snapshot: this.#snapshot, bound: this.bound.serialize() };
  }

  static parse(json: Json): PgCut {
    const { snapshot, bound } = json as { snapshot?: Json; bound?: Json };
    if (typeof snapshot !== "string" || bound === undefined)
      throw new MillraceError("INTERNAL", "not the cut of a PostgreSQL chunk");
    return new PgCut(snapshot, PgPosition.parse(bound));
  }
}

function pgTransaction(transaction: Transaction): PgTransaction {
  if (transaction instanceof PgTransaction) return transaction;
  throw new MillraceError("INTERNAL", "a transaction of another source");
}

function pgPosition(position: Position): PgPosition {
  if (position instanceof PgPosition) return position;
  throw new MillraceError("INTERNAL", "a position of another source");
}
