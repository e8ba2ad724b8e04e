import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { clientConfig, type PrivatePostgres, startPrivatePostgres } from "../test/support/private-postgres.ts";
import { projectRoot } from "../test/support/project-root.ts";
import { waitFor } from "../test/support/wait-for.ts";

export const BENCH_DATABASE = "bench";

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
export async function startBenchServer(): Promise<PrivatePostgres> {
  const server = await startPrivatePostgres({ version: "newest", settings: SETTINGS });
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => void endWith(server));
  try {
    await withClient(server, "postgres", (client) => client.query(`CREATE DATABASE ${BENCH_DATABASE}`));
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** An interrupted bench leaves no server behind; the pipeline under way ends by itself when this process has ended. */
async function endWith(server: PrivatePostgres): Promise<void> {
  try {
    await server[Symbol.asyncDispose]();
  } finally {
    process.exit(130);
  }
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

/**
 * Runs a file of bench/, statement by statement: `vacuum`, and a `do` that commits, refuse to share a query. An empty
 * line stands between two statements, and nowhere else.
 */
export async function runSqlFile(server: PrivatePostgres, name: string): Promise<void> {
  const text = readFileSync(join(projectRoot, "bench", name), "utf8");
  await withClient(server, BENCH_DATABASE, async (client) => {
    for (const statement of text.split("\n\n")) await client.query(statement);
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
