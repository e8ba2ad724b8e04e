import { Op, type ChangeBatch, type Run } from "../../src/core/change-batch.ts";
import type { LogItem } from "../../src/core/line.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import type { Random } from "./random.ts";
import { SimCut, SimPosition, SimTransaction } from "./sim-log.ts";
import {
  ADDED_DEFAULT,
  keyedBatch,
  keyedSchema,
  PLAIN_SCHEMA,
  plainBatch,
  type SimChange,
  type SimPlainChange,
  type SimRow,
} from "./sim-rows.ts";

export const KEYS = 6;

/** What a transaction does besides its row changes; both lock the whole table, as databases do. */
type TableChange = "truncate" | "alter" | "truncate-plain" | null;

interface SimCommit {
  readonly transaction: SimTransaction;
  readonly table: TableChange;
  readonly changes: readonly SimChange[];
  readonly plain: readonly SimPlainChange[];
  /** The keyed table's version as its rows are written. */
  readonly version: number;
  /** Committed rows by key once it is visible; null: gone. */
  readonly after: ReadonlyMap<number, SimRow | null>;
}

/**
 * A database with a keyed table and one without a key. A commit stands in the log at once and becomes visible later, in
 * any order; until then its rows (and where it truncates or alters, the table) are locked.
 */
export class SimSource {
  readonly #random: Random;
  readonly #log: SimCommit[] = [];
  readonly #pending: SimCommit[] = [];
  readonly visible: Set<number> = new Set<number>();
  readonly rows: Map<number, SimRow> = new Map<number, SimRow>();
  plain: number[] = [];
  /** Of the visible table. */
  version: number = 1;
  readonly #locked = new Set<number>();
  #tableLocked = false;
  #plainLocked = false;
  /** Of the newest committed rows, visible or not. */
  #committedVersion = 1;
  /** Whether the log carries an alteration itself, as MySQL's does, or only shows it with the next row, as PostgreSQL's. */
  readonly #logsAlterations: boolean;
  readonly #withTruncate: boolean;
  /** How often a cut is exact: always, as PostgreSQL's, or now and then, as MySQL's. */
  readonly #exactness: number;
  /** What a cut that is not exact is not sure of for as long as it is recent. */
  readonly #doubted = new Set<number>();
  /** Transactions change keys below this: few, so that they meet on them, or all. */
  readonly #keysChanged: number;
  #ticks = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#exactness = random.chance(0.4) ? 1 : random.real() / 2;
    this.#keysChanged = random.chance(0.3) ? 2 : KEYS;
    this.#logsAlterations = random.chance(0.5);
    this.#withTruncate = random.chance(0.5);
    for (let key = 0; key < KEYS; key++) if (random.chance(0.6)) this.rows.set(key, this.#newRow(key));
    for (let i = random.below(4); i > 0; i--) this.plain.push(random.below(3));
  }

  get logLength(): number {
    return this.#log.length;
  }

  get quiet(): boolean {
    return this.#pending.length === 0;
  }

  #newRow(key: number): SimRow {
    const v = ++this.#ticks;
    const row = { key, v, a: this.#random.chance(0.2) ? null : v, b: `b${v}` };
    return this.#committedVersion === 1 ? row : { ...row, c: v };
  }

