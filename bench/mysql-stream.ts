import type { MysqlFlavour } from "../test/support/mysql-programs.ts";
import type { MysqlSettings, PrivateMysql } from "../test/support/private-mysql.ts";
import { BenchPipeline, type SinkType } from "./bench-pipeline.ts";
import { epochDetails } from "./epochs.ts";
import { type Bench, type BenchRun, turns } from "./measurement.ts";
import { binlogSeconds } from "./mysql-limits.ts";
import { mysqlSource, newBinlog, runMysqlFile, startBenchMysql } from "./mysql-server.ts";

const INSERTS = 2_000_000;
const CHANGES = 750_000;
const ALL = INSERTS + CHANGES;
const WRITES = { unfolded: CHANGES / 3, rowsWritten: INSERTS + (CHANGES / 3) * 2 };

interface StreamCase {
  readonly name: string;
  readonly flavour: MysqlFlavour;
  readonly sink: SinkType;
  readonly settings?: MysqlSettings;
  readonly about: string;
}

function streamBench({ name, flavour, sink, settings = {}, about }: StreamCase): Bench {
  return {
    name,
    about: `a backlog of 2,000,000 rows inserted and 750,000 changes, ${about}, beside ${flavour === "mysql" ? "mysqlbinlog" : "mariadb-binlog"} -v of the same to nowhere`,
    async run(runs, say) {
      await using server = await startBenchMysql(flavour, settings);
      using pipeline = new BenchPipeline(mysqlSource(server), { tables: ["orders", "orders2"], sink });
      const file = await writeBacklog(server, pipeline);
      return await turns(name, "rows/s", runs, say, () => measure(server, pipeline, file));
    },
  };
}

/**
 * Runs the pipeline on the empty tables until it streams, and stops it; then writes. Its state of that moment is where
 * every measurement begins, as is the file of the log whose name it gives.
 */
async function writeBacklog(server: PrivateMysql, pipeline: BenchPipeline): Promise<string> {
  await pipeline.deliver(0);
  pipeline.keep();
  const file = await newBinlog(server);
  await runMysqlFile(server, "mysql-orders.sql");
  await runMysqlFile(server, "mysql-changes.sql");
  return file;
}

async function measure(server: PrivateMysql, pipeline: BenchPipeline, file: string): Promise<BenchRun> {
  pipeline.restore();
  const { report, engine } = await pipeline.deliver(ALL);
  return {
    value: ALL / report.seconds,
    limit: ALL / (await binlogSeconds(server, file)),
    cpuSeconds: report.cpuSeconds,
    rssBytesMax: report.rssBytesMax,
    details: epochDetails(engine.epochs, WRITES),
  };
}

export const mysqlStream: Bench = streamBench({
  name: "mysql-stream",
  flavour: "mysql",
  sink: "discard",
  about: "to a sink that discards",
});

export const mysqlStreamDuckdb: Bench = streamBench({
  name: "mysql-stream-duckdb",
  flavour: "mysql",
  sink: "duckdb",
  about: "applied to DuckDB in epochs of 1 s and at most 100,000 changes",
});

export const mariadbStream: Bench = streamBench({
  name: "mariadb-stream",
  flavour: "mariadb",
  sink: "discard",
  about: "to a sink that discards",
});

export const mysqlStreamZstd: Bench = streamBench({
  name: "mysql-stream-zstd",
  flavour: "mysql",
  sink: "discard",
  settings: { binlog_transaction_compression: "ON" },
  about: "in compressed transactions to a sink that discards",
});
