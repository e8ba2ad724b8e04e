import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { quoteIdentifier } from "../../src/core/table-schema.ts";
import {
  PARQUET_DEFAULTS,
  PARQUET_TUNING,
  type ParquetOptions,
  type ParquetTuning,
} from "../../src/sinks/parquet/config.ts";
import type { StoreLocation } from "../../src/stores/open-store.ts";
import { STAGING_FOLDER } from "../../src/stores/folder/staging.ts";
import { STAGED_SUFFIX } from "../../src/stores/object-key.ts";
import { projectRoot } from "./project-root.ts";

/** Threads run compiled programs. */
export const encoderUrl: URL = pathToFileURL(join(projectRoot, "dist", "src", "pipeline", "parquet-worker.js"));

export function parquetOptions(location: StoreLocation): ParquetOptions {
  return { ...PARQUET_DEFAULTS, location };
}

/** So low that a few rows fill a row group. */
export const SMALL_TUNING: ParquetTuning = { ...PARQUET_TUNING, waitingBytesMax: 20_000 };

/** The query that lies beside a table's files; null: it has no file yet. `place`: as the sink calls what lies in `folder`. */
export async function presentSql(folder: string, place: string, table: string): Promise<string | null> {
  const query = join(folder, table, "_schema", "present.sql");
  if (!existsSync(query)) return null;
  const files = await readdir(join(folder, table), { recursive: true });
  if (!files.some((name) => name.endsWith(".parquet"))) return null;
  return (await readFile(query, "utf8")).replaceAll(place, folder);
}

/**
 * Makes a DuckDB file with a view of the present rows of every table in the folder. Returns its path. `place`: as in
 * `presentSql`, of a folder that is a copy.
 */
export async function lakeViews(folder: string, path: string, place: string = folder): Promise<string> {
  await rm(path, { force: true });
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  try {
    for (const name of await readdir(folder, { recursive: true })) {
      if (!name.endsWith("_schema/present.sql")) continue;
      const table = dirname(dirname(name));
      const sql = await presentSql(folder, place, table);
      if (sql === null) continue;
      const [schema, relation] = table.split("/").map((part) => quoteIdentifier(decodeURIComponent(part)));
      await connection.run(`CREATE SCHEMA IF NOT EXISTS ${schema}; CREATE VIEW ${schema}.${relation} AS ${sql}`);
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
  return path;
}

/** The paths of what is staged in the folder, and visible to nobody. */
export async function stagedFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, STAGING_FOLDER), { recursive: true });
  return names.filter((name) => name.endsWith(STAGED_SUFFIX)).map((name) => join(folder, STAGING_FOLDER, name));
}
