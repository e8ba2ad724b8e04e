import type { Connection, ResultSetHeader } from "mysql2/promise";
import pg from "pg";
import { TestMysqlDatabase } from "./mysql.ts";
import type { AnyDatabase } from "./test-server.ts";

/** The SQL that a server speaks. */
export type Dialect = "postgres" | "mysql";

/** A connection of the workload's. Statements name their values `$1`, `$2` … on either server. */
export interface WorkloadSession {
  readonly dialect: Dialect;
  /** Begins a transaction, and empties these tables: in it, or just before it where TRUNCATE commits by itself. */
  begin(emptied: readonly string[]): Promise<void>;
  /** Gives the number of rows that the statement wrote. */
  run(sql: string, values?: readonly unknown[]): Promise<number>;
  /** Whether the error only says that others were in the way. The transaction is to be rolled back. */
  isConflict(error: unknown): boolean;
  end(): Promise<void>;
}

export function openWorkloadSession(db: AnyDatabase): Promise<WorkloadSession> {
  return db instanceof TestMysqlDatabase ? MysqlSession.open(db) : PostgresSession.open(db);
}

class PostgresSession implements WorkloadSession {
  readonly dialect = "postgres";
  /** Serialization, deadlock, lock timeout, a key that was just taken. */
  static readonly #CONFLICTS: ReadonlySet<string> = new Set(["40001", "40P01", "55P03", "23505"]);
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(db: Exclude<AnyDatabase, TestMysqlDatabase>): Promise<PostgresSession> {
    const client = await db.client();
    await client.query("SET lock_timeout = '2s'");
    return new PostgresSession(client);
  }

  async begin(emptied: readonly string[]): Promise<void> {
    await this.#client.query("BEGIN");
    if (emptied.length > 0) await this.#client.query(`TRUNCATE ${emptied.join(", ")}`);
  }

  async run(sql: string, values: readonly unknown[] = []): Promise<number> {
    const result = await this.#client.query(sql, [...values]);
    return result.rowCount ?? 0;
  }

  isConflict(error: unknown): boolean {
    return error instanceof pg.DatabaseError && PostgresSession.#CONFLICTS.has(error.code ?? "");
  }

  async end(): Promise<void> {
    await this.#client.end();
  }
}

class MysqlSession implements WorkloadSession {
  readonly dialect = "mysql";
  /**
   * Deadlock, lock timeout, a key that was just taken; a table that was altered or emptied since the transaction's
   * snapshot; and on MariaDB a row that was changed since.
   */
  static readonly #CONFLICTS: ReadonlySet<unknown> = new Set([1213, 1205, 1062, 1412, 1020]);
  readonly #client: Connection;

  private constructor(client: Connection) {
    this.#client = client;
  }

  static async open(db: TestMysqlDatabase): Promise<MysqlSession> {
    const client = await db.client();
    // Whoever waits for a row gives up before a TRUNCATE that waits for the table: only one of the two has to.
    await client.query("SET innodb_lock_wait_timeout = 1, lock_wait_timeout = 2");
    return new MysqlSession(client);
  }

  async begin(emptied: readonly string[]): Promise<void> {
    for (const table of emptied) await this.#client.query(`TRUNCATE ${table}`);
    await this.#client.query("START TRANSACTION");
  }

  async run(sql: string, values: readonly unknown[] = []): Promise<number> {
    const ordered: unknown[] = [];
    const marked = sql.replaceAll(/\$(\d+)/g, (_, place: string) => {
      ordered.push(values[Number(place) - 1]);
      return "?";
    });
    const [result] = await this.#client.query<ResultSetHeader>(marked, ordered);
    return result.affectedRows;
  }

  isConflict(error: unknown): boolean {
    return error instanceof Error && MysqlSession.#CONFLICTS.has((error as Error & { errno?: unknown }).errno);
  }

  async end(): Promise<void> {
    await this.#client.end();
  }
}
