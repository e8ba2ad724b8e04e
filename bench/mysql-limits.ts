import { type MysqlFlavour, mysqlProgram } from "../test/support/mysql-programs.ts";
import { PROGRAM_ENV } from "../test/support/unpacked-program.ts";
import type { PrivateMysql } from "../test/support/private-mysql.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
import { runClient, secondsOf } from "./client-program.ts";

const CLIENTS: Readonly<Record<MysqlFlavour, { readonly sql: string; readonly binlog: string }>> = {
  mysql: { sql: "usr/bin/mysql", binlog: "usr/bin/mysqlbinlog" },
  mariadb: { sql: "usr/bin/mariadb", binlog: "usr/bin/mariadb-binlog" },
};

/** As the measured pipelines: over TCP, in clear. MySQL's password then travels by the server's key. */
const IN_CLEAR: Readonly<Record<MysqlFlavour, readonly string[]>> = {
  mysql: ["--ssl-mode=DISABLED", "--get-server-public-key"],
  mariadb: ["--skip-ssl"],
};

/**
 * Seconds that the server's client needs to select each of the ranges of a table to nowhere, all of them at the same time,
 * on a connection each. Its start and its login, which an empty statement takes too, are taken off.
 */
export async function selectSeconds(server: PrivateMysql, selects: readonly string[]): Promise<number> {
  const all = (statements: readonly string[]): Promise<number> =>
    secondsOf(() => Promise.all(statements.map((statement) => select(server, statement))));
  return (await all(selects)) - (await all(selects.map(() => "DO 0")));
}

/** `--quick` prints rows as they come, and does not gather them first. */
async function select(server: PrivateMysql, statement: string): Promise<void> {
  const { sql } = CLIENTS[server.flavour];
  const options = ["--quick", "--batch", "--skip-column-names", `--execute=${statement}`];
  await run(server, sql, [...options, BENCH_DATABASE]);
}

/** Seconds that the server's client needs to print the log as statements to nowhere, from that file on to its end. */
export async function binlogSeconds(server: PrivateMysql, fromFile: string): Promise<number> {
  const options = ["--read-from-remote-server", "--to-last-log", "--verbose"];
  return await secondsOf(() => run(server, CLIENTS[server.flavour].binlog, [...options, fromFile]));
}

async function run(server: PrivateMysql, program: string, args: readonly string[]): Promise<void> {
  const { host, port, user, password, flavour } = server;
  const { command, args: before } = mysqlProgram(flavour, program);
  const session = [`--host=${host}`, `--port=${port}`, `--user=${user}`, ...IN_CLEAR[flavour]];
  await runClient({
    command,
    args: [...before, "--no-defaults", ...session, ...args],
    env: { ...PROGRAM_ENV, MYSQL_PWD: password },
    output: "dropped",
  });
}
