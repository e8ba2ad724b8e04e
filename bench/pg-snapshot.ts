import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline, forgetSource } from "./bench-pipeline.ts";
import { BENCH_DATABASE, runSqlFile, startBenchServer, withClient } from "./bench-server.ts";
import { EngineProcess } from "./engine-process.ts";
import { psqlCopySeconds } from "./limits.ts";
import { type Bench, type BenchRun, describe, result } from "./measurement.ts";
import { type PostgresClients, postgresClients } from "./postgres-clients.ts";

const TABLE = "orders";
const ROWS = 2_000_000;
const LARGE_ROWS = 8_000_000;
const UNIT = "rows/s";

const SINKS = { discard: "to a sink that discards", duckdb: "into a DuckDB file, committed" };

function snapshotBench(name: string, sink: keyof typeof SINKS, rows: number): Bench {
  return {
    name,
    about: `${rows.toLocaleString("en-US")} rows ${SINKS[sink]}, beside psql's binary COPY of the table to nowhere`,
    async run(runs, say) {
      const clients = postgresClients();
      await using server = await startBenchServer();
      await runSqlFile(server, "pg-orders.sql");
      if (rows > ROWS) await multiply(server, rows);
      using pipeline = new BenchPipeline(server, { table: TABLE, sink });
      const measured: BenchRun[] = [];
      for (let i = 0; i < runs; i++) {
        measured.push(await measure(clients, server, pipeline, rows));
        say(describe(measured[i]!, UNIT));
      }
      return result(name, UNIT, measured);
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
  const engine = new EngineProcess(pipeline.request("caught-up"));
  const report = await engine.ended();
  if (report.rows !== rows) throw new Error(`${report.rows} rows were delivered, and ${rows} are in the table`);
  await forgetSource(server);
  const { cpuSeconds, rssBytesMax } = report;
  const limit = rows / (await psqlCopySeconds(clients, server, TABLE));
  return { value: rows / report.seconds, limit, cpuSeconds, rssBytesMax };
}

export const pgSnapshot: Bench = snapshotBench("pg-snapshot", "discard", ROWS);
export const pgSnapshotDuckdb: Bench = snapshotBench("pg-snapshot-duckdb", "duckdb", ROWS);
/** Whether a table that is larger is read as fast, and in no more memory. */
export const pgSnapshotLarge: Bench = snapshotBench("pg-snapshot-large", "discard", LARGE_ROWS);
export const pgSnapshotDuckdbLarge: Bench = snapshotBench("pg-snapshot-duckdb-large", "duckdb", LARGE_ROWS);
