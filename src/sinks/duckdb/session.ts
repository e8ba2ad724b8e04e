import duckdb, { type Connection, type Database, type InstanceCache } from "@duckdb/node-bindings";
import { DuckDBConnection, type DuckDBValue } from "@duckdb/node-api";
import { randomUUID } from "node:crypto";
import { realpath } from "node:fs/promises";
import path from "node:path";
import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { DuckdbOptions } from "./config.ts";
import { duckdbError } from "./errors.ts";
import { foldedName, type TargetName } from "./target-name.ts";

/** A row of text, numbers and nulls, by column name. */
export type Row = Readonly<Record<string, string | number | bigint | null>>;

/** What the process needs beside DuckDB's memory limit. */
const BESIDE_LIMIT_BYTES = 200 << 20;

/** Memory is given back again when the process has grown by so much since it was. */
const TRIMMED_AGAIN_BYTES = 24 << 20;

/**
 * Files this process has open. Two sinks of one process on one file must share DuckDB's instance: the lock on the file
 * belongs to the process, so a second instance would open it and ruin it.
 */
let instances: InstanceCache | null = null;

/** An open DuckDB file and one connection to it. Statements run one at a time, off this thread. */
export class DuckdbSession {
  /** The name DuckDB gives the file's database: names are qualified with it. */
  readonly database: string;
  readonly connection: Connection;
  readonly #path: string;
  readonly #instance: Database;
  readonly #reader: DuckDBConnection;
  readonly #threads: number;
  readonly #ambient: Ambient;
  readonly #memoryMax: number;
  #trimAbove: number;
  #closed = false;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(
    path: string,
    database: string,
    instance: Database,
    connection: Connection,
    options: DuckdbOptions,
    ambient: Ambient,
  ) {
    this.#path = path;
    this.#ambient = ambient;
    this.#threads = options.threads;
    this.#memoryMax = options.memoryLimitBytes + BESIDE_LIMIT_BYTES;
    this.#trimAbove = this.#memoryMax;
    this.database = database;
    this.#instance = instance;
    this.connection = connection;
    this.#reader = new DuckDBConnection(connection);
  }

  static async open(options: DuckdbOptions, ambient: Ambient): Promise<DuckdbSession> {
    const file = await canonicalPath(options.path);
    try {
      const config = duckdb.create_config();
      const settings = {
        memory_limit: `${options.memoryLimitBytes}B`,
        // See `inParallel`.
        threads: "1",
        preserve_insertion_order: "false",
        temp_directory: `${file}.tmp`,
        autoinstall_known_extensions: "false",
        // Until it is known whether the file has wide rows.
        max_vacuum_tasks: "0",
      };
      for (const [name, value] of Object.entries(settings)) duckdb.set_config(config, name, value);
      instances ??= duckdb.create_instance_cache();
      const instance = await duckdb.get_or_create_from_cache(instances, file, config);
      const connection = await duckdb.connect(instance);
      const reader = new DuckDBConnection(connection);
      const [named] = (await reader.runAndReadAll("SELECT current_database() AS name")).getRowObjectsJS() as Row[];
      return new DuckdbSession(file, String(named!["name"]), instance, connection, options, ambient);
    } catch (error) {
      throw duckdbError(error, options.path);
    }
  }

  /** A name for something of this connection's own that all connections see. */
  uniqueName(stem: string): string {
    return `${stem}_${randomUUID().replaceAll("-", "")}`;
  }

  /**
   * Whether checkpoints put short row groups together. Where rows are wide they must not: every 2,048 rows of a row group
   * are brought into memory at once. A setting of the whole file, so other tables' row groups stay short too.
   */
  async compact(on: boolean): Promise<void> {
    await this.run(on ? "RESET GLOBAL max_vacuum_tasks" : "SET GLOBAL max_vacuum_tasks = 0");
  }

  /**
   * The statements with all of the sink's threads for them, where the work can be shared. Otherwise there is one: while a
   * feed has none of its rows ready, any other thread asks for work in a loop, and takes a core from those that make the
   * rows.
   */
  inParallel(statements: readonly string[]): readonly string[] {
    if (this.#threads === 1) return statements;
    return [`SET GLOBAL threads = ${this.#threads}`, ...statements, "SET GLOBAL threads = 1"];
  }

  /**
   * Gives memory that is not in use back to the system, where the process has more than it should. DuckDB does it by itself
   * when one of its threads ends, and has none to end while there is only one; to do it always costs a sixth of the speed.
   */
  async trim(): Promise<void> {
    if (this.#ambient.residentBytes() < this.#trimAbove) return;
    await this.run("SET GLOBAL threads = 2", "SET GLOBAL threads = 1");
    this.#trimAbove = Math.max(this.#memoryMax, this.#ambient.residentBytes() + TRIMMED_AGAIN_BYTES);
  }

  /** Folds the write-ahead log into the file. False: another transaction in this process is in the way. */
  async checkpoint(): Promise<boolean> {
    try {
      await this.run("CHECKPOINT");
      await this.trim();
      return true;
    } catch (error) {
      const { cause } = error as Error;
      if (cause instanceof Error && cause.message.includes("Cannot CHECKPOINT")) return false;
      throw error;
    }
  }

  /** Runs statements in order. Together they cost less than one by one: each call waits for its turn on this thread. */
  async run(...statements: readonly string[]): Promise<void> {
    await this.#exclusive(() => duckdb.query(this.connection, statements.join(";\n")));
  }

  /** Runs one statement with parameters. */
  async execute(sql: string, values: readonly DuckDBValue[]): Promise<void> {
    await this.#exclusive(() => this.#reader.run(sql, [...values]));
  }

  async rows(sql: string, values: readonly DuckDBValue[] = []): Promise<readonly Row[]> {
    const result = await this.#exclusive(() => this.#reader.runAndReadAll(sql, [...values]));
    return result.getRowObjectsJS() as Row[];
  }

  /** About as many rows as each of the file's tables has, by `foldedName`. Reads the whole catalogue. */
  async estimatedRows(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.rows(
      "SELECT schema_name, table_name, estimated_size FROM duckdb_tables() WHERE database_name = $1",
      [this.database],
    );
    const nameOf = (row: Row): TargetName => ({ schema: String(row["schema_name"]), table: String(row["table_name"]) });
    return new Map(rows.map((row) => [foldedName(nameOf(row)), Number(row["estimated_size"])]));
  }

  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new MillraceError("SINK_CLOSED", `The DuckDB file ${this.#path} is closed.`);
    const running = work();
    this.#running = running.catch(() => undefined);
    try {
      return await running;
    } catch (error) {
      if (this.#closed) throw new MillraceError("SINK_CLOSED", `Writing to ${this.#path} was interrupted.`);
      throw duckdbError(error, this.#path);
    }
  }

  /**
   * Ends what runs, rolls back, and gives the file free, its write-ahead log folded into it where nobody else of this
   * process uses it.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    duckdb.interrupt(this.connection);
    await this.#running;
    for (const sql of ["ROLLBACK", "CHECKPOINT"]) await duckdb.query(this.connection, sql).catch(() => undefined);
    this.#reader.disconnectSync();
    duckdb.close_sync(this.#instance);
  }
}

/** One spelling for one file, however it is named. A missing folder is left to DuckDB to complain about. */
async function canonicalPath(file: string): Promise<string> {
  const absolute = path.resolve(file);
  try {
    return await realpath(absolute);
  } catch {
    const folder = await realpath(path.dirname(absolute)).catch(() => path.dirname(absolute));
    return path.join(folder, path.basename(absolute));
  }
}
