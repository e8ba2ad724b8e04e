import type pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import { isAbsent, isNull, type Column } from "../../src/core/column.ts";
import type { LogItem } from "../../src/core/line.ts";
import type { ValueRules } from "../../src/core/source.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { catalogQuery, catalogTables, type CatalogTable } from "../../src/sources/postgres/catalog.ts";
import { cellText } from "../../src/sources/postgres/cell-text.ts";
import { clientConfig } from "../../src/sources/postgres/connection.ts";
import { LogDecoder, type LogDecoderOptions } from "../../src/sources/postgres/log-decoder.ts";
import { PgPosition, pgLsn, xid64 } from "../../src/sources/postgres/position.ts";
import { catalogSchema } from "../../src/sources/postgres/schema.ts";
import type { TestDatabase } from "./postgres.ts";

/** Everything a sink could hold, and failure where it cannot. */
export const STRICT_RULES: ValueRules = {
  unrepresentable: "error",
  nonFinite: { decimalNaN: false, dateInfinity: true, timestampInfinity: true },
  beforeImages: false,
};

/** A session with the settings that the source's own sessions have. */
export function sourceClient(db: TestDatabase): Promise<pg.Client> {
  const { options } = clientConfig(
    {
      pipeline: "test",
      hostname: db.host,
      port: db.port,
      username: db.user,
      password: db.password,
      database: db.database,
      ssl: "disable",
      tables: [],
      tablesExclude: [],
      slotName: "",
      publicationName: "",
      connectTimeoutMs: 10_000,
      lockTimeoutMs: 10_000,
    },
    { statementTimeoutMs: 0, lockTimeoutMs: 0 },
  );
  return db.client({ options: options! });
}

export async function catalogTable(client: pg.Client, name: string): Promise<CatalogTable> {
  const result = await client.query<Record<string, unknown>>(catalogQuery("n.nspname = 'public' AND c.relname = $1"), [
    name,
  ]);
  return catalogTables(result.rows)[0]!;
}

export async function publicSchema(client: pg.Client, name: string, rules: ValueRules): Promise<TableSchema> {
  return catalogSchema(await catalogTable(client, name), rules);
}

/** The whole stream of a binary COPY. */
export async function copyBytes(client: pg.Client, select: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of client.query(copyTo(`COPY (${select}) TO STDOUT (FORMAT binary)`)))
    pieces.push(Buffer.from(piece as Buffer));
  return Buffer.concat(pieces);
}

/** All messages that the slot has, again and again the same. */
export async function logMessages(client: pg.Client, slot: string, publication: string): Promise<Buffer[]> {
  const result = await client.query<{ data: Buffer }>(
    `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)`,
    [slot, publication],
  );
  return result.rows.map((row) => row.data);
}

export function logDecoder(tables: readonly TableSchema[], options: Partial<LogDecoderOptions> = {}): LogDecoder {
  return new LogDecoder({
    tables,
    from: new PgPosition(pgLsn(0n)),
    nearXid: xid64(1000n),
    batchBytesMax: 1 << 20,
    flushRows: Number.MAX_SAFE_INTEGER,
    rules: STRICT_RULES,
    lookup: (_, known) => Promise.resolve(known === null ? { kind: "ignore" } : { kind: "same" }),
    ...options,
  });
}

/** Decodes messages, ending with a flush. */
export async function decodeLog(decoder: LogDecoder, messages: readonly Buffer[]): Promise<LogItem[]> {
  for (const message of messages) await decoder.decode(message, 0, message.length);
  decoder.flush();
  return decoder.take();
}

/** Null for null, `absent` for what is not known. */
export function cellTexts(column: Column): (string | null)[] {
  return Array.from({ length: column.length }, (_, row) =>
    isAbsent(column, row) ? "absent" : isNull(column, row) ? null : cellText(column, row),
  );
}

/** A query's rows as the server's own text. */
export async function rowTexts(client: pg.Client, select: string): Promise<(string | null)[][]> {
  const result = await client.query<(string | null)[]>({
    text: select,
    rowMode: "array",
    types: { getTypeParser: () => (value: string) => value },
  });
  return result.rows;
}
