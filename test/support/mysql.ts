import { type Connection, type ConnectionOptions, createConnection } from "mysql2/promise";
import { inject } from "vitest";
import type { MysqlFlavour } from "./mysql-programs.ts";
import { type MysqlAddress, mysqlConfig, mysqlUrl } from "./private-mysql.ts";
import { DEADLINE_MS, within } from "./wait-for.ts";

export { startPrivateMysql } from "./private-mysql.ts";

/** The servers that mysql-setup.ts has started, or was given. */
export type MysqlServers = Readonly<Record<MysqlFlavour, MysqlAddress>>;

declare module "vitest" {
  interface ProvidedContext {
    mysql: MysqlServers;
  }
}

let serial = 0;

/** A database of its own on one of the shared servers. Disposed of with its sessions. */
export class TestMysqlDatabase implements MysqlAddress, AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly url: string;
  readonly #clients: Connection[] = [];
  #own: Promise<Connection> | null = null;

  constructor(address: MysqlAddress, database: string) {
    this.host = address.host;
    this.port = address.port;
    this.user = address.user;
    this.password = address.password;
    this.database = database;
    this.url = mysqlUrl(address, database);
  }

  /** A new connection, as the superuser; ended with the database unless it was before. */
  async client(config: ConnectionOptions = {}): Promise<Connection> {
    const client = await connected({ ...mysqlConfig(this, this.database), ...config });
    this.#clients.push(client);
    return client;
  }

  /** On one connection that is kept: not for what needs a session of its own. No rows where the statement gives none. */
  async query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    this.#own ??= this.client();
    return rowsOf<Row>(await this.#own, sql, values);
  }

  /** They ended with the server. */
  protected forgetSessions(): void {
    for (const client of this.#clients.splice(0)) client.destroy();
    this.#own = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const admin = await connected(mysqlConfig(this));
    try {
      await this.#endSessions(admin);
      // What still holds a lock on a table, a prepared XA transaction say, is an error and not a wait for ever.
      await admin.query("SET SESSION lock_wait_timeout = ?", [DEADLINE_MS / 1000]);
      await admin.query("DROP DATABASE ??", [this.database]);
    } finally {
      await admin.end();
    }
  }

  /** Also of clients that are in a query, and of connections that are not ours but in this database. */
  async #endSessions(admin: Connection): Promise<void> {
    // Not information_schema.PROCESSLIST: it fails while somebody runs a statement with an emoji.
    const list = await rowsOf<{ Id: number; db: string | null }>(admin, "SHOW PROCESSLIST");
    const found = list.filter(({ db }) => db === this.database).map(({ Id }) => Id);
    const sessions = new Set([...found, ...this.#clients.map(({ threadId }) => threadId)]);
    // One that has ended by itself is unknown.
    for (const session of sessions) await admin.query("KILL ?", [session]).catch(() => undefined);
    await Promise.all(this.#clients.map((client) => within("a session to end", client.end())));
  }
}

/** An empty database on MySQL or MariaDB: `await using db = await createMysqlDatabase("mariadb")`. */
export function createMysqlDatabase(flavour: MysqlFlavour): Promise<TestMysqlDatabase> {
  return createMysqlDatabaseAt(inject("mysql")[flavour]);
}

/** The same on a server of the test's own. */
export async function createMysqlDatabaseAt(address: MysqlAddress): Promise<TestMysqlDatabase> {
  const database = `test_${process.pid}_${Date.now().toString(36)}_${serial++}`;
  const admin = await connected(mysqlConfig(address));
  try {
    await admin.query("CREATE DATABASE ??", [database]);
  } finally {
    await admin.end();
  }
  return new TestMysqlDatabase(address, database);
}

async function rowsOf<Row>(client: Connection, sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
  const [result] = await client.query(sql, [...values]);
  return Array.isArray(result) ? (result as Row[]) : [];
}

/** Values come as the server writes them: no number is rounded, and no date goes through a time zone. */
async function connected(config: ConnectionOptions): Promise<Connection> {
  const client = await createConnection({ supportBigNumbers: true, dateStrings: true, ...config });
  // A session that a test cuts off must not end the test's process; the queries on it reject all the same.
  client.on("error", () => undefined);
  return client;
}
