import pg from "pg";
import { inject } from "vitest";
import type { PostgresVersion } from "./postgres-binaries.ts";
import { clientConfig, type PostgresAddress, postgresUrl } from "./private-postgres.ts";
import { waitFor } from "./wait-for.ts";

export { startPrivatePostgres } from "./private-postgres.ts";

/** The servers that postgres-setup.ts has started, or was given. */
export type PostgresServers = Readonly<Record<PostgresVersion, PostgresAddress>>;

declare module "vitest" {
  interface ProvidedContext {
    postgres: PostgresServers;
  }
}

let serial = 0;

/** A database of its own on one of the shared servers. Disposed of with its sessions and replication slots. */
export class TestDatabase implements PostgresAddress, AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly url: string;
  readonly #clients: pg.Client[] = [];
  #own: Promise<pg.Client> | null = null;

  constructor(address: PostgresAddress, database: string) {
    this.host = address.host;
    this.port = address.port;
    this.user = address.user;
    this.password = address.password;
    this.database = database;
    this.url = postgresUrl(address, database);
  }

  /** A new connection, as the superuser; ended with the database unless it was before. */
  async client(config: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = await connected({ ...clientConfig(this, this.database), ...config });
    this.#clients.push(client);
    return client;
  }

  /** On one connection that is kept: not for what needs a session of its own. */
  async query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    this.#own ??= this.client();
    const client = await this.#own;
    const result = await client.query(sql, values === undefined ? undefined : [...values]);
    return result.rows as Row[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
    const admin = await connected(clientConfig(this, "postgres"));
    try {
      await dropSlots(admin, this.database);
      await rollBackPrepared(await connected(clientConfig(this, this.database)));
      await admin.query(`DROP DATABASE ${pg.escapeIdentifier(this.database)} WITH (FORCE)`);
    } finally {
      await admin.end();
    }
  }
}

/** An empty database on the newest or the oldest supported PostgreSQL: `await using db = await createDatabase("oldest")`. */
export function createDatabase(version: PostgresVersion = "newest"): Promise<TestDatabase> {
  return createDatabaseAt(inject("postgres")[version]);
}

/** The same on a server of the test's own. */
export async function createDatabaseAt(address: PostgresAddress): Promise<TestDatabase> {
  const database = `test_${process.pid}_${Date.now().toString(36)}_${serial++}`;
  const admin = await connected(clientConfig(address, "postgres"));
  try {
    await admin.query(`CREATE DATABASE ${pg.escapeIdentifier(database)} TEMPLATE template0`);
  } finally {
    await admin.end();
  }
  return new TestDatabase(address, database);
}

async function connected(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  // A session that a test cuts off must not end the test's process; the queries on it reject all the same.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** They would keep the database from being dropped, and the shared server's log for ever. */
async function dropSlots(admin: pg.Client, database: string): Promise<void> {
  await waitFor("the database's replication slots to be dropped", async () => {
    await admin.query(
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = $1 AND active_pid IS NOT NULL",
      [database],
    );
    const left = await admin.query<{ slot_name: string; active: boolean }>(
      "SELECT slot_name, active FROM pg_replication_slots WHERE database = $1",
      [database],
    );
    for (const { slot_name, active } of left.rows) {
      // One that was taken again in between is dropped in the next round.
      if (!active) await admin.query("SELECT pg_drop_replication_slot($1)", [slot_name]).catch(() => undefined);
    }
    return left.rows.length === 0;
  });
}

async function rollBackPrepared(client: pg.Client): Promise<void> {
  try {
    const prepared = await client.query<{ gid: string }>(
      "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()",
    );
    for (const { gid } of prepared.rows) await client.query(`ROLLBACK PREPARED ${pg.escapeLiteral(gid)}`);
  } finally {
    await client.end();
  }
}
