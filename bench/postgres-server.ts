import pg from "pg";
import { clientConfig, type PrivatePostgres, startPrivatePostgres } from "../test/support/private-postgres.ts";
import { waitFor } from "../test/support/wait-for.ts";
import type { BenchSource } from "./bench-pipeline.ts";
import { BENCH_DATABASE, endWithUs } from "./bench-server.ts";
import { statementsOf } from "./statements.ts";

/** Slot and publication of every measured pipeline. */
export const BENCH_SLOT = "bench";

/**
 * PostgreSQL's own defaults (also where the tests' server differs from them), apart from the log level that change data
 * capture needs and checkpoints rare enough not to fall into one run and not into the next.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  wal_level: "logical",
  shared_buffers: "128MB",
  fsync: "on",
  max_connections: "100",
  max_wal_senders: "10",
  max_replication_slots: "10",
  max_prepared_transactions: "0",
  max_wal_size: "16GB",
  checkpoint_timeout: "1h",
};

/** The newest PostgreSQL, private, with an empty database `bench`. */
export async function startBenchPostgres(): Promise<PrivatePostgres> {
  const server = await startPrivatePostgres({ version: "newest", settings: SETTINGS });
  endWithUs(server);
  try {
    await withClient(server, "postgres", (client) => client.query(`CREATE DATABASE ${BENCH_DATABASE}`));
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

export function postgresSource({ host, port, user, password }: PrivatePostgres): BenchSource {
  const options: BenchSource["options"] = (tables) => ({
    type: "postgres",
    tables: tables.map((table) => `${BENCH_DATABASE}.public.${table}`).join(", "),
    "slot.name": BENCH_SLOT,
    "publication.name": BENCH_SLOT,
  });
  return { host, port, user, password, options };
}

/** Takes away what the pipeline has made on the source: the next one begins anew. */
export async function forgetSource(server: PrivatePostgres): Promise<void> {
  await dropSlot(server, BENCH_SLOT);
  await withClient(server, BENCH_DATABASE, (client) => client.query(`DROP PUBLICATION IF EXISTS ${BENCH_SLOT}`));
}

export async function withClient<Result>(
  server: PrivatePostgres,
  database: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client(clientConfig(server, database));
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** One value of one row. */
export async function queryValue(
  server: PrivatePostgres,
  sql: string,
  values: readonly unknown[] = [],
): Promise<string> {
  return withClient(server, BENCH_DATABASE, async (client) => {
    const result = await client.query<{ value: string }>(sql, [...values]);
    return String(result.rows[0]?.value);
  });
}

/** Runs a file of bench/, statement by statement: `vacuum`, and a `do` that commits, refuse to share a query. */
export async function runPostgresFile(server: PrivatePostgres, file: string): Promise<void> {
  await withClient(server, BENCH_DATABASE, async (client) => {
    for (const statement of statementsOf(file)) await client.query(statement);
  });
}

/** Rows that pg-orders.sql makes in `orders`. */
export const ORDERS_ROWS = 2_000_000;

/** The same rows again under the next ids, until there are that many. */
export async function moreOrders(server: PrivatePostgres, rows: number): Promise<void> {
  await withClient(server, BENCH_DATABASE, async (client) => {
    for (let more = ORDERS_ROWS; more < rows; more += ORDERS_ROWS)
      await client.query(
        `INSERT INTO orders
         SELECT id + ${more}, customer_id, status, note, amount, qty, price, paid, created_at, updated_at
         FROM orders WHERE id <= ${ORDERS_ROWS}`,
      );
    await client.query(`VACUUM (ANALYZE) orders`);
    await client.query("CHECKPOINT");
  });
}

export async function copySlot(server: PrivatePostgres, from: string, to: string): Promise<void> {
  await withClient(server, BENCH_DATABASE, (client) =>
    client.query("SELECT pg_copy_logical_replication_slot($1, $2)", [from, to]),
  );
}

/** Its process has ended, but the walsender may still be about to notice. */
export async function dropSlot(server: PrivatePostgres, slot: string): Promise<void> {
  await withClient(server, BENCH_DATABASE, async (client) => {
    const inUse = "SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active";
    await waitFor(`the slot ${slot} to be free`, async () => (await client.query(inUse, [slot])).rowCount === 0);
    await client.query("SELECT pg_drop_replication_slot($1)", [slot]);
  });
}