  commit(): void {
    const roll = this.#random.real();
    const free = this.#locked.size === 0 && !this.#tableLocked;
    if (free && roll < 0.04 && this.#withTruncate) return this.#commitTable("truncate");
    if (free && roll > 0.96 && this.#committedVersion === 1) return this.#commitTable("alter");
    const plainFree = !this.#plainLocked && this.#pending.every((of) => of.plain.length === 0);
    if (roll > 0.04 && roll < 0.06 && this.#withTruncate && plainFree) {
      this.#plainLocked = true;
      return this.#append("truncate-plain", [], [], new Map());
    }
    const changes: SimChange[] = [];
    const after = new Map<number, SimRow | null>();
    if (!this.#tableLocked) for (let i = this.#random.between(0, 2); i > 0; i--) this.#changeRow(changes, after);
    const plain = !this.#plainLocked && this.#random.chance(0.3) ? this.#changePlain() : [];
    this.#append(null, changes, plain, after);
  }

  #commitTable(table: "truncate" | "alter"): void {
    const after = new Map<number, SimRow | null>();
    if (table === "truncate") for (let key = 0; key < KEYS; key++) after.set(key, null);
    else this.#committedVersion = 2;
    this.#tableLocked = true;
    const changes: SimChange[] = [];
    if (table === "truncate" && this.#random.chance(0.5)) this.#changeRow(changes, after);
    this.#append(table, changes, [], after);
  }

  #append(
    table: TableChange,
    changes: readonly SimChange[],
    plain: readonly SimPlainChange[],
    after: ReadonlyMap<number, SimRow | null>,
  ): void {
    for (const key of after.keys()) this.#locked.add(key);
    const transaction = new SimTransaction(this.#log.length);
    const commit = { transaction, table, changes, plain, after, version: this.#committedVersion };
    if (this.#random.chance(0.3)) this.#doubted.add(transaction.sequence);
    this.#log.push(commit);
    this.#pending.push(commit);
  }

  #changeRow(changes: SimChange[], after: Map<number, SimRow | null>): void {
    const key = this.#random.below(this.#keysChanged);
    if (this.#locked.has(key)) return;
    const now = (of: number): SimRow | null => (after.has(of) ? after.get(of)! : (this.rows.get(of) ?? null));
    const row = now(key);
    const put = (op: Op, next: SimRow, known: SimRow = next): void => {
      after.set(next.key, next);
      changes.push({ op, row: known });
    };
    if (row === null) return put(Op.insert, this.#newRow(key));
    const roll = this.#random.real();
    const v = ++this.#ticks;
    if (roll < 0.25) return this.#delete(row, v, changes, after);
    if (roll < 0.45) return put(Op.update, { ...this.#newRow(key), v });
    const to = this.#random.below(KEYS);
    if (roll < 0.8 || this.#locked.has(to) || now(to) !== null) {
      const part = this.#random.chance(0.5) ? { key, v, a: v } : { key, v, b: `b${v}` };
      return put(Op.update, this.#altered({ ...row, ...part }), part);
    }
    this.#delete(row, v, changes, after);
    const moved = this.#altered({ ...row, key: to, v });
    if (this.#random.chance(0.3)) put(Op.insert, moved);
    else put(Op.moved, moved, this.#random.chance(0.3) ? moved : { key: to, v });
  }

  #delete(row: SimRow, v: number, changes: SimChange[], after: Map<number, SimRow | null>): void {
    after.set(row.key, null);
    changes.push({ op: Op.delete, row: { key: row.key, v } });
  }

  #altered(row: SimRow): SimRow {
    return this.#committedVersion === 1 || row.c !== undefined ? row : { ...row, c: ADDED_DEFAULT };
  }

  #changePlain(): SimPlainChange[] {
    const pendingDeletes = this.#pending.flatMap((commit) => commit.plain).filter((change) => change.op === Op.delete);
    const left = [...this.plain];
    for (const { value } of pendingDeletes) left.splice(left.indexOf(value), 1);
    if (left.length > 0 && this.#random.chance(0.5)) return [{ op: Op.delete, value: this.#random.of(left) }];
    return [{ op: Op.insert, value: this.#random.below(3) }];
  }

  /** One of the commits that wait becomes visible to new snapshots. */
  becomeVisible(): void {
    if (this.#pending.length === 0) return;
    const [commit] = this.#pending.splice(this.#random.below(this.#pending.length), 1);
    const { transaction, table, after, plain } = commit!;
    this.visible.add(transaction.sequence);
    for (const [key, row] of after) {
      this.#locked.delete(key);
      if (row === null) this.rows.delete(key);
      else this.rows.set(key, row);
    }
    for (const { op, value } of plain)
      if (op === Op.insert) this.plain.push(value);
      else this.plain.splice(this.plain.indexOf(value), 1);
    if (table === "truncate-plain") {
      this.#plainLocked = false;
      this.plain = [];
    } else if (table !== null) this.#tableLocked = false;
    if (table === "alter") {
      this.version = 2;
      for (const [key, row] of this.rows) this.rows.set(key, { ...row, c: ADDED_DEFAULT });
    }
  }

  /** What is visible now. Not exact: about some of the latest it is not sure. */
  cut(certainly: "exact" | null = null): SimCut {
    const sure = new Set(this.visible);
    const recent = [...sure].sort((a, b) => b - a).slice(0, this.#random.between(0, 8));
    const exact = certainly === "exact" || this.#random.chance(this.#exactness);
    if (!exact)
      for (const sequence of recent) if (this.#doubted.has(sequence) || this.#random.chance(0.2)) sure.delete(sequence);
    return new SimCut(sure, new SimPosition(this.#log.length), exact);
  }

  /** The shape of the keyed table that the log before `from` has shown: what a reader that begins there knows. */
  shownBefore(from: number): number {
    const shown = this.#log.slice(0, from).filter((commit) => this.#shows(commit));
    return Math.max(1, ...shown.map((commit) => commit.version));
  }

  #shows(commit: SimCommit): boolean {
    return this.#logsAlterations ? commit.table === "alter" : commit.changes.length > 0;
  }

  /** What the log reader sends for the next transactions, from `from` on, `known` being the shape it has sent last. */
  read(from: number, count: number, known: number): { readonly items: readonly LogItem[]; readonly known: number } {
    const items: LogItem[] = [];
    let keyed: SimCommit[] = [];
    let plain: SimCommit[] = [];
    const flush = (): void => {
      const batch = logBatch(keyed, keyedSchema(known));
      if (batch !== null) items.push({ kind: "rows", batch });
      keyed = [];
    };
    const flushPlain = (): void => {
      const batch = plainLogBatch(plain);
      if (batch !== null) items.push({ kind: "rows", batch });
      plain = [];
    };
    const flushAll = (position: number): void => {
      flush();
      flushPlain();
      items.push({ kind: "progress", position: new SimPosition(position), commitTimeMs: 0 });
    };
    const until = Math.min(from + count, this.#log.length);
    for (let i = from; i < until; i++) {
      const commit = this.#log[i]!;
      const { transaction } = commit;
      if (commit.table === "truncate") {
        flush();
        items.push({ kind: "truncate", table: keyedSchema(1).id, transaction });
      }
      if (commit.table === "truncate-plain") {
        flushPlain();
        items.push({ kind: "truncate", table: PLAIN_SCHEMA.id, transaction });
      }
      if (this.#shows(commit) && commit.version > known) {
        flushAll(i);
        items.push({ kind: "schema", schema: keyedSchema(commit.version), transaction });
        known = commit.version;
      }
      keyed.push(commit);
      plain.push(commit);
    }
    flushAll(until);
    return { items, known };
  }

  chunkRows(keys: readonly number[], schema: TableSchema): readonly ChangeBatch[] {
    const rows = keys.flatMap((key) => this.rows.get(key) ?? []);
    const split = this.#random.between(0, rows.length);
    return [rows.slice(0, split), rows.slice(split)]
      .filter((part) => part.length > 0)
      .map((part) => keyedBatch(schema, part, null, []));
  }
}

function logBatch(commits: readonly SimCommit[], schema: TableSchema): ChangeBatch | null {
  const rows: SimRow[] = [];
  const ops: Op[] = [];
  const runs: Run[] = [];
  for (const { transaction, changes } of commits) {
    if (changes.length > 0) runs.push({ firstRow: rows.length, transaction });
    for (const change of changes) {
      rows.push(change.row);
      ops.push(change.op);
    }
  }
  return rows.length === 0 ? null : keyedBatch(schema, rows, ops, runs);
}

function plainLogBatch(commits: readonly SimCommit[]): ChangeBatch | null {
  const values: number[] = [];
  const ops: Op[] = [];
  const runs: Run[] = [];
  for (const { transaction, plain } of commits) {
    if (plain.length > 0) runs.push({ firstRow: values.length, transaction });
    for (const { op, value } of plain) {
      values.push(value);
      ops.push(op);
    }
  }
  return values.length === 0 ? null : plainBatch(values, ops, runs);
}
