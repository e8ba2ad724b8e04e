import type pg from "pg";
import { Op, type ChangeBatch } from "../../src/core/change-batch.ts";
import type { LogItem } from "../../src/core/line.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import type { LogDecoderOptions } from "../../src/sources/postgres/log-decoder.ts";
import {
  cellTexts,
  decodeLog,
  logDecoder,
  logMessages,
  publicSchema,
  sourceClient,
  STRICT_RULES,
} from "./postgres-decoding.ts";
import type { PostgresVersion } from "./postgres-binaries.ts";
import { createDatabase } from "./postgres.ts";

const OP_NAMES = Object.fromEntries(Object.entries(Op).map(([name, value]) => [value, name]));

/** A batch as lines of text: operation, then each cell. */
export function changes(batch: ChangeBatch): string[] {
  const columns = batch.columns.map(cellTexts);
  return Array.from({ length: batch.length }, (_, row) =>
    [OP_NAMES[batch.ops![row]!], ...columns.map((cells) => shortened(cells[row]))].join(" "),
  );
}

function shortened(text: string | null | undefined): string {
  const shown = String(text);
  return shown.length > 20 ? `${shown.slice(0, 3)}…${shown.length}` : shown;
}

/** What happened, in order, but for the progress. */
export function story(items: readonly LogItem[]): unknown[] {
  return items.flatMap((item): readonly (string | readonly string[])[] => {
    switch (item.kind) {
      case "rows":
        return [[`${item.batch.schema.name} v${item.batch.schema.version}`, ...changes(item.batch)]];
      case "truncate":
        return [`truncate ${item.table}`];
      case "schema":
        return [`schema ${item.schema.name} v${item.schema.version}`];
      case "stop":
        return [`stop ${item.table} ${item.error.code}`];
      case "progress":
        return [];
    }
  });
}

/** Tables of a database of its own, and the log of what is done to them, decoded as often as asked. */
export class LogFixture implements AsyncDisposable {
  readonly db: Awaited<ReturnType<typeof createDatabase>>;
  readonly client: pg.Client;
  readonly tables: TableSchema[] = [];

  constructor(db: LogFixture["db"], client: pg.Client) {
    this.db = db;
    this.client = client;
  }

  static open(...ddl: string[]): Promise<LogFixture> {
    return LogFixture.on("newest", ...ddl);
  }

  static async on(version: PostgresVersion, ...ddl: string[]): Promise<LogFixture> {
    const db = await createDatabase(version);
    const fixture = new LogFixture(db, await sourceClient(db));
    for (const statement of ["SET search_path = public", ...ddl]) await fixture.client.query(statement);
    const names = await db.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    );
    await fixture.client.query(`CREATE PUBLICATION p FOR TABLE ${names.map(({ name }) => name).join(", ")}`);
    await fixture.client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [db.database]);
    for (const { name } of names) fixture.tables.push(await publicSchema(fixture.client, name, STRICT_RULES));
    return fixture;
  }

  /** Each in a transaction of its own (statements of one string share one). */
  async run(...transactions: string[]): Promise<void> {
    for (const transaction of transactions) await this.client.query(transaction);
  }

  messages(): Promise<Buffer[]> {
    return logMessages(this.client, this.db.database, "p");
  }

  async items(options: Partial<LogDecoderOptions> = {}): Promise<LogItem[]> {
    return decodeLog(logDecoder(this.tables, options), await this.messages());
  }

  /** Answers with one more column each time a relation has more than the known schema. */
  get followingLookup(): LogDecoderOptions["lookup"] {
    return async (relation, known) => {
      if (known === null) return { kind: "ignore" };
      if (relation.columns.length === known.columns.length) return { kind: "same" };
      const now = await publicSchema(this.client, known.name, STRICT_RULES);
      const columns = now.columns.slice(0, relation.columns.length);
      return { kind: "schema", schema: { ...known, version: known.version + 1, columns } };
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db[Symbol.asyncDispose]();
  }
}
