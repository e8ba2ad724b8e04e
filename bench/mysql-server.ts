import { type Connection, createConnection } from "mysql2/promise";
import type { MysqlFlavour } from "../test/support/mysql-programs.ts";
import {
  mysqlConfig,
  type MysqlSettings,
  type PrivateMysql,
  startPrivateMysql,
} from "../test/support/private-mysql.ts";
import type { BenchSource } from "./bench-pipeline.ts";
import { BENCH_DATABASE, endWithUs } from "./bench-server.ts";
import { statementsOf } from "./statements.ts";

/**
 * The measured tables and all of the log fit into memory, and no write of a page falls into one run and not into the next;
 * rows of 64 MB are let through.
 */
const SETTINGS: MysqlSettings = {
  innodb_buffer_pool_size: "1G",
  max_allowed_packet: "1G",
};

const SETTINGS_OF: Readonly<Record<MysqlFlavour, MysqlSettings>> = {
  mysql: { ...SETTINGS, innodb_redo_log_capacity: "1G" },
  mariadb: { ...SETTINGS, innodb_log_file_size: "1G" },
};

/** What a server that keeps its commits over a loss of power waits for at each; the tests' servers do not. */
export const DURABLE: MysqlSettings = { sync_binlog: "1", innodb_flush_log_at_trx_commit: "1" };

/** A server, private, with an empty database `bench`. */
export async function startBenchMysql(flavour: MysqlFlavour, settings: MysqlSettings = {}): Promise<PrivateMysql> {
  const server = await startPrivateMysql({ flavour, settings: { ...SETTINGS_OF[flavour], ...settings } });
  endWithUs(server);
  try {
    await withMysql(server, (client) => client.query(`CREATE DATABASE ${BENCH_DATABASE}`), "mysql");
    await runMysqlFile(server, "mysql-tables.sql");
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

export function mysqlSource({ host, port, user, password }: PrivateMysql): BenchSource {
  const options: BenchSource["options"] = (tables) => ({
    type: "mysql",
    tables: tables.map((table) => `${BENCH_DATABASE}.${table}`).join(", "),
  });
  return { host, port, user, password, options };
}

export async function withMysql<Result>(
  server: PrivateMysql,
  use: (client: Connection) => Promise<Result>,
  database: string = BENCH_DATABASE,
): Promise<Result> {
  const client = await createConnection(mysqlConfig(server, database));
  client.on("error", () => undefined);
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Runs statements of a script, one after the other. */
export async function runMysql(server: PrivateMysql, ...statements: readonly string[]): Promise<void> {
  await withMysql(server, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

export async function runMysqlFile(server: PrivateMysql, file: string): Promise<void> {
  await runMysql(server, ...statementsOf(file));
}

/** Begins a new file of the log, and says its name. */
export async function newBinlog(server: PrivateMysql): Promise<string> {
  return await withMysql(server, async (client) => {
    await client.query("FLUSH BINARY LOGS");
    const [files] = await client.query("SHOW BINARY LOGS");
    return (files as { Log_name: string }[]).at(-1)!.Log_name;
  });
}
