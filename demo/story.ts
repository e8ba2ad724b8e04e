import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import pg from "pg";
import { loadPipeline } from "../src/pipeline/load.ts";
import type { PipelineSpec } from "../src/pipeline/spec.ts";
import { clientConfig, type PrivatePostgres, startPrivatePostgres } from "../test/support/private-postgres.ts";
import { projectRoot } from "../test/support/project-root.ts";
import { waitFor, within } from "../test/support/wait-for.ts";
import { compareTable, type TableVerdict, withWarehouse } from "./compare.ts";
import type { Destination } from "./destination.ts";
import { PipelineProcess } from "./pipeline-process.ts";
import { fillShop, SHOP } from "./shop.ts";
import { snapshotState } from "./snapshot-watch.ts";
import { bold, count, dim, heading, printTable, red, repairTerminal, say, seconds } from "./terminal.ts";
import { type Speed, tellNext, tellSpeeds, tellVerdict } from "./verdict.ts";
import { changes, Workload } from "./workload.ts";

const DATABASE = "shop";
const WRITERS = 3;
/** The kill comes when so much of the snapshot is committed. */
const KILL_AT = 0.4;
const STREAM_MS = 6_000;
const PILE_UP_MS = 4_000;
const DEADLINE_MS = 90_000;
const STOP_DEADLINE_MS = 20_000;

/** What the demo shows, step by step, and everything that it has to end. */
export class Story implements AsyncDisposable {
  readonly #server: PrivatePostgres;
  readonly #destination: Destination;
  readonly #signal: AbortSignal;
  #workload: Workload | null = null;
  #process: PipelineProcess | null = null;

  constructor(server: PrivatePostgres, destination: Destination, signal: AbortSignal) {
    this.#server = server;
    this.#destination = destination;
    this.#signal = signal;
  }

  static async begin(destination: Destination, signal: AbortSignal): Promise<Story> {
    say(bold(`Millrace: a PostgreSQL shop into ${destination.title}, with one kill -9 on the way`));
    heading("1  PostgreSQL with a shop in it");
    say(dim("  starting a server of our own, and filling it …"));
    return new Story(await startPrivatePostgres({ settings: { max_wal_size: "4GB" } }), destination, signal);
  }

