import type { Connection } from "mysql2/promise";
import { GtidSet } from "../src/sources/mysql/position/gtid-set.ts";
import { BenchPipeline } from "./bench-pipeline.ts";
import { CHECKPOINT_INTERVAL, measureFreshness, type Written } from "./freshness.ts";
import type { Bench } from "./measurement.ts";
import { DURABLE, mysqlSource, runMysql, startBenchMysql, withMysql } from "./mysql-server.ts";

const TABLE = "orders2";

const INSERT = `INSERT INTO ${TABLE}
  SELECT ? + g, g, 'new', CONCAT('order note number ', g), g / 7.0, g, g / 3.0, TRUE, NOW(6), NOW() FROM numbers WHERE g <= 3`;
const UPDATE = `UPDATE ${TABLE} SET status = 'paid', amount = amount + 1 WHERE id > ? AND id <= ? + 3`;
const UPDATE_ONE = `UPDATE ${TABLE} SET qty = qty + 1 WHERE id = ? + 1`;
const DELETE = `DELETE FROM ${TABLE} WHERE id > ? AND id <= ? + 3`;

async function transaction(client: Connection, row: number): Promise<Written> {
  await client.query("BEGIN");
  await client.query(INSERT, [row]);
  await client.query(UPDATE, [row - 3, row - 3]);
  await client.query(UPDATE_ONE, [row - 3]);
  await client.query(DELETE, [row - 6, row - 6]);
  const atMs = Date.now();
  await client.query("COMMIT");
  const [rows] = await client.query("SELECT @@global.gtid_executed AS executed");
  const executed = GtidSet.parse((rows as { executed: string }[])[0]!.executed);
  return { atMs, reachedBy: (position) => GtidSet.parse(position).covers(executed) };
}

export const mysqlFreshness: Bench = {
  name: "mysql-freshness",
  about:
    "1,000 changes/s for 30 s, from a transaction's commit to its visibility in DuckDB at a checkpoint interval of 200 ms",
  async run(runs, say) {
    await using server = await startBenchMysql("mysql", DURABLE);
    using pipeline = new BenchPipeline(mysqlSource(server), {
      tables: [TABLE],
      sink: "duckdb",
      checkpointInterval: CHECKPOINT_INTERVAL,
    });
    return await measureFreshness("mysql-freshness", runs, say, pipeline, {
      prepare: () => runMysql(server, `TRUNCATE ${TABLE}`),
      writing: (work) => withMysql(server, (client) => work((row) => transaction(client, row))),
      forget: async () => undefined,
    });
  },
};
