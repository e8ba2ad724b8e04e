import { startPrivateRedis } from "../test/support/private-redis.ts";
import { BenchPipeline, type BenchSource, SINKS, type SinkType } from "./bench-pipeline.ts";
import { type ManyTables, manyTables, type ManyTablesServer } from "./many-tables.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";

const TABLES = 10_000;

/** The tables are followed from their log alone: a snapshot of so many takes minutes, and leaves the same state. */
function bench(name: string, of: ManyTablesServer, sink: SinkType): Bench {
  return {
    name,
    about: `from the start of a process to its first row ${SINKS[sink]}, with ${TABLES} tables of ten columns of ${of} in a checkpoint in Redis`,
    async run(runs, say) {
      await using server = await manyTables(of, TABLES);
      await using redis = await startPrivateRedis({ kind: "redis8" });
      const source = fromNowOn(server.source);
      using pipeline = new BenchPipeline(source, { tables: ["t\\.*"], sink, checkpointStore: redis.url });
      await pipeline.deliver(0);
      return await turns(name, "ms", runs, say, () => measure(server, pipeline));
    },
  };
}

export const recovery: Bench = bench("recovery", "PostgreSQL", "discard");
export const recoveryParquet: Bench = bench("recovery-parquet", "PostgreSQL", "parquet");
export const recoveryDuckdb: Bench = bench("recovery-duckdb", "PostgreSQL", "duckdb");
export const recoveryMysql: Bench = bench("recovery-mysql", "MySQL", "discard");
export const recoveryMariadb: Bench = bench("recovery-mariadb", "MariaDB", "discard");

function fromNowOn(source: BenchSource): BenchSource {
  return { ...source, options: (tables) => ({ ...source.options(tables), "scan.startup.mode": "latest-offset" }) };
}

/** From before the process is made to the return of its first commit that has a row. */
async function measure(server: ManyTables, pipeline: BenchPipeline): Promise<BenchRun> {
  await server.insert(1);
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
