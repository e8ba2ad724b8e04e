import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline, forgetSource } from "./bench-pipeline.ts";
import { runSqlFile, startBenchServer } from "./bench-server.ts";
import { EngineProcess } from "./engine-process.ts";
import { psqlCopySeconds } from "./limits.ts";
import { type Bench, type BenchRun, describe, result } from "./measurement.ts";
import { type PostgresClients, postgresClients } from "./postgres-clients.ts";

const TABLE = "orders";
const ROWS = 2_000_000;
const UNIT = "rows/s";

function snapshotBench(name: string, sink: "discard" | "duckdb", about: string): Bench {
  return {
    name,
    about,
    async run(runs, say) {
      const clients = postgresClients();
      await using server = await startBenchServer();
      await runSqlFile(server, "pg-orders.sql");
      using pipeline = new BenchPipeline(server, { table: TABLE, sink });
      const measured: BenchRun[] = [];
      for (let i = 0; i < runs; i++) {
        measured.push(await measure(clients, server, pipeline));
        say(describe(measured[i]!, UNIT));
      }
      return result(name, UNIT, measured);
    },
  };
}

async function measure(clients: PostgresClients, server: PrivatePostgres, pipeline: BenchPipeline): Promise<BenchRun> {
  pipeline.clear();
  const engine = new EngineProcess(pipeline.request("caught-up"));
  const report = await engine.ended();
  if (report.rows !== ROWS) throw new Error(`${report.rows} rows were delivered, and ${ROWS} are in the table`);
  await forgetSource(server);
  const { cpuSeconds, rssBytesMax } = report;
  const limit = ROWS / (await psqlCopySeconds(clients, server, TABLE));
  return { value: ROWS / report.seconds, limit, cpuSeconds, rssBytesMax };
}

export const pgSnapshot: Bench = snapshotBench(
  "pg-snapshot",
  "discard",
  "2,000,000 rows to a sink that discards, beside psql's binary COPY of the table to nowhere",
);

export const pgSnapshotDuckdb: Bench = snapshotBench(
  "pg-snapshot-duckdb",
  "duckdb",
  "2,000,000 rows into a DuckDB file, committed, beside psql's binary COPY of the table to nowhere",
);
