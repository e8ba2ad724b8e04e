import type { PrivateMysql } from "../test/support/private-mysql.ts";
import { BenchPipeline, type PipelineOptions } from "./bench-pipeline.ts";
import type { EngineReport } from "./engine-report.ts";
import { measureMemory } from "./memory.ts";
import type { Bench } from "./measurement.ts";
import { mysqlSource, runMysql, startBenchMysql } from "./mysql-server.ts";

const TRANSACTION_ROWS = 10_000_000;
/** `numbers` has as many. */
const NUMBERS = 10_000;
const WIDE_ROWS = 16;
const WIDE_BYTES = 64 << 20;
const TABLES = 1000;
const ROWS_PER_TABLE = 100;
const UPDATES_PER_TABLE = 10;

const ORDERS: PipelineOptions = { tables: ["orders2"], sink: "duckdb" };
/** DuckDB takes three times such a row, and more than its default limit. */
const WIDE: PipelineOptions = { tables: ["wide"], sink: "discard" };
const MANY: PipelineOptions = { tables: ["many_\\.*"], sink: "duckdb" };

const ONE_TRANSACTION = `INSERT INTO orders2
  SELECT g, g % 100000, 'paid', CONCAT('order note number ', g), (g % 100000) / 7.0, g % 50, g / 3.0, g % 2, NOW(6), NOW()
  FROM (SELECT (a.g - 1) * ${NUMBERS} + b.g AS g FROM numbers a, numbers b WHERE a.g <= ${TRANSACTION_ROWS / NUMBERS}) x`;

const WIDE_TABLE = "CREATE TABLE wide (id bigint PRIMARY KEY, body longblob NOT NULL)";
const WIDE_INSERTS = counted(WIDE_ROWS).map(
  (id) => `INSERT INTO wide VALUES (${id}, REPEAT(RANDOM_BYTES(1024), ${WIDE_BYTES / 1024}))`,
);

const MANY_TABLES = counted(TABLES).map(
  (i) =>
    `CREATE TABLE many_${i} (id bigint PRIMARY KEY, name varchar(100), amount decimal(12, 2), at timestamp(6) NULL)`,
);
const MANY_INSERTS = counted(TABLES).map(
  (i) => `INSERT INTO many_${i} SELECT g, CONCAT('row ', g), g / 7.0, NOW(6) FROM numbers WHERE g <= ${ROWS_PER_TABLE}`,
);
/** Each transaction changes the next ten tables, all of them in turn. */
const MANY_UPDATES = counted(UPDATES_PER_TABLE).flatMap((row) =>
  counted(TABLES).flatMap((i) => [
    ...(i % 10 === 1 ? ["BEGIN"] : []),
    `UPDATE many_${i} SET amount = amount + 1 WHERE id = ${row}`,
    ...(i % 10 === 0 ? ["COMMIT"] : []),
  ]),
);

function counted(end: number): readonly number[] {
  return Array.from({ length: end }, (_, i) => i + 1);
}

/** The statements run while the pipeline waits behind a snapshot of so many rows; what they write is then drained. */
async function stream(
  server: PrivateMysql,
  options: PipelineOptions,
  { before, rows }: { readonly before: number; readonly rows: number },
  statements: readonly string[],
): Promise<EngineReport> {
  using pipeline = new BenchPipeline(mysqlSource(server), options);
  await pipeline.deliver(before);
  await runMysql(server, ...statements);
  return (await pipeline.deliver(rows)).report;
}

async function snapshot(server: PrivateMysql, options: PipelineOptions, rows: number): Promise<EngineReport> {
  using pipeline = new BenchPipeline(mysqlSource(server), options);
  return (await pipeline.deliver(rows)).report;
}

/** A transaction whose session has it compressed, or not, in the log. */
async function oneTransaction(server: PrivateMysql, compression: "ON" | "OFF"): Promise<EngineReport> {
  await runMysql(server, "TRUNCATE orders2");
  return await stream(server, ORDERS, { before: 0, rows: TRANSACTION_ROWS }, [
    `SET SESSION binlog_transaction_compression = ${compression}`,
    ONE_TRANSACTION,
  ]);
}

export const mysqlMemory: Bench = {
  name: "mysql-memory",
  about:
    "peak memory with a transaction of 10,000,000 rows (plain and compressed) and with 1,000 tables into DuckDB, and with rows of 64 MB to a sink that discards (log and snapshot)",
  async run(runs, say) {
    await using server = await startBenchMysql("mysql");
    return await measureMemory("mysql-memory", runs, say, {
      "one transaction": () => oneTransaction(server, "OFF"),
      "one compressed transaction": () => oneTransaction(server, "ON"),
      "wide stream": async () => {
        await runMysql(server, "DROP TABLE IF EXISTS wide", WIDE_TABLE);
        return await stream(server, WIDE, { before: 0, rows: WIDE_ROWS }, WIDE_INSERTS);
      },
      // The rows are those of the part before.
      "wide snapshot": () => snapshot(server, WIDE, WIDE_ROWS),
      "many tables' snapshot": async () => {
        await runMysql(server, ...counted(TABLES).map((i) => `DROP TABLE IF EXISTS many_${i}`));
        await runMysql(server, ...MANY_TABLES, ...MANY_INSERTS);
        return await snapshot(server, MANY, TABLES * ROWS_PER_TABLE);
      },
      "many tables' stream": () =>
        stream(server, MANY, { before: TABLES * ROWS_PER_TABLE, rows: TABLES * UPDATES_PER_TABLE }, MANY_UPDATES),
    });
  },
};
