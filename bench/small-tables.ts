import { BenchPipeline, SINKS, type SinkType } from "./bench-pipeline.ts";
import { type ManyTables, manyTables, type ManyTablesServer } from "./many-tables.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";

const TABLES = 1_000;

/** What a table costs beside its rows. */
function bench(name: string, of: ManyTablesServer, sink: SinkType): Bench {
  return {
    name,
    about: `a snapshot of ${TABLES} tables of ${of}, each with ten columns and one row, ${SINKS[sink]}; from the start of the process`,
    async run(runs, say) {
      await using server = await manyTables(of, TABLES);
      await server.insert(TABLES);
      using pipeline = new BenchPipeline(server.source, { tables: ["t\\.*"], sink });
      return await turns(name, "ms per table", runs, say, () => measure(server, pipeline));
    },
  };
}

export const smallTables: Bench = bench("small-tables", "PostgreSQL", "discard");
export const smallTablesDuckdb: Bench = bench("small-tables-duckdb", "PostgreSQL", "duckdb");
export const smallTablesParquet: Bench = bench("small-tables-parquet", "PostgreSQL", "parquet");
export const smallTablesMysql: Bench = bench("small-tables-mysql", "MySQL", "discard");
export const smallTablesMariadb: Bench = bench("small-tables-mariadb", "MariaDB", "discard");

async function measure(server: ManyTables, pipeline: BenchPipeline): Promise<BenchRun> {
  pipeline.clear();
  const beganMs = Date.now();
  const { report } = await pipeline.deliver(TABLES);
  const tookMs = Date.now() - beganMs;
  await server.forget();
  const { cpuSeconds, rssBytesMax } = report;
  return { value: tookMs / TABLES, limit: null, cpuSeconds, rssBytesMax };
}
