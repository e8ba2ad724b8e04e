import pg from "pg";
import { parseLsn } from "../src/sources/postgres/position.ts";
import { clientConfig, type PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline } from "./bench-pipeline.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
import { CHECKPOINT_INTERVAL, measureFreshness, type WriteTransaction, type Written } from "./freshness.ts";
import type { Bench } from "./measurement.ts";
import { forgetSource, postgresSource, runPostgresFile, startBenchPostgres, withClient } from "./postgres-server.ts";

const TABLE = "orders2";

const INSERT = `INSERT INTO ${TABLE}
  SELECT $1::bigint + g, g, 'new', 'order note number ' || g, g / 7.0, g, g / 3.0, true, now(), localtimestamp
  FROM generate_series(1, 3) g`;
const UPDATE = `UPDATE ${TABLE} SET status = 'paid', amount = amount + 1 WHERE id > $1 AND id <= $1 + 3`;
const UPDATE_ONE = `UPDATE ${TABLE} SET qty = qty + 1 WHERE id = $1 + 1`;
const DELETE = `DELETE FROM ${TABLE} WHERE id > $1 AND id <= $1 + 3`;

async function writing(server: PrivatePostgres, work: (transaction: WriteTransaction) => Promise<void>): Promise<void> {
  const client = new pg.Client(clientConfig(server, BENCH_DATABASE));
  await client.connect();
  try {
    await work((row) => transaction(client, row));
  } finally {
    await client.end();
  }
}

async function transaction(client: pg.Client, row: number): Promise<Written> {
  await client.query("BEGIN");
  await client.query(INSERT, [row]);
  await client.query(UPDATE, [row - 3]);
  await client.query(UPDATE_ONE, [row - 3]);
  await client.query(DELETE, [row - 6]);
  const atMs = Date.now();
  await client.query("COMMIT");
  const after = await client.query<{ lsn: string }>("SELECT pg_current_wal_lsn() AS lsn");
  const lsn = parseLsn(after.rows[0]!.lsn);
  return { atMs, reachedBy: (position) => parseLsn(position) >= lsn };
}

export const pgFreshness: Bench = {
  name: "pg-freshness",
  about:
    "1,000 changes/s for 30 s, from a transaction's commit to its visibility in DuckDB at a checkpoint interval of 200 ms",
  async run(runs, say) {
    await using server = await startBenchPostgres();
    await runPostgresFile(server, "pg-orders2.sql");
    using pipeline = new BenchPipeline(postgresSource(server), {
      tables: [TABLE],
      sink: "duckdb",
      checkpointInterval: CHECKPOINT_INTERVAL,
    });
    return await measureFreshness("pg-freshness", runs, say, pipeline, {
      prepare: async () =>
        void (await withClient(server, BENCH_DATABASE, (client) => client.query(`TRUNCATE ${TABLE}`))),
      writing: (work) => writing(server, work),
      forget: () => forgetSource(server),
    });
  },
};
