import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import pg from "pg";
import { createFileStore } from "../../src/checkpoint/file/store.ts";
import { createRedisStore } from "../../src/checkpoint/redis/store.ts";
import type { CheckpointStore } from "../../src/core/checkpoint-store.ts";
import type { CommittedRecord, TablePart, TableState } from "../../src/core/record.ts";
import { readStatusFile, type StatusDocument } from "../../src/observe/status-file.ts";
import { tableId } from "../../src/core/table-schema.ts";
import { parseRedisUrl, redisOptions } from "../../src/pipeline/redis-url.ts";
import { DUCKDB_DEFAULTS } from "../../src/sinks/duckdb/config.ts";
import { createDuckdbSink } from "../../src/sinks/duckdb/sink.ts";
import { createParquetSink } from "../../src/sinks/parquet/sink.ts";
import { type ComparedDatabase, tableDifferences } from "./compare.ts";
import { encoderUrl, lakeViews, parquetOptions } from "./lake.ts";
import { LakeLog } from "./lake-log.ts";
import { type MillraceProcess, millraceProcess, type ProcessOptions } from "./millrace-process.ts";
import { TestMysqlDatabase } from "./mysql.ts";
import { type TempFolder, tempFolder } from "./temp-folder.ts";
import { testAmbient } from "./test-ambient.ts";
import { DEADLINE_MS, waitFor } from "./wait-for.ts";

export interface PipelineChoices {
  /** Without the schema, which is `public`. Default: all there are. */
  readonly tables?: readonly string[];
  /** The smallest that there is, so that a few hundred rows are many chunks. */
  readonly chunkRows?: number;
  readonly parallelism?: number;
  readonly checkpointInterval?: string;
  /** Options of the sections beside and over the file's own, as they are written there. */
  readonly source?: Readonly<Record<string, string>>;
  readonly sink?: Readonly<Record<string, string>>;
  readonly pipeline?: Readonly<Record<string, string>>;
  /** The command's main file, in place of the built one's. */
  readonly program?: string;
}

type SinkType = "duckdb" | "parquet" | "discard";

/**
 * A pipeline file of its own for a test's database, run by the built command: into a DuckDB file beside it, or, with a
 * sink of type `parquet`, into a folder, whose tables are then read as they are now by the queries that lie in it.
 */
export class TestPipeline implements AsyncDisposable {
  readonly #source: ComparedDatabase;
  readonly #folder: TempFolder = tempFolder();
  /** As the pipeline is called; its slot and its publication have `millrace_` before it. */
  readonly name: string;
  readonly #processes: MillraceProcess[] = [];
  #sink: SinkType = "duckdb";
  /** Of a Parquet sink in a bucket. */
  #bucketPlace: string | null = null;
  /** Where its checkpoint is, where the file says so. */
  #store: string | undefined;
  #program: string | undefined;

  constructor(source: ComparedDatabase) {
    this.#source = source;
    // Slots belong to the whole server, which tests share.
    this.name = source.database;
  }

  get slot(): string {
    return `millrace_${this.name}`;
  }

