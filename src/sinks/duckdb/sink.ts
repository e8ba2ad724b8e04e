import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import type { Ambient } from "../../core/ambient.ts";
import { BufferPool } from "../../core/buffer-pool.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { Transaction } from "../../core/position.ts";
import type { CommittedRecord, EpochRecord } from "../../core/record.ts";
import type { BeginMode, Sink } from "../../core/sink.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import { AppenderFeed } from "./appender-feed.ts";
import { DUCKDB_TUNING, type DuckdbOptions, type DuckdbTuning } from "./config.ts";
import type { Feed } from "./feed.ts";
import { addColumnsSql, createTableSql } from "./schema.ts";
import { DuckdbSession } from "./session.ts";
import { OpenTables } from "./open-tables.ts";
import { StateTables, type TableRow } from "./state.ts";
import { TableFeed } from "./table-feed.ts";
import { checkColumnNames, foldedName, nameClash, qualifiedName, qualifiedSchema, targetName } from "./target-name.ts";
import { createTouchedSql, type Target } from "./target.ts";
import { WideRows } from "./wide-rows.ts";
import { TableWriter } from "./writer.ts";

const POOL_BYTES_MAX = 8 << 20;

export function createDuckdbSink(options: DuckdbOptions, ambient: Ambient, tuning: DuckdbTuning = DUCKDB_TUNING): Sink {
  return new DuckdbSink(options, ambient, tuning);
}

/** What there is while the file is open. */
interface Opened {
  readonly session: DuckdbSession;
  readonly feed: Feed;
  readonly state: StateTables;
  readonly wide: WideRows;
  readonly tables: OpenTables;
  readonly pipeline: string;
}

/**
 * Writes a pipeline into a DuckDB file: an epoch is one transaction, which begins with the first statement that needs it
 * and ends in `commit` with the record. DDL has transactions of its own before it: DuckDB cannot commit a DELETE or
 * UPDATE followed by an ALTER. Buffered rows go in by one statement while the next ones are taken.
 */
class DuckdbSink implements Sink {
  readonly kind = "table";
  readonly #options: DuckdbOptions;
  readonly #ambient: Ambient;
  readonly #tuning: DuckdbTuning;
  /** Memory of what is made of the batches, for DuckDB's layout. */
  readonly #pool = new BufferPool(POOL_BYTES_MAX);
  readonly #writers = new Map<TableId, TableWriter>();
  readonly #begun = new Map<TableId, number>();
  /** From the start of `open` or `forget`: a `close` that comes meanwhile must find it. */
  #session: Promise<DuckdbSession> | null = null;
  #opened: Opened | null = null;
  #inTransaction = false;
  /** The writers that have rows to be loaded. */
  readonly #filled = new Set<TableWriter>();
  #buffered = { rows: 0, bytes: 0 };
  #pendingBytes = 0;
  #loading: Promise<void> = Promise.resolve();
  /** What broke the epoch: a half-written one must never be committed, so every later call fails by it too. */
  #broken: { readonly error: unknown } | null = null;

  constructor(options: DuckdbOptions, ambient: Ambient, tuning: DuckdbTuning) {
    this.#options = options;
    this.#ambient = ambient;
    this.#tuning = tuning;
  }