  /** Resolves with the verdict: whether source and warehouse are equal, and nothing is left lying about. */
  async tell(): Promise<boolean> {
    const rows = await this.#fill();
    this.#beginWorkload();
    const spec = await loadPipeline(this.#pipelineFile, this.#environment);
    const killedMs = await this.#runUntilKilled(spec, rows);
    const { snapshot, streamed } = await this.#runAgain(spec);
    const backlog = await this.#catchUp();
    const file = await this.#destination.readable();
    return await withWarehouse(file, async (warehouse) => {
      if (!(await this.#compare(warehouse))) return false;
      const speeds = { snapshot: { ...snapshot, ms: snapshot.ms + killedMs }, streamed, backlog };
      tellSpeeds(speeds, this.#destination.noun, await this.#destination.size());
      if (!(await this.#destination.tellMore(warehouse))) return false;
      tellNext(this.#destination);
      return true;
    });
  }

  get #pipelineFile(): string {
    return join(projectRoot, "demo", this.#destination.pipelineFile);
  }

  async #fill(): Promise<number> {
    await this.#query("postgres", (client) => client.query(`create database ${DATABASE}`));
    const begin = performance.now();
    return this.#query(DATABASE, async (client) => {
      await fillShop(client, this.#signal);
      const version = await client.query<{ server_version: string }>("show server_version");
      const table = [["table", "rows"]];
      let total = 0;
      for (const { name } of SHOP) {
        const { rows } = await client.query<{ rows: number }>(`select count(*)::int as rows from ${name}`);
        total += rows[0]!.rows;
        table.push([name, count(rows[0]!.rows)]);
      }
      say(`  PostgreSQL ${version.rows[0]!.server_version}, filled in ${seconds(performance.now() - begin)}`);
      printTable(table, (text) => text);
      return total;
    });
  }

  #beginWorkload(): void {
    heading("2  An application that never pauses");
    this.#workload = new Workload(clientConfig(this.#server, DATABASE), WRITERS);
    say(`  ${WRITERS} writers insert, update, delete, roll back and change keys from now on.`);
  }

  /** Resolves with the milliseconds that the process lived. */
  async #runUntilKilled(spec: PipelineSpec, rows: number): Promise<number> {
    heading(`3  millrace run demo/${this.#destination.pipelineFile}`);
    const begin = performance.now();
    const pipeline = this.#start([]);
    const state = await this.#during(pipeline, "part of the snapshot to be committed", async () => {
      const now = await snapshotState(spec);
      return now.rows >= rows * KILL_AT || now.isDone ? now : null;
    });
    await pipeline.signal("SIGKILL");
    const livedMs = performance.now() - begin;
    repairTerminal();
    const where = state.isDone
      ? "just behind the snapshot, which was quicker than the demo"
      : "in the middle of the snapshot";
    say(`  ${red("kill -9")}, ${where}: ${count(state.rows)} rows were committed.`);
    await this.#destination.tellKilled();
    say("  The process had no chance to tidy anything up. The writers go on.");
    return livedMs;
  }

  async #runAgain(spec: PipelineSpec): Promise<{ readonly snapshot: Speed; readonly streamed: Speed }> {
    heading("4  The same command again");
    say("  It goes on from the last commit: finished chunks are not read again.");
    say();
    const begin = performance.now();
    const pipeline = this.#start([]);
    const { rows } = await this.#during(pipeline, "the snapshot to be complete", async () => {
      const now = await snapshotState(spec);
      return now.isDone ? now : null;
    });
    const complete = performance.now();
    const before = this.#changes();
    await this.#during(pipeline, "changes to flow", () => performance.now() - complete >= STREAM_MS);
    const streamed = { amount: this.#changes() - before, ms: performance.now() - complete };
    const end = await within("millrace to stop", pipeline.signal("SIGTERM"), STOP_DEADLINE_MS);
    repairTerminal();
    say(`  Stopped with SIGTERM: exit code ${end.code ?? end.signal}.`);
    if (end.code !== 0) throw new Error("the pipeline did not stop cleanly");
    return { snapshot: { amount: rows, ms: complete - begin }, streamed };
  }

  async #catchUp(): Promise<Speed> {
    heading(`5  millrace run demo/${this.#destination.pipelineFile} --until caught-up`);
    const before = this.#changes();
    const begin = performance.now();
    await waitFor("changes to pile up", () => this.#checked(performance.now() - begin >= PILE_UP_MS), DEADLINE_MS);
    const counts = await this.#workload!.stop();
    const amount = changes(counts) - before;
    say(`  While nothing ran, ${count(amount)} changes piled up. Now the writers have stopped. They made`);
    say(
      `  ${count(counts.inserted)} inserts, ${count(counts.updated)} updates, ${count(counts.deleted)} deletes and ${count(counts.moved)} changes of a key in ${count(counts.transactions)} transactions.`,
    );
    say();
    const start = performance.now();
    const pipeline = this.#start(["--until", "caught-up"]);
    await waitFor("the pipeline to catch up", () => this.#checked(pipeline.hasEnded), DEADLINE_MS);
    const end = await pipeline.ended;
    if (end.code !== 0) throw new Error(`millrace ended with exit code ${end.code ?? end.signal}`);
    return { amount, ms: performance.now() - start };
  }

  async #compare(warehouse: DuckDBConnection): Promise<boolean> {
    heading("6  Row by row");
    const begin = performance.now();
    const verdicts = await this.#query(DATABASE, async (source) => {
      const all: TableVerdict[] = [];
      for (const table of SHOP) all.push(await compareTable(source, warehouse, this.#checked(table)));
      return all;
    });
    return tellVerdict(verdicts, this.#destination.label, performance.now() - begin);
  }

  get #environment(): Readonly<Record<string, string>> {
    const { host, port, user, password } = this.#server;
    return { DEMO_PG_HOST: host, DEMO_PG_PORT: String(port), DEMO_PG_USER: user, DEMO_PG_PASSWORD: password };
  }

  #start(args: readonly string[]): PipelineProcess {
    this.#process = new PipelineProcess(this.#pipelineFile, args, this.#environment);
    return this.#process;
  }

  #changes(): number {
    return changes(this.#workload!.counts());
  }

  /** Waits while the pipeline runs; that it ends is not what is waited for. */
  #during<Result>(
    pipeline: PipelineProcess,
    what: string,
    condition: () => Result | Promise<Result>,
  ): Promise<Exclude<Result, false | null | undefined | void>> {
    return waitFor(
      what,
      () => {
        this.#signal.throwIfAborted();
        if (pipeline.hasEnded) throw new Error(`millrace ended by itself while the demo waited for ${what}`);
        return condition();
      },
      DEADLINE_MS,
    );
  }

  #checked<Value>(value: Value): Value {
    this.#signal.throwIfAborted();
    return value;
  }

  async #query<Result>(database: string, use: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const client = new pg.Client(clientConfig(this.#server, database));
    client.on("error", () => undefined);
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== null && !this.#process.hasEnded) await this.#process.signal("SIGKILL");
    // The server ends its sessions; what the writers then complain of is of no interest.
    const writers = this.#workload?.stop().catch(() => undefined);
    await this.#server[Symbol.asyncDispose]();
    await writers;
  }
}
