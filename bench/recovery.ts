import type { MysqlFlavour } from "../test/support/mysql-programs.ts";
import { startPrivateRedis } from "../test/support/private-redis.ts";
import { BenchPipeline, type BenchSource, SINKS, type SinkType } from "./bench-pipeline.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";
import { mysqlSource, runMysql, startBenchMysql } from "./mysql-server.ts";
import { postgresSource, startBenchPostgres, withClient } from "./postgres-server.ts";

const TABLES = 10_000;
/** For each the server keeps locks until the query ends. */
const TABLES_PER_QUERY = 50;

/** A running server with the tables. */
interface Server extends AsyncDisposable {
  readonly source: BenchSource;
  /** Makes a row of the first table. */
  insert(): Promise<void>;
}

/** The tables are followed from their log alone: a snapshot of so many takes minutes, and leaves the same state. */
function bench(name: string, of: string, start: () => Promise<Server>, sink: SinkType): Bench {
  return {
    name,
    about: `from the start of a process to its first row ${SINKS[sink]}, with ${TABLES} tables of ten columns of ${of} in a checkpoint in Redis`,
    async run(runs, say) {
      await using server = await start();
      await using redis = await startPrivateRedis({ kind: "redis8" });
      const source = fromNowOn(server.source);
      using pipeline = new BenchPipeline(source, { tables: ["t\\.*"], sink, checkpointStore: redis.url });
      await pipeline.deliver(0);
      return await turns(name, "ms", runs, say, () => measure(server, pipeline));
    },
  };
}

export const recovery: Bench = bench("recovery", "PostgreSQL", startPostgres, "discard");
export const recoveryParquet: Bench = bench("recovery-parquet", "PostgreSQL", startPostgres, "parquet");
export const recoveryDuckdb: Bench = bench("recovery-duckdb", "PostgreSQL", startPostgres, "duckdb");
export const recoveryMysql: Bench = bench("recovery-mysql", "MySQL", () => startMysql("mysql"), "discard");
export const recoveryMariadb: Bench = bench("recovery-mariadb", "MariaDB", () => startMysql("mariadb"), "discard");

function fromNowOn(source: BenchSource): BenchSource {
  return { ...source, options: (tables) => ({ ...source.options(tables), "scan.startup.mode": "latest-offset" }) };
}

async function startPostgres(): Promise<Server> {
  const server = await startBenchPostgres();
  const run = async (statements: readonly string[]): Promise<void> =>
    void (await withClient(server, BENCH_DATABASE, (client) => client.query(statements.join("; "))));
  await makeTables(run, "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
  return {
    source: postgresSource(server),
    insert: () => run(["INSERT INTO t0 DEFAULT VALUES"]),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function startMysql(flavour: MysqlFlavour): Promise<Server> {
  const server = await startBenchMysql(flavour);
  await makeTables((statements) => runMysql(server, ...statements), "bigint AUTO_INCREMENT PRIMARY KEY");
  return {
    source: mysqlSource(server),
    insert: () => runMysql(server, "INSERT INTO t0 () VALUES ()"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function makeTables(run: (statements: readonly string[]) => Promise<void>, key: string): Promise<void> {
  const columns = Array.from({ length: 9 }, (_, i) => `column_${i} numeric(18, 2) NOT NULL DEFAULT ${i}`).join(", ");
  for (let first = 0; first < TABLES; first += TABLES_PER_QUERY) {
    const statements = Array.from(
      { length: TABLES_PER_QUERY },
      (_, i) => `CREATE TABLE t${first + i} (id ${key}, ${columns})`,
    );
    await run(statements);
  }
}

/** From before the process is made to the return of its first commit that has a row. */
async function measure(server: Server, pipeline: BenchPipeline): Promise<BenchRun> {
  await server.insert();
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
