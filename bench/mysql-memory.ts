import type { PrivateMysql } from "../test/support/private-mysql.ts";
import type { PipelineOptions } from "./bench-pipeline.ts";
import type { EngineReport } from "./engine-report.ts";
import { measureMemory } from "./memory.ts";
import type { Bench } from "./measurement.ts";
import { manyTablesParts, stream, wideParts } from "./mysql-memory-parts.ts";
import { runMysql, startBenchMysql } from "./mysql-server.ts";

const TRANSACTION_ROWS = 10_000_000;
/** `numbers` has as many. */
const NUMBERS = 10_000;
const TABLES = 1000;

const ORDERS: PipelineOptions = { tables: ["orders2"], sink: "duckdb" };

const ONE_TRANSACTION = `INSERT INTO orders2
  SELECT g, g % 100000, 'paid', CONCAT('order note number ', g), (g % 100000) / 7.0, g % 50, g / 3.0, g % 2, NOW(6), NOW()
  FROM (SELECT (a.g - 1) * ${NUMBERS} + b.g AS g FROM numbers a, numbers b WHERE a.g <= ${TRANSACTION_ROWS / NUMBERS}) x`;

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
      // DuckDB takes three times such a row, and more than its default limit.
      ...wideParts(server, "discard"),
      ...manyTablesParts(server, "duckdb", TABLES, "1s"),
    });
  },
};
