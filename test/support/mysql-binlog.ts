import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createConnection } from "mysql2/promise";
import { type Column, isAbsent, isNull } from "../../src/core/column.ts";
import type { LogItem } from "../../src/core/line.ts";
import { tableId, type TableSchema } from "../../src/core/table-schema.ts";
import { tableByName } from "../../src/sources/mysql/catalog.ts";
import type { BinlogDecoderOptions } from "../../src/sources/mysql/binlog/decoder.ts";
import { definitionOf } from "../../src/sources/mysql/history/table-definition.ts";
import { withHistory } from "../../src/sources/mysql/history/table-history.ts";
import { columnType, type MysqlTypeRules, parseMysqlType } from "../../src/sources/mysql/mysql-type.ts";
import type { Flavour } from "../../src/sources/mysql/position.ts";
import { catalogSchema } from "../../src/sources/mysql/schema.ts";
import { cellText } from "../../src/sources/postgres/cell-text.ts";
import { binlogDecoder, binlogEvents, decodeBinlog, STRICT_MYSQL_RULES } from "./binlog-fixture.ts";
import { mysqlProgram } from "./mysql-programs.ts";
import { deadline, openSessions } from "./mysql-source.ts";
import { createMysqlDatabase, TestMysqlDatabase } from "./mysql.ts";
import { mysqlConfig, type MysqlSettings, type PrivateMysql, startPrivateMysql } from "./private-mysql.ts";
import { tempFolder } from "./temp-folder.ts";
import { waitFor } from "./wait-for.ts";

export { binlogDecoder, binlogEvents, decodeBinlog, STRICT_MYSQL_RULES } from "./binlog-fixture.ts";

/** What a server has written into its binlog since this was made. */
export class BinlogTail {
  readonly #db: TestMysqlDatabase;
  readonly #flavour: Flavour;
  readonly #first: string;

  private constructor(db: TestMysqlDatabase, flavour: Flavour, first: string) {
    this.#db = db;
    this.#flavour = flavour;
    this.#first = first;
  }

  /** Begins a new file, so that nothing from before is read. */
  static async open(db: TestMysqlDatabase, flavour: Flavour): Promise<BinlogTail> {
    await db.query("FLUSH BINARY LOGS");
    return new BinlogTail(db, flavour, (await binlogNames(db)).at(-1)!);
  }

