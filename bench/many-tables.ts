import type { MysqlFlavour } from "../test/support/mysql-programs.ts";
import type { BenchSource } from "./bench-pipeline.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
import { mysqlSource, runMysql, startBenchMysql } from "./mysql-server.ts";
import { forgetSource, postgresSource, startBenchPostgres, withClient } from "./postgres-server.ts";

/** For each the server keeps locks until the query ends. */
const TABLES_PER_QUERY = 50;

/** A running server with tables `t0`, `t1` … of ten columns and no rows. */
export interface ManyTables extends AsyncDisposable {
  readonly source: BenchSource;
  /** Gives so many of the tables, from the first one on, a row more each. */
  insert(tables: number): Promise<void>;
  /** Takes away what a pipeline has made on the source. */
  forget(): Promise<void>;
}

export type ManyTablesServer = "PostgreSQL" | "MySQL" | "MariaDB";

export async function manyTables(server: ManyTablesServer, tables: number): Promise<ManyTables> {
  if (server === "PostgreSQL") return await manyPostgresTables(tables);
  return await manyMysqlTables(server === "MySQL" ? "mysql" : "mariadb", tables);
}

async function manyPostgresTables(tables: number): Promise<ManyTables> {
  const server = await startBenchPostgres();
  const run = async (statements: readonly string[]): Promise<void> =>
    void (await withClient(server, BENCH_DATABASE, (client) => client.query(statements.join("; "))));
  await inParts(tables, run, createTable("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"));
  return {
    source: postgresSource(server),
    insert: (tables) => inParts(tables, run, (i) => `INSERT INTO t${i} DEFAULT VALUES`),
    forget: () => forgetSource(server),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function manyMysqlTables(flavour: MysqlFlavour, tables: number): Promise<ManyTables> {
  const server = await startBenchMysql(flavour);
  const run = (statements: readonly string[]): Promise<void> => runMysql(server, ...statements);
  await inParts(tables, run, createTable("bigint AUTO_INCREMENT PRIMARY KEY"));
  return {
    source: mysqlSource(server),
    insert: (tables) => inParts(tables, run, (i) => `INSERT INTO t${i} () VALUES ()`),
    // It keeps nothing of a pipeline.
    forget: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function createTable(key: string): (i: number) => string {
  const columns = Array.from({ length: 9 }, (_, i) => `column_${i} numeric(18, 2) NOT NULL DEFAULT ${i}`).join(", ");
  return (i) => `CREATE TABLE t${i} (id ${key}, ${columns})`;
}

async function inParts(
  tables: number,
  run: (statements: readonly string[]) => Promise<void>,
  statement: (i: number) => string,
): Promise<void> {
  for (let first = 0; first < tables; first += TABLES_PER_QUERY) {
    const count = Math.min(TABLES_PER_QUERY, tables - first);
    await run(Array.from({ length: count }, (_, i) => statement(first + i)));
  }
}
