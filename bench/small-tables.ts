import { BenchPipeline, SINKS, type SinkType } from "./bench-pipeline.ts";
import { type ManyTables, manyMysqlTables, manyPostgresTables } from "./many-tables.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";

const TABLES = 1_000;

/** What a table costs beside its rows. */
function bench(name: string, of: string, start: () => Promise<ManyTables>, sink: SinkType): Bench {
  return {
    name,
    about: `a snapshot of ${TABLES} tables of ${of}, each with ten columns and one row, ${SINKS[sink]}; from the start of the process`,
    async run(runs, say) {
      await using server = await start();
      await server.insert(TABLES);
      using pipeline = new BenchPipeline(server.source, { tables: ["t\\.*"], sink });
      return await turns(name, "ms per table", runs, say, () => measure(server, pipeline));
    },
  };
}

export const smallTables: Bench = bench("small-tables", "PostgreSQL", postgres, "discard");
export const smallTablesDuckdb: Bench = bench("small-tables-duckdb", "PostgreSQL", postgres, "duckdb");
export const smallTablesParquet: Bench = bench("small-tables-parquet", "PostgreSQL", postgres, "parquet");
export const smallTablesMysql: Bench = bench("small-tables-mysql", "MySQL", () => mysql("mysql"), "discard");
export const smallTablesMariadb: Bench = bench("small-tables-mariadb", "MariaDB", () => mysql("mariadb"), "discard");

function postgres(): Promise<ManyTables> {
  return manyPostgresTables(TABLES);
}

function mysql(flavour: "mysql" | "mariadb"): Promise<ManyTables> {
  return manyMysqlTables(flavour, TABLES);
}

async function measure(server: ManyTables, pipeline: BenchPipeline): Promise<BenchRun> {
  pipeline.clear();
  const beganMs = Date.now();
  const { report } = await pipeline.deliver(TABLES);
  const tookMs = Date.now() - beganMs;
  await server.forget();
  const { cpuSeconds, rssBytesMax } = report;
  return { value: tookMs / TABLES, limit: null, cpuSeconds, rssBytesMax };
}
