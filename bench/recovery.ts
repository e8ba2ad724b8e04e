import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { startPrivateRedis } from "../test/support/private-redis.ts";
import { BenchPipeline, type BenchSource, SINKS, type SinkType } from "./bench-pipeline.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";
import { postgresSource, startBenchPostgres, withClient } from "./postgres-server.ts";

const TABLES = 10_000;
/** For each the server keeps locks until the query ends. */
const TABLES_PER_QUERY = 50;

/** The tables are followed from their log alone: a snapshot of so many takes minutes, and leaves the same state. */
function bench(name: string, sink: SinkType): Bench {
  return {
    name,
    about: `from the start of a process to its first row ${SINKS[sink]}, with ${TABLES} tables of ten columns in a checkpoint in Redis`,
    async run(runs, say) {
      await using server = await startBenchPostgres();
      await using redis = await startPrivateRedis({ kind: "redis8" });
      await makeTables(server);
      const source = fromNowOn(postgresSource(server));
      using pipeline = new BenchPipeline(source, { tables: ["t\\.*"], sink, checkpointStore: redis.url });
      await pipeline.deliver(0);
      return await turns(name, "ms", runs, say, () => measure(server, pipeline));
    },
  };
}

export const recovery: Bench = bench("recovery", "discard");
export const recoveryParquet: Bench = bench("recovery-parquet", "parquet");
export const recoveryDuckdb: Bench = bench("recovery-duckdb", "duckdb");

function fromNowOn(source: BenchSource): BenchSource {
  return { ...source, options: (tables) => ({ ...source.options(tables), "scan.startup.mode": "latest-offset" }) };
}

async function makeTables(server: PrivatePostgres): Promise<void> {
  const columns = Array.from({ length: 9 }, (_, i) => `column_${i} numeric(18, 2) NOT NULL DEFAULT ${i}`).join(", ");
  await withClient(server, BENCH_DATABASE, async (client) => {
    for (let first = 0; first < TABLES; first += TABLES_PER_QUERY) {
      const statements = Array.from(
        { length: TABLES_PER_QUERY },
        (_, i) => `CREATE TABLE t${first + i} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${columns})`,
      );
      await client.query(statements.join("; "));
    }
  });
}

/** From before the process is made to the return of its first commit that has a row. */
async function measure(server: PrivatePostgres, pipeline: BenchPipeline): Promise<BenchRun> {
  await withClient(server, BENCH_DATABASE, (client) => client.query("INSERT INTO t0 DEFAULT VALUES"));
  const beganMs = Date.now();
  const engine = pipeline.start(null);
  try {
    await engine.committed(({ rows }) => rows > 0);
    const first = engine.epochs.find(({ rows }) => rows > 0)!;
    const { cpuSeconds, rssBytesMax } = await engine.stop();
    return { value: first.atMs - beganMs, limit: null, cpuSeconds, rssBytesMax };
  } finally {
    engine.kill();
  }
}
