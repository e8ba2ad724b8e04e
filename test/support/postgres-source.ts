import type { Ambient } from "../../src/core/ambient.ts";
import { BufferPool } from "../../src/core/buffer-pool.ts";
import type { ChangeBatch } from "../../src/core/change-batch.ts";
import type { ChunkOutcome, ChunkRange, ChunkReader } from "../../src/core/chunk.ts";
import { isAbsent, isNull } from "../../src/core/column.ts";
import type { Json } from "../../src/core/json.ts";
import type { Source, ValueRules } from "../../src/core/source.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { cellText } from "../../src/sources/postgres/cell-text.ts";
import type { PostgresOptions } from "../../src/sources/postgres/config.ts";
import { createPostgresChunkReader } from "../../src/sources/postgres/chunks.ts";
import { createPostgresSource } from "../../src/sources/postgres/source.ts";
import { parseTablePatterns } from "../../src/core/table-pattern.ts";
import { testAmbient } from "./test-ambient.ts";
import { DEADLINE_MS } from "./wait-for.ts";

export const AMBIENT: Ambient = testAmbient();

export const RULES: ValueRules = {
  unrepresentable: "error",
  nonFinite: { decimalNaN: false, dateInfinity: true, timestampInfinity: true },
  beforeImages: false,
};

/** Ends whatever a test waits for before the test itself is ended, so that it is torn down all the same. */
export const deadline = (): AbortSignal => AbortSignal.timeout(DEADLINE_MS);

interface Database {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** The source's options for a test's database; `tables` as in a pipeline file, without the database part. */
export function sourceOptions(db: Database, tables: string, changes: Partial<PostgresOptions> = {}): PostgresOptions {
  return {
    pipeline: "tested",
    hostname: db.host,
    port: db.port,
    username: db.user,
    password: db.password,
    database: db.database,
    ssl: "disable",
    tables: tables
      .split(",")
      .flatMap((part) => parseTablePatterns(`${db.database}.${part}`, "database.schema.table").patterns),
    tablesExclude: [],
    slotName: `slot_${db.database}`,
    publicationName: "tested_publication",
    connectTimeoutMs: 5_000,
    lockTimeoutMs: 2_000,
    ...changes,
  };
}

export function openSource(db: Database, tables: string, changes: Partial<PostgresOptions> = {}): Source {
  return createPostgresSource(sourceOptions(db, tables, changes), RULES, AMBIENT);
}

export function openReader(db: Database, tables: string, changes: Partial<PostgresOptions> = {}): ChunkReader {
  return createPostgresChunkReader(sourceOptions(db, tables, changes), RULES, new BufferPool(1 << 20));
}

/** The schemas that the source offers. */
export async function offeredSchemas(source: Source): Promise<readonly TableSchema[]> {
  const inspection = await source.inspect(deadline());
  return inspection.offers.map((offer) => offer.schema);
}

/** Rows of a batch as texts, a cell that is absent as `undefined`. */
export function batchRows(batch: ChangeBatch): readonly (readonly (string | null | undefined)[])[] {
  return Array.from({ length: batch.length }, (_, row) =>
    batch.columns.map((column) =>
      isAbsent(column, row) ? undefined : isNull(column, row) ? null : cellText(column, row),
    ),
  );
}

export interface ReadChunk {
  readonly outcome: ChunkOutcome;
  readonly cut: Json;
  readonly rows: readonly (readonly (string | null | undefined)[])[];
  readonly batches: readonly ChangeBatch[];
}

export interface ChunkCaps {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

export const NO_CAPS: ChunkCaps = { rowsMax: 10_000_000, bytesMax: 1 << 30 };

export async function readChunk(
  reader: ChunkReader,
  schema: TableSchema,
  range: ChunkRange,
  caps: ChunkCaps = NO_CAPS,
): Promise<ReadChunk> {
  const batches: ChangeBatch[] = [];
  let cut: Json = null;
  const outcome = await reader.read(
    { grant: { chunk: 1, attempt: 1, token: 1 }, schema, range, ...caps },
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