  /** By the server's own client, as a replica gets them, into files as the server's are. */
  async files(): Promise<Buffer[]> {
    const names = (await binlogNames(this.#db)).filter((name) => name >= this.#first);
    const flavour = this.#flavour;
    const program = mysqlProgram(flavour, flavour === "mysql" ? "usr/bin/mysqlbinlog" : "usr/bin/mariadb-binlog");
    const { host, port, user, password } = this.#db;
    const session = [`--host=${host}`, `--port=${port}`, `--user=${user}`, `--password=${password}`];
    await using folder = tempFolder();
    const options = [
      "--no-defaults",
      "--read-from-remote-server",
      "--raw",
      `--result-file=${folder.file("")}/`,
      ...session,
    ];
    await promisify(execFile)(program.command, [...program.args, ...options, ...names]);
    return names.map((name) => readFileSync(join(folder.path, name)));
  }

  async events(): Promise<Buffer[]> {
    return binlogEvents(...(await this.files()));
  }
}

async function binlogNames(db: TestMysqlDatabase): Promise<string[]> {
  const rows = await db.query<{ Log_name: string }>("SHOW BINARY LOGS");
  return rows.map((row) => row.Log_name);
}

/** The schema of a table as the catalog has it. */
export async function mysqlSchema(
  db: TestMysqlDatabase,
  name: string,
  rules: MysqlTypeRules = STRICT_MYSQL_RULES,
): Promise<TableSchema> {
  const columns = await db.query<{ name: string; type: string; collation: string | null }>(
    `SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, COLLATION_NAME AS collation FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    [db.database, name],
  );
  const key = await db.query<{ name: string }>(
    `SELECT COLUMN_NAME AS name FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX`,
    [db.database, name],
  );
  return {
    id: tableId(db.database, name),
    namespace: db.database,
    name,
    version: 1,
    columns: columns.map(({ name, type, collation }) => ({
      name,
      type: columnType(parseMysqlType(type, collation)!, rules),
      nullable: true,
      sourceType: type,
      collation,
      existingRowsDefault: null,
    })),
    key: key.map((part) => columns.findIndex((column) => column.name === part.name)),
  };
}

/** Null for null, `absent` for what is not known. */
export function cellTexts(column: Column): (string | null)[] {
  return Array.from({ length: column.length }, (_, row) =>
    isAbsent(column, row) ? "absent" : isNull(column, row) ? null : cellText(column, row),
  );
}

const OPS = ["upsert", "insert", "update", "delete", "moved"];

/** Items as texts: `insert 1,a` for a row, `truncate`, `stop CODE`, `schema 2`. Progress is left out. */
export function itemTexts(items: readonly LogItem[]): string[] {
  return items.flatMap((item): string[] => {
    switch (item.kind) {
      case "rows": {
        const columns = item.batch.columns.map(cellTexts);
        return Array.from(
          item.batch.ops!,
          (op, row) => `${OPS[op]!} ${columns.map((column) => column[row] ?? "null").join(",")}`,
        );
      }
      case "schema":
        return [`schema ${item.schema.version}`];
      case "stop":
        return [`stop ${item.error.code}`];
      case "truncate":
        return ["truncate"];
      case "progress":
        return [];
    }
  });
}

/** What the decoder makes of statements, of which the first creates table `t`. */
export async function decodedStatements(
  flavour: Flavour,
  statements: readonly string[],
  options: Partial<BinlogDecoderOptions> = {},
): Promise<string[]> {
  await using db = await createMysqlDatabase(flavour);
  return await decodedStatementsIn(db, flavour, statements, options);
}

/**
 * What the decoder makes of statements in a session with that row image, of which the first creates table `t`; its
 * definition is known.
 */
export async function decodedImages(
  flavour: Flavour,
  image: string,
  [create, ...statements]: readonly string[],
  options: Partial<BinlogDecoderOptions> = {},
): Promise<LogItem[]> {
  await using db = await createMysqlDatabase(flavour);
  await using sessions = openSessions(db);
  await db.query(create!);
  const table = (await tableByName(await sessions.get(deadline()), db.database, "t", deadline()))!;
  const history = { table: definitionOf(table), asOf: null, copy: null };
  const schema = withHistory(catalogSchema(table, STRICT_MYSQL_RULES)!, history);
  const tail = await BinlogTail.open(db, flavour);
  await db.query(`SET SESSION binlog_row_image = '${image}'`);
  for (const statement of statements) await db.query(statement);
  return await decodeBinlog(binlogDecoder(flavour, [schema], options), await tail.events());
}

export async function decodedStatementsIn(
  db: TestMysqlDatabase,
  flavour: Flavour,
  [create, ...statements]: readonly string[],
  options: Partial<BinlogDecoderOptions> = {},
): Promise<string[]> {
  await db.query(create!);
  const schema = await mysqlSchema(db, "t");
  const tail = await BinlogTail.open(db, flavour);
  for (const statement of statements) await db.query(statement);
  return itemTexts(await decodeBinlog(binlogDecoder(flavour, [schema], options), await tail.events()));
}

/**
 * A database on a server of its own: for what no decoder may meet that reads the shared server's log at the same time.
 */
export class LoneMysqlDatabase extends TestMysqlDatabase {
  readonly #server: PrivateMysql;

  private constructor(server: PrivateMysql, database: string) {
    super(server, database);
    this.#server = server;
  }

  get server(): PrivateMysql {
    return this.#server;
  }

  /** Takes the files before the one of that number away, which MariaDB does only when it needs them no more. */
  async purgeTo(number: number): Promise<void> {
    const name = `binlog.${String(number).padStart(6, "0")}`;
    await waitFor(`the log to begin with ${name}`, async () => {
      await this.query(`PURGE BINARY LOGS TO '${name}'`);
      return (await binlogNames(this))[0] === name;
    });
  }

  /** `settings` go over those of every private server. */
  static async start(flavour: Flavour, settings: MysqlSettings = {}): Promise<LoneMysqlDatabase> {
    const server = await startPrivateMysql({ flavour, settings });
    const admin = await createConnection(mysqlConfig(server));
    await admin.query("CREATE DATABASE lone");
    await admin.end();
    return new LoneMysqlDatabase(server, "lone");
  }

  /** As one that was just started: no tables, no sessions, and a log from its beginning. What was set globally stays. */
  async renew(): Promise<void> {
    this.forgetSessions();
    const admin = await createConnection(mysqlConfig(this.#server));
    try {
      await admin.query("DROP DATABASE lone");
      await admin.query(this.#server.flavour === "mysql" ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER");
      await admin.query("CREATE DATABASE lone");
    } finally {
      await admin.end();
    }
  }

  /** As after a crash of the server. Connections are new ones then. */
  async restart(): Promise<void> {
    await this.#server.kill();
    await this.#server.start();
    this.forgetSessions();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    // The database goes with its server; sessions see its end.
    await this.#server[Symbol.asyncDispose]();
  }
}