  #stateOf(record: CommittedRecord | null, table: string): TableState | null {
    const part = record?.parts.get(`table/${tableId(this.#schema, table)}`) as TablePart | undefined;
    return part?.state ?? null;
  }

  get #isMysql(): boolean {
    return this.#source instanceof TestMysqlDatabase;
  }

  /** The variable that both servers' own clients take it from. */
  get #passwordVariable(): string {
    return this.#isMysql ? "MYSQL_PWD" : "PGPASSWORD";
  }

  get #file(): string {
    return this.#folder.file("pipeline.yaml");
  }

  get #duckdb(): string {
    return this.#folder.file("warehouse.duckdb");
  }

  /** The folder of a Parquet sink; of one in a bucket, where tests put a copy of it. */
  get lake(): string {
    return this.#folder.file("lake");
  }

  /** The changes themselves, of a Parquet sink. */
  async openLog(): Promise<LakeLog> {
    return await LakeLog.open(join(this.lake, this.#schema));
  }

  get #schema(): string {
    return this.#isMysql ? this.#source.database : "public";
  }

  /** A DuckDB file in which every table of the sink can be read; nobody has it open. */
  async #readable(): Promise<string> {
    if (this.#sink !== "parquet") return this.#duckdb;
    return await lakeViews(this.lake, this.#folder.file("lake.duckdb"), this.#bucketPlace ?? this.lake);
  }

  /** The path of a file beside the pipeline's own. */
  path(name: string): string {
    return this.#folder.file(name);
  }

  async write(choices: PipelineChoices): Promise<void> {
    const { host, port, user, database } = this.#source;
    const schema = this.#isMysql ? database : `${database}.public`;
    const tables = (choices.tables ?? ["\\.*"]).map((table) => `'${schema}.${table}'`);
    const source = {
      type: this.#isMysql ? "mysql" : "postgres",
      hostname: host,
      port: String(port),
      username: user,
      password: `\${${this.#passwordVariable}}`,
      "scan.incremental.snapshot.chunk.size": String(choices.chunkRows ?? 100),
      tables: `[${tables.join(", ")}]`,
      ...choices.source,
    };
    this.#program = choices.program;
    this.#store = choices.pipeline?.["checkpoint.store"];
    this.#sink = (choices.sink?.["type"] ?? "duckdb") as SinkType;
    const place = choices.sink?.["path"];
    this.#bucketPlace = place?.startsWith("s3://") === true ? place : null;
    const path = { duckdb: "./warehouse.duckdb", parquet: "./lake", discard: null }[this.#sink];
    const sink = { type: this.#sink, ...(path !== null && { path }), ...choices.sink };
    const pipeline = {
      name: this.name,
      parallelism: String(choices.parallelism ?? 2),
      "checkpoint.interval": choices.checkpointInterval ?? "100ms",
      ...choices.pipeline,
    };
    await writeFile(this.#file, Object.entries({ source, sink, pipeline }).map(sectionText).join(""));
  }

  /** `millrace run`, with more arguments. */
  run(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): MillraceProcess {
    return this.command("run", args, env);
  }

  /** `millrace <name> FILE`, with more arguments; a name may be two words. */
  command(
    name: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    limits: Pick<ProcessOptions, "fileBytesMax" | "obeysPermissions"> = {},
  ): MillraceProcess {
    const options = {
      ...limits,
      env: { [this.#passwordVariable]: this.#source.password, ...env },
      cwd: this.#folder.path,
    };
    const process = millraceProcess([...name.split(" "), this.#file, ...args], options, this.#program);
    this.#processes.push(process);
    return process;
  }

  /** `millrace state adopt`; fails where it does not end well. */
  async adopt(): Promise<void> {
    await using adopting = this.command("state adopt");
    const { code, signal } = await adopting.exit();
    if (code !== 0) throw new Error(`nothing was adopted: exit ${code ?? signal}\n${adopting.output}`);
  }

  /** Runs until it is caught up; fails where it does not end well. */
  async catchUp(deadlineMs: number = DEADLINE_MS): Promise<void> {
    await using process = this.run(["--until", "caught-up"]);
    const { code, signal } = await process.exit(deadlineMs);
    if (code !== 0)
      throw new Error(`the run did not catch up: exit ${code ?? signal}
${process.output}`);
  }

  /** The newest record in the checkpoint store, of a running pipeline too. */
  async record(): Promise<CommittedRecord | null> {
    await using store = this.#openStore();
    return (await store.read(AbortSignal.timeout(DEADLINE_MS)))?.newest ?? null;
  }

  #openStore(): CheckpointStore {
    const redis = parseRedisUrl(this.#store ?? "");
    if (redis !== null) return createRedisStore(redisOptions(redis), this.name, testAmbient());
    return createFileStore(this.#folder.file(this.#store ?? ".millrace"), this.name, testAmbient());
  }

  /** What the record says of a table; null: nothing yet. The epoch may be one that the sink does not have yet. */
  async tableState(table: string): Promise<TableState | null> {
    return this.#stateOf(await this.record(), table);
  }

  /** The same of the sink's own record, when no run has the file: after a kill it alone says what was committed. */
  async committedState(table: string): Promise<TableState | null> {
    const sink =
      this.#sink === "parquet"
        ? createParquetSink(parquetOptions({ kind: "folder", path: this.lake }), {
            ambient: testAmbient(),
            workerUrl: encoderUrl,
          })
        : createDuckdbSink({ ...DUCKDB_DEFAULTS, path: this.#duckdb }, testAmbient());
    try {
      return this.#stateOf(await sink.open(this.name, AbortSignal.timeout(DEADLINE_MS)), table);
    } finally {
      await sink.close();
    }
  }

  /** Resolves when the snapshots of these tables are done, and that is recorded. */
  async untilStreaming(tables: readonly string[], deadlineMs: number = DEADLINE_MS): Promise<void> {
    for (const table of tables)
      await this.#untilState(table, "its stream", ({ kind }) => kind === "streaming", deadlineMs);
  }

  /** Resolves when that many rows of a table's snapshot are in a committed epoch, or all of them. */
  async untilRows(table: string, rows: number): Promise<void> {
    await this.#untilState(table, `${rows} rows of its snapshot`, (state) => {
      return state.kind === "streaming" || (state.kind === "snapshotting" && (state.progress?.rows ?? 0) >= rows);
    });
  }

  async #untilState(
    table: string,
    what: string,
    reached: (state: TableState) => boolean,
    deadlineMs?: number,
  ): Promise<void> {
    const condition = async (): Promise<boolean> => {
      const ended = this.#processes.findLast(() => true)?.hasEnded === true;
      const state = await this.tableState(table);
      if (state !== null && reached(state)) return true;
      if (ended) throw new Error(`the run is over\n${this.#processes.at(-1)?.output}`);
      return false;
    };
    await waitFor(`${table} to reach ${what}`, condition, deadlineMs);
  }

  /** Of the run that goes on or went last. */
  async status(): Promise<StatusDocument> {
    const found = await readStatusFile(this.#folder.file(`.millrace/${this.name}`));
    if (found === null) throw new Error("the run has written no status");
    return found;
  }

  /** How the sink differs from the source as it is now: empty where every row of the tables is the same. */
  async differences(tables: readonly string[]): Promise<readonly string[]> {
    const found: string[] = [];
    const duckdb = await this.#readable();
    for (const table of tables) {
      // With a schema it is quoted already, for both.
      const name = table.startsWith('"') ? table : this.#target(table);
      const place = { table: this.#isMysql ? table : name, duckdb, target: name };
      found.push(...(await tableDifferences({ source: this.#source, ...place })));
    }
    return found;
  }

  /** The same as a condition that has to hold on the way. */
  async expectEqual(tables: readonly string[]): Promise<void> {
    const found = await this.differences(tables);
    if (found.length > 0) throw new Error(found.join("\n"));
  }

  /** As DuckDB's SQL quotes it, and PostgreSQL's. */
  #target(table: string): string {
    return `${pg.escapeIdentifier(this.#schema)}.${pg.escapeIdentifier(table)}`;
  }

  /** Keys of the sink's table that more than one row has. */
  async duplicateKeys(table: string, key: readonly string[]): Promise<number> {
    const names = key.map((name) => pg.escapeIdentifier(name)).join(", ");
    const repeated = `SELECT 1 FROM ${this.#target(table)} GROUP BY ${names} HAVING count(*) > 1`;
    return Number((await this.sinkRows(`SELECT count(*)::int FROM (${repeated})`))[0]?.[0]);
  }

  /** What a query says of the sink, while no run has it open. */
  async sinkRows(sql: string): Promise<readonly (readonly unknown[])[]> {
    const instance = await DuckDBInstance.create(await this.#readable(), { access_mode: "READ_ONLY" });
    try {
      const connection = await instance.connect();
      const read = await connection.runAndReadAll(sql);
      connection.closeSync();
      return read.getRowsJS();
    } finally {
      instance.closeSync();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

function sectionText([name, options]: [string, Readonly<Record<string, string>>]): string {
  const lines = Object.entries(options).map(([key, value]) => `  ${key}: ${value}\n`);
  return `${name}:\n${lines.join("")}`;
}

/** `await using pipeline = await testPipeline(db)`, declared behind the database, which cannot go before it. */
export async function testPipeline(source: ComparedDatabase, choices: PipelineChoices = {}): Promise<TestPipeline> {
  const pipeline = new TestPipeline(source);
  await pipeline.write(choices);
  return pipeline;
}
