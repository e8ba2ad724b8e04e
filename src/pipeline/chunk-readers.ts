import type { BufferPool } from "../core/buffer-pool.ts";
import type { ChunkReader } from "../core/chunk.ts";
import type { ValueRules } from "../core/source.ts";
import type { PostgresOptions } from "../sources/postgres/config.ts";
import { createPostgresChunkReader } from "../sources/postgres/source.ts";
import type { SourceSpec } from "./spec.ts";

/** What a worker thread gets to open its chunk reader with: plain data, the password in it. */
export interface ChunkWorkerData {
  readonly type: SourceSpec["type"];
  readonly options: PostgresOptions;
  readonly rules: ValueRules;
}

/**
 * The source connectors once more, for workers: apart from the catalog, since each thread loads what it imports again,
 * and has no use for sinks and pipeline files.
 */
const CHUNK_READERS = { postgres: createPostgresChunkReader };

export function openChunkReader({ type, options, rules }: ChunkWorkerData, pool: BufferPool): ChunkReader {
  return CHUNK_READERS[type](options, rules, pool);
}
