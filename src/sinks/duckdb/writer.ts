import { BufferLoan, type BufferPool } from "../../core/buffer-pool.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { MillraceError } from "../../core/errors.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import type { DuckdbTuning } from "./config.ts";
import { feedColumns, feedPart, valueColumns } from "./change-rows.ts";
import type { Feed, FeedPart } from "./feed.ts";
import { keyedApplySql, keyedFoldSql, touchedJoin } from "./keyed-fold.ts";
import { keylessFoldSql } from "./keyless-fold.ts";
import { columnMapping } from "./schema.ts";
import type { DuckdbSession } from "./session.ts";
import { foldedName } from "./target-name.ts";
import { createChangesSql, insertChangesSql, insertRowsSql, type Target } from "./target.ts";

const SEQUENCE_MAX = 0x7fff_ffff;

/** An estimate of a target's rows is asked for again when so many rows have come since. */
const ESTIMATED_AGAIN = 131_072;

/** Neighbouring batches of a table that go in by one statement: of one origin and one schema version. */
export interface Group {
  readonly origin: "snapshot" | "log";
  readonly batchSchema: TableSchema;
  readonly mapping: readonly number[];
  readonly parts: FeedPart[];
  /** The memory of the parts: the batches', and what was made of them. */
  readonly batches: ChangeBatch[];
  readonly loan: BufferLoan;
  rows: number;
  bytes: number;
  deletes: boolean;
  partial: boolean;
}

/** What of the table's changes lies in its temporary change table. */
interface Waiting {
  rows: number;
  bytes: number;
  partial: boolean;
}

/**
 * One table's way into its target, within the sink's open transaction. `add` keeps batches; `load` brings them into
 * DuckDB: rows that nothing can be in the way of go straight in, changes are applied to the target where that is the
 * cheaper way, and all others go into the epoch's change table; `fold` brings that into the target.
 */
export class TableWriter {
  target: Target;
  readonly #session: DuckdbSession;
  readonly #feed: Feed;
  readonly #pool: BufferPool;
  readonly #tuning: DuckdbTuning;
  #groups: Group[] = [];
  #waiting: Waiting | null = null;
  /** Rows of the epoch, numbered in their order. */
  #sequence = 0;
  /** Whether the log has touched a key since the snapshot began, as far as it is in the side table. */
  #touched: boolean;
  /** About as many as the target has: DuckDB's last estimate, and those that came since. */
  #rows: number;
  #rowsSince = 0;

  constructor(
    session: DuckdbSession,
    feed: Feed,
    pool: BufferPool,
    tuning: DuckdbTuning,
    target: Target,
    touched: boolean,
    rows: number,
  ) {
    this.#session = session;
    this.#pool = pool;
    this.#feed = feed;
    this.#tuning = tuning;
    this.target = target;
    this.#touched = touched;
    this.#rows = rows;
  }

