import { resolve } from "node:path";
import { z } from "zod";
import { DUCKDB_DEFAULTS } from "../sinks/duckdb/config.ts";
import { section, type Section } from "./section.ts";
import type { DuckdbSpec } from "./spec.ts";
import { flag, integer, sizeBytes, word } from "./value.ts";

const keys = z.strictObject({
  type: z
    .literal("duckdb", "`duckdb`")
    .meta({ description: "A DuckDB database file as the sink. No other process can open it meanwhile." }),
  path: word(
    /^(?!:memory:$).+/,
    "the path of a file",
    "The database file; made when it is absent. Relative to the folder of the pipeline file.",
  ),
  "memory.limit": sizeBytes(
    64_000_000,
    "at least 64MB",
    "DuckDB's own memory limit. Changes at random places of a table with tens of millions of rows need more than the default.",
  ).prefault(`${DUCKDB_DEFAULTS.memoryLimitBytes / 2 ** 20}MiB`),
  threads: integer(
    1,
    256,
    "Threads with which DuckDB brings changes into their tables; new rows are written by one.",
  ).prefault(`${DUCKDB_DEFAULTS.threads}`),
  "primary-key": flag(
    "Declare PRIMARY KEY on the target tables. Not needed for uniqueness; its index has to fit in memory and slows every epoch down.",
  ).prefault("false"),
});

const NOT_YET = ["name", "include.schema.changes", "exclude.schema.changes"];

/** The sink section of type `duckdb`. */
export const duckdbSink: Section<DuckdbSpec> = section(keys, NOT_YET, (options, context): DuckdbSpec => ({
  type: "duckdb",
  path: resolve(context.folder, options.path),
  memoryLimitBytes: options["memory.limit"],
  threads: options.threads,
  primaryKey: options["primary-key"],
}));