  async open(pipeline: string, signal: AbortSignal): Promise<CommittedRecord | null> {
    signal.throwIfAborted();
    this.#session = DuckdbSession.open(this.#options, this.#ambient);
    const session = await this.#session;
    try {
      const state = new StateTables(session, pipeline);
      await state.prepare();
      const run = (sql: string): Promise<void> => session.run(sql);
      const feed =
        this.#tuning.feed === "appender"
          ? new AppenderFeed(session.connection, run)
          : new TableFeed(session.connection, session.uniqueName("millrace_feed"), run, this.#pool);
      const wide = new WideRows(session, state, this.#options.memoryLimitBytes);
      const made = await state.recall();
      await wide.recall(made);
      const tables = new OpenTables(session, this.#options.memoryLimitBytes);
      this.#opened = { session, feed, state, wide, tables, pipeline };
      const estimates = await session.estimatedRows();
      for (const row of made)
        if (row.pipeline === pipeline)
          this.#serve(row, estimates.get(foldedName(row.name)) ?? 0, await this.#touchedRows(row));
      return await state.committed();
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async forget(pipeline: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!existsSync(this.#options.path)) return;
    this.#session = DuckdbSession.open(this.#options, this.#ambient);
    const session = await this.#session;
    try {
      await new StateTables(session, pipeline).forget();
    } finally {
      await session.close();
    }
  }

  async #touchedRows({ touched }: TableRow): Promise<number> {
    if (touched === null) return 0;
    const { session, state } = this.#open();
    return Number((await session.rows(`SELECT count(*) AS n FROM ${state.table(touched)}`))[0]!["n"]);
  }

  /** Makes a table of the state one that can be written, with about so many rows in its target, and so many in its side table. */
  #serve(row: TableRow, rows: number, touchedRows: number): void {
    const { session, feed, state, wide } = this.#open();
    wide.begin(row);
    const touched = row.touched === null ? null : state.table(row.touched);
    const stem = `"${digest(row.id)}`;
    const target: Target = {
      id: row.id,
      name: row.name,
      table: qualifiedName(session.database, row.name),
      schema: row.schema,
      touched,
      changes: `temp.main.${stem}_changes"`,
      last: `temp.main.${stem}_last"`,
      laid: `temp.main.${stem}_laid"`,
    };
    this.#begun.set(row.id, row.incarnation);
    this.#writers.set(row.id, new TableWriter(session, feed, this.#pool, this.#tuning, target, touchedRows > 0, rows));
  }

  async beginTable(schema: TableSchema, incarnation: number, _mode: BeginMode): Promise<void> {
    const { session, state, pipeline } = this.#open();
    this.#checkBetweenEpochs("beginTable");
    checkColumnNames(schema);
    const name = targetName(schema);
    const ours = this.#isOurs(schema);
    const table = qualifiedName(session.database, name);
    const sideTable = `touched_${digest(pipeline, schema.id)}`;
    const touched = schema.key.length === 0 ? null : sideTable;
    const statements = [
      `CREATE SCHEMA IF NOT EXISTS ${qualifiedSchema(session.database, name)}`,
      // In every mode: the shape may be another one, and an earlier attempt of this incarnation left nothing committed.
      ...(ours ? [`DROP TABLE IF EXISTS ${table}`] : []),
      createTableSql(table, schema, this.#options.primaryKey),
      `DROP TABLE IF EXISTS ${state.table(sideTable)}`,
    ];
    if (touched !== null) statements.push(createTouchedSql(state.table(touched), schema));
    const row = { pipeline, id: schema.id, name, incarnation, touched, rowBytes: 0, schema };
    await this.#transaction(async () => {
      await session.run(...statements);
      await state.saveTable(row);
    }).catch((error: unknown) => {
      const exists = error instanceof MillraceError && error.code === "SINK_TABLE_EXISTS";
      throw exists ? this.#targetExists(schema, "by no pipeline") : error;
    });
    this.#serve(row, 0, 0);
    this.#ambient.failpoint("sink.table-begun");
  }

  begun(): ReadonlyMap<TableId, number> {
    return this.#begun;
  }

  /** Whether the target was made for this table. Refuses that of another pipeline, or of another table of this one. */
  #isOurs(schema: TableSchema): boolean {
    const { state, pipeline } = this.#open();
    const name = targetName(schema);
    const maker = state.maker(name);
    if (maker === null) return false;
    if (maker.pipeline !== pipeline) throw this.#targetExists(schema, `by the pipeline ${maker.pipeline}`);
    if (maker.id === schema.id) return true;
    throw nameClash(schema, `its target ${name.schema}.${name.table} is that of ${maker.id} already`);
  }

  #targetExists(schema: TableSchema, made: string): MillraceError {
    const name = targetName(schema);
    return new MillraceError(
      "SINK_TABLE_EXISTS",
      `The target ${name.schema}.${name.table} exists already, made ${made}.`,
      {
        place: { table: schema.id },
        hint: `Drop it (DROP TABLE ${qualifiedName(this.#open().session.database, name)};), rename it, or choose another file.`,
      },
    );
  }

  async applySchema(schema: TableSchema): Promise<void> {
    const { session, state } = this.#open();
    this.#checkBetweenEpochs("applySchema");
    checkColumnNames(schema);
    const row = state.mine(schema.id);
    const writer = this.#writer(schema.id);
    const { target } = writer;
    const found = await session.rows(
      "SELECT column_name, column_default FROM duckdb_columns() WHERE database_name = $1 AND lower(schema_name) = lower($2) AND lower(table_name) = lower($3)",
      [session.database, target.name.schema, target.name.table],
    );
    const present = found.map((it) => ({
      name: String(it["column_name"]),
      hasDefault: it["column_default"] !== null,
    }));
    for (const sql of addColumnsSql(target.table, schema, present)) await session.run(sql);
    const changed = { ...row, schema };
    await this.#transaction(() => state.saveTable(changed));
    this.#serve(changed, await writer.estimatedRows(), await this.#touchedRows(changed));
    this.#ambient.failpoint("sink.schema-applied");
  }

  async write(batch: ChangeBatch): Promise<void> {
    await this.#inEpoch(async () => {
      if (batch.length === 0) return;
      if (!this.#inTransaction) this.#startBeginning();
      const writer = this.#writer(batch.schema.id);
      writer.add(batch);
      this.#filled.add(writer);
      this.#buffered.rows += batch.length;
      this.#buffered.bytes += batch.bytes;
      const { wide, tables } = this.#open();
      this.#pendingBytes += wide.weigh(batch) + tables.weigh(batch);
      const { bufferRowsMax, bufferBytesMax } = this.#tuning;
      if (this.#buffered.rows < bufferRowsMax && this.#buffered.bytes < bufferBytesMax) return;
      await this.#loading;
      this.#startLoading("some");
    });
  }

  async #inEpoch(work: () => Promise<void>): Promise<void> {
    if (this.#broken !== null) throw this.#broken.error;
    try {
      await work();
    } catch (error) {
      this.#broken = { error: this.#opened?.tables.explain(error) ?? error };
      throw this.#broken.error;
    }
  }

  /**
   * Hands everything buffered to DuckDB, and lets the next batches come meanwhile. Nothing else may be under way. `rest`:
   * the epoch has no rows behind them.
   */
  #startLoading(what: "some" | "rest"): void {
    const loads = [...this.#filled].map((writer) => ({ writer, groups: writer.take() }));
    this.#filled.clear();
    this.#buffered = { rows: 0, bytes: 0 };
    this.#loading = (async () => {
      await this.#begin();
      for (const { writer, groups } of loads) {
        await writer.load(groups, what === "rest");
        await this.#open().session.trim();
      }
    })();
    // Whoever awaits it next reports the failure.
    this.#loading.catch(() => undefined);
  }

  /** Everything accepted is in DuckDB, in the open transaction. */
  async #load(what: "some" | "rest"): Promise<void> {
    await this.#loading;
    this.#startLoading(what);
    await this.#loading;
  }

  /** With the epoch's first rows, while more of them come. */
  #startBeginning(): void {
    this.#loading = this.#begin();
    this.#loading.catch(() => undefined);
  }

  async #begin(): Promise<void> {
    if (this.#inTransaction) return;
    this.#inTransaction = true;
    await this.#open().session.run("BEGIN TRANSACTION");
  }

  async truncate(table: TableId, _transaction: Transaction | null): Promise<void> {
    await this.#inEpoch(async () => {
      const writer = this.#writer(table);
      await this.#loading;
      await this.#begin();
      await writer.truncate();
    });
  }

  async endSnapshot(table: TableId): Promise<void> {
    await this.#inEpoch(async () => {
      const { state } = this.#open();
      const writer = this.#writer(table);
      await this.#load("some");
      await writer.endSnapshot();
      state.endSnapshot(table);
    });
  }

  /** An epoch is one transaction: there is nothing to stage. */
  async prepare(): Promise<Json> {
    return null;
  }

  async commit(record: EpochRecord): Promise<void> {
    await this.#inEpoch(async () => {
      const { session, state, wide, tables } = this.#open();
      await this.#load("rest");
      for (const writer of this.#writers.values()) await writer.fold();
      this.#ambient.failpoint("sink.changes-applied");
      await state.write(record);
      await wide.save();
      this.#ambient.failpoint("sink.record-written");
      await session.run("COMMIT");
      this.#inTransaction = false;
      this.#pendingBytes = 0;
      for (const writer of this.#writers.values()) writer.epochEnded();
      await session.trim();
      await tables.epochEnded();
    });
  }

  pendingBytes(): number {
    return this.#pendingBytes;
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => null);
    await session?.close();
    await this.#loading.catch(() => undefined);
    this.#opened = null;
  }

  /** A transaction of its own, for what comes before an epoch's rows. */
  async #transaction(work: () => Promise<void>): Promise<void> {
    const { session } = this.#open();
    await session.run("BEGIN TRANSACTION");
    try {
      await work();
      await session.run("COMMIT");
    } catch (error) {
      await session.run("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  #open(): Opened {
    if (this.#opened === null) throw new MillraceError("SINK_CLOSED", "The DuckDB sink is not open.");
    return this.#opened;
  }

  #writer(table: TableId): TableWriter {
    this.#open();
    const writer = this.#writers.get(table);
    if (writer === undefined) throw new MillraceError("INTERNAL", `table ${table} was not begun in the sink`);
    return writer;
  }

  #checkBetweenEpochs(call: string): void {
    if (this.#inTransaction || this.#pendingBytes > 0)
      throw new MillraceError("INTERNAL", `${call} was called after rows of the epoch`);
  }
}

/** Short, and of a form that needs no quoting. */
function digest(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}
