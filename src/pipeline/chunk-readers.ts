import type { BufferPool } from "../core/buffer-pool.ts";
import type { ChunkReader } from "../core/chunk.ts";
import type { ValueRules } from "../core/source.ts";
import type { PostgresOptions } from "../sources/postgres/config.ts";
import type { MysqlOptions } from "../sources/mysql/config.ts";
import { createMysqlChunkReader } from "../sources/mysql/source.ts";
import { createPostgresChunkReader } from "../sources/postgres/source.ts";

/** A source's connector and its options: plain data, the password in it. */
export type ConnectorData =
  | { readonly type: "postgres"; readonly options: PostgresOptions }
  | { readonly type: "mysql"; readonly options: MysqlOptions };

/** What a worker thread gets to open its chunk readers with. */
export type ChunkWorkerData = ConnectorData & { readonly rules: ValueRules };

/**
 * The source connectors once more, for workers: apart from the catalog, since each thread loads what it imports again,
 * and has no use for sinks and pipeline files.
 */
export function openChunkReader(data: ChunkWorkerData, pool: BufferPool): ChunkReader {
  return data.type === "postgres"
    ? createPostgresChunkReader(data.options, data.rules, pool)
    : createMysqlChunkReader(data.options, data.rules, pool);
}
