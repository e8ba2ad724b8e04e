import { DuckDBInstance } from "@duckdb/node-api";

/**
 * DuckDB for the files of a test, each read anew. Left alone, 1.5 keeps what it has read of a file, and takes one that was
 * written in its place within the same second, of the same length, for the file that it knows.
 */
export async function fileDuckdb(): Promise<DuckDBInstance> {
  return await DuckDBInstance.create(":memory:", { enable_external_file_cache: "false" });
}
