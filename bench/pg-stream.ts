import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline, type SinkType } from "./bench-pipeline.ts";
import { epochDetails } from "./epochs.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";
import { type PostgresClients, postgresClients } from "./postgres-clients.ts";
import { recvlogicalSeconds } from "./postgres-limits.ts";
import {
  BENCH_SLOT,
  copySlot,
  dropSlot,
  postgresSource,
  queryValue,
  runPostgresFile,
  startBenchPostgres,
} from "./postgres-server.ts";

const CHANGES = 750_000;
const WRITES = { unfolded: CHANGES / 3, rowsWritten: (CHANGES / 3) * 2 };
/** Stays where the backlog begins; every measurement drains a copy of it. */
const KEPT_SLOT = "bench_kept";
const LIMIT_SLOT = "bench_limit";

function streamBench(name: string, sink: SinkType, about: string): Bench {
  return {
    name,
    about,
    async run(runs, say) {
      const clients = postgresClients();
      await using server = await startBenchPostgres();
      using pipeline = new BenchPipeline(postgresSource(server), { tables: ["orders2"], sink });
      const endLsn = await writeBacklog(server, pipeline);
      return await turns(name, "changes/s", runs, say, () => measure(clients, server, pipeline, endLsn));
    },
  };
}

/**
 * Runs the pipeline on the empty table until it streams, and stops it; then writes the changes. Its state and its slot
 * of that moment are where every measurement begins.
 */
async function writeBacklog(server: PrivatePostgres, pipeline: BenchPipeline): Promise<string> {
  await runPostgresFile(server, "pg-orders2.sql");
  await pipeline.deliver(0);
  pipeline.keep();
  await copySlot(server, BENCH_SLOT, KEPT_SLOT);
  await runPostgresFile(server, "pg-changes.sql");
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
  const { report, engine } = await pipeline.deliver(CHANGES);
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
    details: epochDetails(engine.epochs, WRITES),
  };
}

export const pgStream: Bench = streamBench(
  "pg-stream",
  "discard",
  "a backlog of 750,000 changes to a sink that discards, beside pg_recvlogical of the same slot to nowhere",
);

export const pgStreamParquet: Bench = streamBench(
  "pg-stream-parquet",
  "parquet",
  "a backlog of 750,000 changes into Parquet files in epochs of 1 s, beside pg_recvlogical of the same slot to nowhere",
);

export const pgStreamDuckdb: Bench = streamBench(
  "pg-stream-duckdb",
  "duckdb",
  "a backlog of 750,000 changes applied to DuckDB in epochs of 1 s and at most 100,000 changes, beside pg_recvlogical of the same slot to nowhere",
);
