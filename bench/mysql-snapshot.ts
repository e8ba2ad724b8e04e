import type { MysqlFlavour } from "../test/support/mysql-programs.ts";
import type { PrivateMysql } from "../test/support/private-mysql.ts";
import { BenchPipeline, SINKS, type SinkType } from "./bench-pipeline.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";
import { selectSeconds } from "./mysql-limits.ts";
import { mysqlSource, runMysqlFile, startBenchMysql } from "./mysql-server.ts";

const ROWS = 2_000_000;
const WHOLE = ["SELECT * FROM orders"];
const HALVES = [`SELECT * FROM orders WHERE id <= ${ROWS / 2}`, `SELECT * FROM orders WHERE id > ${ROWS / 2}`];

interface SnapshotCase {
  readonly name: string;
  readonly flavour: MysqlFlavour;
  /** Chunks that are read at a time. */
  readonly readers: number;
  /** What the limit's connections select, each its own. */
  readonly selects: readonly string[];
  readonly beside: string;
  readonly sink?: SinkType;
}

function snapshotBench({ name, flavour, readers, selects, beside, sink = "discard" }: SnapshotCase): Bench {
  return {
    name,
    about: `2,000,000 rows by ${readers === 1 ? "one reader" : `${readers} readers`} ${SINKS[sink]}, beside ${beside} to nowhere`,
    async run(runs, say) {
      await using server = await startBenchMysql(flavour);
      await runMysqlFile(server, "mysql-orders.sql");
      using pipeline = new BenchPipeline(mysqlSource(server), {
        tables: ["orders"],
        sink,
        parallelism: readers,
      });
      return await turns(name, "rows/s", runs, say, () => measure(server, pipeline, selects));
    },
  };
}

async function measure(server: PrivateMysql, pipeline: BenchPipeline, selects: readonly string[]): Promise<BenchRun> {
  pipeline.clear();
  const { seconds, cpuSeconds, rssBytesMax } = (await pipeline.deliver(ROWS)).report;
  const limit = ROWS / (await selectSeconds(server, selects));
  return { value: ROWS / seconds, limit, cpuSeconds, rssBytesMax };
}

export const mysqlSnapshot: Bench = snapshotBench({
  name: "mysql-snapshot",
  flavour: "mysql",
  readers: 1,
  selects: WHOLE,
  beside: "`mysql --quick` of the table",
});

export const mysqlSnapshotParallel: Bench = snapshotBench({
  name: "mysql-snapshot-parallel",
  flavour: "mysql",
  readers: 4,
  selects: HALVES,
  beside: "two of `mysql --quick`, of a half each,",
});

export const mysqlSnapshotParquet: Bench = snapshotBench({
  name: "mysql-snapshot-parquet",
  flavour: "mysql",
  readers: 2,
  selects: HALVES,
  beside: "two of `mysql --quick`, of a half each,",
  sink: "parquet",
});

export const mariadbSnapshot: Bench = snapshotBench({
  name: "mariadb-snapshot",
  flavour: "mariadb",
  readers: 1,
  selects: WHOLE,
  beside: "`mariadb --quick` of the table",
});
