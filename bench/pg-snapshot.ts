import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline, SINKS, type SinkType } from "./bench-pipeline.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";
import { type PostgresClients, postgresClients } from "./postgres-clients.ts";
import { psqlCopySeconds } from "./postgres-limits.ts";
import { forgetSource, postgresSource, runPostgresFile, startBenchPostgres, withClient } from "./postgres-server.ts";

const TABLE = "orders";
const ROWS = 2_000_000;
const LARGE_ROWS = 8_000_000;

function snapshotBench(name: string, sink: SinkType, rows: number): Bench {
  return {
    name,
    about: `${rows.toLocaleString("en-US")} rows ${SINKS[sink]}, beside psql's binary COPY of the table to nowhere`,
    async run(runs, say) {
      const clients = postgresClients();
      await using server = await startBenchPostgres();
      await runPostgresFile(server, "pg-orders.sql");
      if (rows > ROWS) await multiply(server, rows);
      using pipeline = new BenchPipeline(postgresSource(server), { tables: [TABLE], sink });
      return await turns(name, "rows/s", runs, say, () => measure(clients, server, pipeline, rows));
    },
  };
}

/** The same rows again under the next ids, until there are that many. */
async function multiply(server: PrivatePostgres, rows: number): Promise<void> {
  await withClient(server, BENCH_DATABASE, async (client) => {
    for (let more = ROWS; more < rows; more += ROWS)
      await client.query(
        `INSERT INTO ${TABLE}
         SELECT id + ${more}, customer_id, status, note, amount, qty, price, paid, created_at, updated_at
         FROM ${TABLE} WHERE id <= ${ROWS}`,
      );
    await client.query(`VACUUM (ANALYZE) ${TABLE}`);
    await client.query("CHECKPOINT");
  });
}

async function measure(
  clients: PostgresClients,
  server: PrivatePostgres,
  pipeline: BenchPipeline,
  rows: number,
): Promise<BenchRun> {
  pipeline.clear();
  const { report } = await pipeline.deliver(rows);
  await forgetSource(server);
  const { cpuSeconds, rssBytesMax } = report;
  const limit = rows / (await psqlCopySeconds(clients, server, TABLE));
  return { value: rows / report.seconds, limit, cpuSeconds, rssBytesMax };
}

export const pgSnapshot: Bench = snapshotBench("pg-snapshot", "discard", ROWS);
export const pgSnapshotDuckdb: Bench = snapshotBench("pg-snapshot-duckdb", "duckdb", ROWS);
export const pgSnapshotParquet: Bench = snapshotBench("pg-snapshot-parquet", "parquet", ROWS);
/** Whether a table that is larger is read as fast, and in no more memory. */
export const pgSnapshotLarge: Bench = snapshotBench("pg-snapshot-large", "discard", LARGE_ROWS);
export const pgSnapshotDuckdbLarge: Bench = snapshotBench("pg-snapshot-duckdb-large", "duckdb", LARGE_ROWS);
