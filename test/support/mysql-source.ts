import { BufferPool } from "../../src/core/buffer-pool.ts";
import type { ChangeBatch } from "../../src/core/change-batch.ts";
import type { ChunkOutcome, ChunkRange, ChunkReader } from "../../src/core/chunk.ts";
import { isNull, type Column } from "../../src/core/column.ts";
import type { Json } from "../../src/core/json.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { tableByName } from "../../src/sources/mysql/catalog.ts";
import { cellText } from "../../src/sources/mysql/cell-text.ts";
import { queriedTable } from "../../src/sources/mysql/charset/query.ts";
import { Charsets } from "../../src/sources/mysql/charset/charset.ts";
import { MysqlChunkPlanner } from "../../src/sources/mysql/chunk-planner.ts";
import { createMysqlChunkReader } from "../../src/sources/mysql/chunks.ts";
import type { MysqlOptions } from "../../src/sources/mysql/config.ts";
import { LazySession } from "../../src/sources/mysql/connection.ts";
import type { MysqlTypeRules } from "../../src/sources/mysql/mysql-type.ts";
import { catalogSchema } from "../../src/sources/mysql/schema.ts";

/** For the tests of this folder that read chunks of real servers. */

export const RULES: MysqlTypeRules = {
  unrepresentable: "error",
  nonFinite: { decimalNaN: false, dateInfinity: true, timestampInfinity: true },
  beforeImages: false,
  tinyint1AsBoolean: true,
};

/** Ends whatever a test waits for before the test itself is ended, so that it is torn down all the same. */
export const deadline = (): AbortSignal => AbortSignal.timeout(30_000);

export interface Database {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export function sourceOptions(db: Database, changes: Partial<MysqlOptions> = {}): MysqlOptions {
  return {
    pipeline: "tested",
    hostname: db.host,
    port: db.port,
    username: db.user,
    password: db.password,
    ssl: "disable",
    tables: [],
    tablesExclude: [],
    serverId: 4711,
    onlineSchemaChanges: true,
    tinyint1AsBoolean: true,
    startup: { kind: "initial" },
    heartbeatIntervalMs: 30_000,
    connectTimeoutMs: 5_000,
    lockTimeoutMs: 2_000,
    ...changes,
  };
}

export function openSessions(db: Database, changes: Partial<MysqlOptions> = {}): LazySession {
  const options = sourceOptions(db, changes);
  return new LazySession(options, { statementTimeoutMs: 0, lockTimeoutMs: options.lockTimeoutMs });
}

/** Character sets whose codes are asked of the server. */
export function askedOf(sessions: LazySession): Charsets {
  return new Charsets(async (charset) => queriedTable(await sessions.get(deadline()), charset, deadline()));
}

export function openReader(
  db: Database,
  changes: Partial<MysqlOptions> = {},
  rules: MysqlTypeRules = RULES,
): ChunkReader {
  return createMysqlChunkReader(sourceOptions(db, changes), rules, new BufferPool(1 << 20));
}

/** The planner of a server, and what it takes. */
export function openPlanner(sessions: LazySession): MysqlChunkPlanner {
  return new MysqlChunkPlanner(sessions);
}

export async function schemaOf(
  sessions: LazySession,
  db: Database,
  name: string,
  rules: MysqlTypeRules = RULES,
): Promise<TableSchema> {
  const session = await sessions.get(deadline());
  const table = (await tableByName(session, db.database, name, deadline()))!;
  return catalogSchema(table, rules)!;
}

export function columnTexts(column: Column): (string | null)[] {
  return Array.from({ length: column.length }, (_, row) => (isNull(column, row) ? null : cellText(column, row)));
}

export function batchRows(batch: ChangeBatch): (string | null)[][] {
  const columns = batch.columns.map(columnTexts);
  return Array.from({ length: batch.length }, (_, row) => columns.map((column) => column[row]!));
}

export interface ReadChunk {
  readonly outcome: ChunkOutcome;
  readonly cut: Json;
  readonly rows: readonly (readonly (string | null)[])[];
  readonly batches: readonly ChangeBatch[];
}

export interface ChunkCaps {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

export const NO_CAPS: ChunkCaps = { rowsMax: 10_000_000, bytesMax: 1 << 30 };
export const GRANT = { chunk: 1, attempt: 1, token: 1 } as const;
export const ALL: ChunkRange = { lower: null, upper: null };

export async function readChunk(
  reader: ChunkReader,
  schema: TableSchema,
  range: ChunkRange,
  caps: ChunkCaps = NO_CAPS,
): Promise<ReadChunk> {
  const batches: ChangeBatch[] = [];
  let cut: Json = null;
  const outcome = await reader.read(
    { grant: GRANT, schema, range, ...caps },
    {
      opened: (serialized) => {
        cut = serialized;
      },
      batch: async (batch) => {
        batches.push(batch);
      },
    },
    deadline(),
  );
  return { outcome, cut, rows: batches.flatMap(batchRows), batches };
}

/** A subquery `s` whose column `g` counts from 1. */
export function series(end: number): string {
  const digits = `(SELECT 0 d ${"123456789".replaceAll(/./g, "UNION SELECT $& ")})`;
  const names = Array.from(String(end), (_, i) => `d${i}`);
  const sum = names.map((name, i) => `${name}.d * ${10 ** i}`).join(" + ");
  return `(SELECT ${sum} + 1 AS g FROM ${names.map((name) => `${digits} ${name}`).join(", ")} HAVING g <= ${end}) s`;
}
