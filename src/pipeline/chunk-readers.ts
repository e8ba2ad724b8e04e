import type { BufferPool } from "../core/buffer-pool.ts";
import type { ChunkReader } from "../core/chunk.ts";
import type { ValueRules } from "../core/source.ts";
import type { PostgresOptions } from "../sources/postgres/config.ts";
import type { MysqlOptions } from "../sources/mysql/config.ts";

/** A source's connector and its options: plain data, the password in it. */
export type ConnectorData =
  | { readonly type: "postgres"; readonly options: PostgresOptions }
  | { readonly type: "mysql"; readonly options: MysqlOptions };

/** What a worker thread gets to open its chunk readers with. */
export type ChunkWorkerData = ConnectorData & { readonly rules: ValueRules };

/**
 * How a worker opens its readers: the source connectors once more, apart from the catalog, since each thread loads what it
 * imports again. Only the one that is asked for is loaded, and of it only what reads chunks.
 */
export async function chunkReaders(data: ChunkWorkerData): Promise<(pool: BufferPool) => ChunkReader> {
  if (data.type === "postgres") {
    const { createPostgresChunkReader } = await import("../sources/postgres/chunks.ts");
    return (pool) => createPostgresChunkReader(data.options, data.rules, pool);
  }
  const { createMysqlChunkReader } = await import("../sources/mysql/chunks.ts");
  return (pool) => createMysqlChunkReader(data.options, data.rules, pool);
}
