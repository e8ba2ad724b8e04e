import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BENCH_SLOT, BenchPipeline } from "./bench-pipeline.ts";
import { copySlot, dropSlot, queryValue, runSqlFile, startBenchServer } from "./bench-server.ts";
import { EngineProcess } from "./engine-process.ts";
import type { CommittedEpoch } from "./engine-report.ts";
import { recvlogicalSeconds } from "./limits.ts";
import { type Bench, type BenchRun, describe, result } from "./measurement.ts";
import { type PostgresClients, postgresClients } from "./postgres-clients.ts";

const TABLE = "orders2";
const CHANGES = 750_000;
const UNIT = "changes/s";
/** Stays where the backlog begins; every measurement drains a copy of it. */
const KEPT_SLOT = "bench_kept";
const LIMIT_SLOT = "bench_limit";

function streamBench(name: string, sink: "discard" | "duckdb", about: string): Bench {
  return {
    name,
    about,
    async run(runs, say) {
      const clients = postgresClients();
      await using server = await startBenchServer();
      using pipeline = new BenchPipeline(server, { table: TABLE, sink });
      const endLsn = await writeBacklog(server, pipeline);
      const measured: BenchRun[] = [];
      for (let i = 0; i < runs; i++) {
        measured.push(await measure(clients, server, pipeline, endLsn));
        say(describe(measured[i]!, UNIT));
      }
      return result(name, UNIT, measured);
    },
  };
}

/**
 * Runs the pipeline on the empty table until it streams, and stops it; then writes the changes. Its state and its slot
 * of that moment are where every measurement begins.
 */
async function writeBacklog(server: PrivatePostgres, pipeline: BenchPipeline): Promise<string> {
  await runSqlFile(server, "pg-orders2.sql");
  await new EngineProcess(pipeline.request("caught-up")).ended();
  pipeline.keep();
  await copySlot(server, BENCH_SLOT, KEPT_SLOT);
  await runSqlFile(server, "pg-changes.sql");
  return queryValue(server, "SELECT pg_current_wal_insert_lsn() AS value");
}

async function measure(
  clients: PostgresClients,
  server: PrivatePostgres,
  pipeline: BenchPipeline,
  endLsn: string,
): Promise<BenchRun> {
  pipeline.restore();
  // Under its own name again: the slot is part of what the checkpoint says about its source.
  await dropSlot(server, BENCH_SLOT);
  await copySlot(server, KEPT_SLOT, BENCH_SLOT);
  const engine = new EngineProcess(pipeline.request("caught-up"));
  const report = await engine.ended();
  if (report.rows !== CHANGES) throw new Error(`${report.rows} changes were delivered, and ${CHANGES} were made`);
  await copySlot(server, KEPT_SLOT, LIMIT_SLOT);
  const limitSeconds = await recvlogicalSeconds(clients, server, {
    slot: LIMIT_SLOT,
    publication: BENCH_SLOT,
    endLsn,
  });
  await dropSlot(server, LIMIT_SLOT);
  return {
    value: CHANGES / report.seconds,
    limit: CHANGES / limitSeconds,
    cpuSeconds: report.cpuSeconds,
    rssBytesMax: report.rssBytesMax,
    details: details(engine.epochs),
  };
}

/**
 * No key comes twice within 250,000 changes, so that an epoch of no more folds nothing: a sink that is a table writes every
 * insert and update as a row.
 */
function details(epochs: readonly CommittedEpoch[]): Readonly<Record<string, number>> {
  const withRows = epochs.filter(({ rows }) => rows > 0);
  const rowsMax = Math.max(...withRows.map(({ rows }) => rows));
  const third = CHANGES / 3;
  return { epochs: withRows.length, rowsMax, ...(rowsMax <= third ? { rowsWritten: 2 * third } : {}) };
}

export const pgStream: Bench = streamBench(
  "pg-stream",
  "discard",
  "a backlog of 750,000 changes to a sink that discards, beside pg_recvlogical of the same slot to nowhere",
);

export const pgStreamDuckdb: Bench = streamBench(
  "pg-stream-duckdb",
  "duckdb",
  "a backlog of 750,000 changes applied to DuckDB in epochs of 1 s and at most 100,000 changes, beside pg_recvlogical of the same slot to nowhere",
);
