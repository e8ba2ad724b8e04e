import type { LogItem } from "../../src/core/line.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import type { BinlogDecoderOptions } from "../../src/sources/mysql/binlog/decoder.ts";
import type { LazySession } from "../../src/sources/mysql/connection.ts";
import { defineTables } from "../../src/sources/mysql/history/definitions.ts";
import type { Flavour } from "../../src/sources/mysql/position.ts";
import { visibleCut } from "../../src/sources/mysql/log/visible.ts";
import { tableLookup } from "../../src/sources/mysql/table-lookup.ts";
import {
  binlogDecoder,
  BinlogTail,
  decodeBinlog,
  itemTexts,
  LoneMysqlDatabase,
  STRICT_MYSQL_RULES,
} from "./mysql-binlog.ts";
import { deadline, openSessions, schemaOf } from "./mysql-source.ts";
import { testAmbient } from "./test-ambient.ts";

/** Table `t` of a server of its own, as a pipeline begins it, and what the decoder makes of the log from before that on. */
export class DefinedTable implements AsyncDisposable {
  readonly db: LoneMysqlDatabase;
  readonly #flavour: Flavour;
  readonly #sessions: LazySession;
  readonly #asking: LazySession;
  #tail: BinlogTail | null = null;
  /** As a pipeline begins with it. */
  schema: TableSchema | null = null;

  private constructor(db: LoneMysqlDatabase, flavour: Flavour) {
    this.db = db;
    this.#flavour = flavour;
    this.#sessions = openSessions(db);
    this.#asking = openSessions(db);
  }

  static async start(flavour: Flavour, metadata: string): Promise<DefinedTable> {
    const db = await LoneMysqlDatabase.start(flavour);
    const table = new DefinedTable(db, flavour);
    await db.query(`SET GLOBAL binlog_row_metadata = '${metadata}'`);
    return table;
  }

  async run(...statements: readonly string[]): Promise<void> {
    for (const statement of statements) await this.db.query(statement);
  }

  /** The table anew, and all that was followed of it forgotten. */
  async create(create: string): Promise<void> {
    await this.run("DROP TABLE IF EXISTS t", create);
    this.#tail = await BinlogTail.open(this.db, this.#flavour);
  }

  async define(): Promise<void> {
    const schema = await schemaOf(this.#sessions, this.db, "t");
    const asking = await this.#asking.get(deadline());
    const sessions = {
      locking: await this.#sessions.get(deadline()),
      visible: (life: AbortSignal) => visibleCut(asking, life),
    };
    [this.schema = null] = await defineTables(sessions, [schema], STRICT_MYSQL_RULES, testAmbient(), deadline());
  }

  async items(schema: TableSchema = this.schema!, options: Partial<BinlogDecoderOptions> = {}): Promise<LogItem[]> {
    const lookup = tableLookup(this.#sessions, STRICT_MYSQL_RULES, deadline());
    const decoder = binlogDecoder(this.#flavour, [schema], { lookup, ...options });
    return await decodeBinlog(decoder, await this.#tail!.events());
  }

  async texts(options: Partial<BinlogDecoderOptions> = {}): Promise<string[]> {
    return itemTexts(await this.items(this.schema!, options));
  }

  /** What the statements are to the decoder, which begins at the table's definition. */
  async said(create: string, ...statements: readonly string[]): Promise<string[]> {
    await this.create(create);
    await this.define();
    await this.run(...statements);
    return itemTexts(await this.items());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
    await this.#asking[Symbol.asyncDispose]();
    await this.db[Symbol.asyncDispose]();
  }
}
