import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline, type PipelineOptions } from "./bench-pipeline.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
import type { EngineReport } from "./engine-report.ts";
import { measureMemory } from "./memory.ts";
import type { Bench } from "./measurement.ts";
import { forgetSource, postgresSource, runPostgresFile, startBenchPostgres, withClient } from "./postgres-server.ts";

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

const WIDE: PipelineOptions = { tables: ["wide"], sink: "duckdb" };

/** The rows are written while the pipeline waits, and then drained: snapshot and stream both see all of them at once. */
async function stream(
  server: PrivatePostgres,
  options: PipelineOptions,
  rows: number,
  write: () => Promise<void>,
): Promise<EngineReport> {
  for (const table of options.tables)
    await withClient(server, BENCH_DATABASE, (client) => client.query(`TRUNCATE ${table}`));
  using pipeline = new BenchPipeline(postgresSource(server), options);
  await pipeline.deliver(0);
  await write();
  return await drained(server, pipeline, rows);
}

async function drained(server: PrivatePostgres, pipeline: BenchPipeline, rows: number): Promise<EngineReport> {
  const { report } = await pipeline.deliver(rows);
  await forgetSource(server);
  return report;
}

async function writeWide(server: PrivatePostgres): Promise<void> {
  await withClient(server, BENCH_DATABASE, async (client) => {
    for (let first = 1; first <= WIDE_ROWS; first += WIDE_ROWS_PER_TRANSACTION)
      await client.query(WIDE_INSERT, [first, first + WIDE_ROWS_PER_TRANSACTION - 1]);
  });
}

export const pgMemory: Bench = {
  name: "pg-memory",
  about: "peak memory with a transaction of 2,000,000 rows and with 5,000 rows of 1 MB (log and snapshot), into DuckDB",
  async run(runs, say) {
    await using server = await startBenchPostgres();
    await runPostgresFile(server, "pg-orders2.sql");
    await withClient(server, BENCH_DATABASE, (client) => client.query(WIDE_TABLE));
    return await measureMemory("pg-memory", runs, say, {
      "one transaction": () =>
        stream(server, { tables: ["orders2"], sink: "duckdb" }, TRANSACTION_ROWS, async () => {
          await withClient(server, BENCH_DATABASE, (client) => client.query(ONE_TRANSACTION));
        }),
      "wide stream": () => stream(server, WIDE, WIDE_ROWS, () => writeWide(server)),
      // The rows are those of the part before.
      "wide snapshot": async () => {
        using pipeline = new BenchPipeline(postgresSource(server), WIDE);
        return await drained(server, pipeline, WIDE_ROWS);
      },
    });
  },
};