  add(batch: ChangeBatch): void {
    if (this.#sequence + batch.length > SEQUENCE_MAX)
      throw new MillraceError("SINK_FAILED", `One epoch has more than ${SEQUENCE_MAX} rows of ${this.target.id}.`);
    let group = this.#groups.at(-1);
    if (group === undefined || group.origin !== batch.origin || group.batchSchema.version !== batch.schema.version) {
      group = {
        origin: batch.origin,
        batchSchema: batch.schema,
        mapping: columnMapping(this.target.schema, batch.schema),
        parts: [],
        batches: [],
        loan: new BufferLoan(this.#pool),
        rows: 0,
        bytes: 0,
        deletes: false,
        partial: false,
      };
      this.#groups.push(group);
    }
    const { part, deletes, partial } = feedPart(batch, group.mapping, this.#sequence, group.loan);
    this.#sequence += batch.length;
    group.parts.push(part);
    group.batches.push(batch);
    group.rows += batch.length;
    group.bytes += batch.bytes;
    group.deletes ||= deletes;
    group.partial ||= partial;
  }

  /** Hands over what was added, to be given to `load`; nothing of it is kept here. */
  take(): readonly Group[] {
    const groups = this.#groups;
    this.#groups = [];
    return groups;
  }

  /** `last`: the epoch has no others. */
  async load(groups: readonly Group[], last: boolean): Promise<void> {
    for (const group of groups) {
      await this.#loadGroup(group, last && group === groups.at(-1));
      this.#rows += group.rows;
      this.#rowsSince += group.rows;
      for (const batch of group.batches) batch.recycle?.();
      group.loan.end();
      const { rows, bytes } = this.#waiting ?? { rows: 0, bytes: 0 };
      if (rows >= this.#tuning.changeRowsMax || bytes >= this.#tuning.changeBytesMax) await this.fold();
    }
  }

  async #loadGroup(group: Group, last: boolean): Promise<void> {
    const { mapping } = group;
    const way = await this.#wayOf(group, last);
    const columns = (way === "straight" ? valueColumns : feedColumns)(this.target.schema, mapping);
    const rows = { columns, parts: group.parts, length: group.rows };
    switch (way) {
      case "straight":
        return this.#feed.run(rows, (from) => [insertRowsSql(this.target, mapping, from)]);
      case "apply":
        this.#touched = this.target.touched !== null;
        return this.#feed.run(rows, (from) => [keyedApplySql(this.target, mapping, from).join(";\n")]);
      case "changes":
        await this.#toChanges(group);
        return this.#feed.run(rows, (from) => [insertChangesSql(this.target, mapping, from)]);
      case "split": {
        const before = this.#waiting !== null;
        const anti = touchedJoin("ANTI", this.target, before);
        await this.#feed.run(rows, (from) => [insertRowsSql(this.target, mapping, from, anti)]);
        const semi = touchedJoin("SEMI", this.target, before);
        await this.#toChanges(group);
        return this.#feed.run(rows, (from) => [insertChangesSql(this.target, mapping, from, semi)]);
      }
    }
  }

  /**
   * Which way rows may go. Straight in where nothing of their key can be there or wait: a snapshot's rows while the log
   * has touched nothing, and inserts into a table without a key while no delete waits.
   */
  async #wayOf(group: Group, last: boolean): Promise<"straight" | "apply" | "changes" | "split"> {
    if (this.target.schema.key.length === 0) return group.deletes || this.#waiting !== null ? "changes" : "straight";
    if (group.origin === "log" || this.target.touched === null)
      return (await this.#mayApply(group, last)) ? "apply" : "changes";
    return this.#touched || this.#waiting !== null ? "split" : "straight";
  }

  /**
   * Whether to bring whole rows and deletes into the target at once. That has one thread search the target for each group;
   * the change table has it searched once, by all threads, at the price of writing and reading its rows once more.
   */
  async #mayApply(group: Group, last: boolean): Promise<boolean> {
    if (group.partial || this.#waiting !== null) return false;
    const { searchedPerChange, searchedAtEnd } = this.#tuning;
    const rows = await this.estimatedRows();
    return rows < group.rows * searchedPerChange || (last && rows < searchedAtEnd);
  }

  /** About as many as the target has: updates and deletes count like inserts until DuckDB is asked again. */
  async estimatedRows(): Promise<number> {
    if (this.#rowsSince > ESTIMATED_AGAIN) {
      const estimates = await this.#session.estimatedRows();
      this.#rows = estimates.get(foldedName(this.target.name)) ?? 0;
      this.#rowsSince = 0;
    }
    return this.#rows;
  }

  async #toChanges(group: Group): Promise<void> {
    if (this.#waiting === null) {
      await this.#session.run(createChangesSql(this.target));
      this.#waiting = { rows: 0, bytes: 0, partial: false };
    }
    this.#waiting.rows += group.rows;
    this.#waiting.bytes += group.bytes;
    this.#waiting.partial ||= group.partial;
  }

  /** Brings the change table into the target, and notes its keys as touched. */
  async fold(): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    const keyless = this.target.schema.key.length === 0;
    const statements = keyless ? keylessFoldSql(this.target) : keyedFoldSql(this.target, waiting.partial);
    this.#touched = this.target.touched !== null;
    await this.#session.run(...this.#session.inParallel(statements));
  }

  /** Empties the table: what was added or waits before is overtaken by it. */
  async truncate(): Promise<void> {
    this.#groups = [];
    const statements = [`DELETE FROM ${this.target.table}`];
    if (this.#waiting !== null) statements.push(`DROP TABLE ${this.target.changes}`);
    if (this.target.touched !== null) statements.push(`DELETE FROM ${this.target.touched}`);
    this.#waiting = null;
    this.#touched = false;
    this.#rows = 0;
    await this.#session.run(...statements);
  }

  /** The snapshot's side table goes. Everything added before was loaded. */
  async endSnapshot(): Promise<void> {
    const { touched } = this.target;
    if (touched === null) return;
    this.target = { ...this.target, touched: null };
    this.#touched = false;
    await this.#session.run(`DROP TABLE ${touched}`);
  }

  /** After a commit: the next epoch's rows are numbered anew. */
  epochEnded(): void {
    this.#sequence = 0;
  }
}
