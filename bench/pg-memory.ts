import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline, forgetSource, type PipelineOptions } from "./bench-pipeline.ts";
import { BENCH_DATABASE, runSqlFile, startBenchServer, withClient } from "./bench-server.ts";
import { EngineProcess } from "./engine-process.ts";
import type { EngineReport } from "./engine-report.ts";
import { type Bench, type BenchRun, describe, result } from "./measurement.ts";

const LIMIT_MB = 512;
const UNIT = "MB";
const TRANSACTION_ROWS = 2_000_000;
const WIDE_ROWS = 5_000;
const WIDE_ROWS_PER_TRANSACTION = 10;

const ONE_TRANSACTION = `INSERT INTO orders2
  SELECT g, g % 100000, 'paid', 'order note number ' || g, (g % 100000) / 7.0, g % 50, g / 3.0, g % 2 = 0, now(), localtimestamp
  FROM generate_series(1, ${TRANSACTION_ROWS}) g`;

/** Rows of one megabyte, each its number and the same random text, which the server is told not to compress. */
const WIDE_TABLE = `
  CREATE TABLE megabyte (body text);
  ALTER TABLE megabyte ALTER COLUMN body SET STORAGE EXTERNAL;
  INSERT INTO megabyte SELECT left(string_agg(md5(random()::text), ''), 999992) FROM generate_series(1, 31250);
  CREATE TABLE wide (id bigint PRIMARY KEY, body text NOT NULL);
  ALTER TABLE wide ALTER COLUMN body SET STORAGE EXTERNAL`;
const WIDE_INSERT = `INSERT INTO wide
  SELECT g, lpad(g::text, 8, '0') || body FROM megabyte, generate_series($1::int, $2::int) g`;

const WIDE: PipelineOptions = { table: "wide", sink: "duckdb" };

type Part = (server: PrivatePostgres) => Promise<EngineReport>;

/** The rows are written while the pipeline waits, and then drained: snapshot and stream both see all of them at once. */
async function stream(
  server: PrivatePostgres,
  options: PipelineOptions,
  rows: number,
  write: () => Promise<void>,
): Promise<EngineReport> {
  await truncate(server, options.table);
  using pipeline = new BenchPipeline(server, options);
  await new EngineProcess(pipeline.request("caught-up")).ended();
  await write();
  return await drained(server, pipeline, rows);
}

async function drained(server: PrivatePostgres, pipeline: BenchPipeline, rows: number): Promise<EngineReport> {
  const report = await new EngineProcess(pipeline.request("caught-up")).ended();
  if (report.rows !== rows) throw new Error(`${report.rows} rows were delivered, and ${rows} were written`);
  await forgetSource(server);
  return report;
}

async function truncate(server: PrivatePostgres, table: string): Promise<void> {
  await withClient(server, BENCH_DATABASE, (client) => client.query(`TRUNCATE ${table}`));
}

async function writeWide(server: PrivatePostgres): Promise<void> {
  await withClient(server, BENCH_DATABASE, async (client) => {
    for (let first = 1; first <= WIDE_ROWS; first += WIDE_ROWS_PER_TRANSACTION)
      await client.query(WIDE_INSERT, [first, first + WIDE_ROWS_PER_TRANSACTION - 1]);
  });
}

const PARTS: Readonly<Record<string, Part>> = {
  "one transaction": (server) =>
    stream(server, { table: "orders2", sink: "duckdb" }, TRANSACTION_ROWS, async () => {
      await withClient(server, BENCH_DATABASE, (client) => client.query(ONE_TRANSACTION));
    }),
  "wide stream": (server) => stream(server, WIDE, WIDE_ROWS, () => writeWide(server)),
  // The rows are those of the part before.
  "wide snapshot": async (server) => {
    using pipeline = new BenchPipeline(server, WIDE);
    return await drained(server, pipeline, WIDE_ROWS);
  },
};

async function measure(server: PrivatePostgres, say: (line: string) => void): Promise<BenchRun> {
  const details: Record<string, string> = {};
  let cpuSeconds = 0;
  let rssBytesMax = 0;
  for (const [name, part] of Object.entries(PARTS)) {
    const report = await part(server);
    say(`${name}: ${(report.rssBytesMax / 1e6).toFixed(0)} MB`);
    details[name] = `${(report.rssBytesMax / 1e6).toFixed(0)} MB in ${report.seconds.toFixed(1)} s`;
    cpuSeconds += report.cpuSeconds;
    rssBytesMax = Math.max(rssBytesMax, report.rssBytesMax);
  }
  return { value: rssBytesMax / 1e6, limit: LIMIT_MB, cpuSeconds, rssBytesMax, details };
}

export const pgMemory: Bench = {
  name: "pg-memory",
  about: "peak memory with a transaction of 2,000,000 rows and with 5,000 rows of 1 MB (log and snapshot), into DuckDB",
  async run(runs, say) {
    await using server = await startBenchServer();
    await runSqlFile(server, "pg-orders2.sql");
    await withClient(server, BENCH_DATABASE, (client) => client.query(WIDE_TABLE));
    const measured: BenchRun[] = [];
    for (let i = 0; i < runs; i++) {
      measured.push(await measure(server, say));
      say(describe(measured[i]!, UNIT));
    }
    return result("pg-memory", UNIT, measured);
  },
};
