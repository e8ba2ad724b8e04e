import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline, SINKS, type SinkType } from "./bench-pipeline.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";
import { type PostgresClients, postgresClients } from "./postgres-clients.ts";
import { psqlCopySeconds } from "./postgres-limits.ts";
import {
  forgetSource,
  moreOrders,
  ORDERS_ROWS,
  postgresSource,
  runPostgresFile,
  startBenchPostgres,
} from "./postgres-server.ts";

const TABLE = "orders";
const ROWS = ORDERS_ROWS;
const LARGE_ROWS = 8_000_000;

function snapshotBench(name: string, sink: SinkType, rows: number): Bench {
  return {
    name,
    about: `${rows.toLocaleString("en-US")} rows ${SINKS[sink]}, beside psql's binary COPY of the table to nowhere`,
    async run(runs, say) {
      const clients = postgresClients();
      await using server = await startBenchPostgres();
      await runPostgresFile(server, "pg-orders.sql");
      if (rows > ROWS) await moreOrders(server, rows);
      using pipeline = new BenchPipeline(postgresSource(server), { tables: [TABLE], sink });
      return await turns(name, "rows/s", runs, say, () => measure(clients, server, pipeline, rows));
    },
  };
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
