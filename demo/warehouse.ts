import { statSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../test/support/project-root.ts";
import type { Destination } from "./destination.ts";

const FILE = join(projectRoot, "demo", "warehouse.duckdb");

/** One DuckDB file, in which the tables are as they are in the source. */
export const WAREHOUSE: Destination = {
  title: "a DuckDB warehouse",
  label: "DuckDB",
  noun: "warehouse",
  pipelineFile: "pipeline.yaml",
  example: "postgres-to-duckdb.yaml",
  leaves: ["warehouse.duckdb", "warehouse.duckdb.wal", ".millrace"],
  question: '"select status, count(*), sum(total) from public.orders group by status"',
  readable: () => Promise.resolve(FILE),
  tellKilled: () => Promise.resolve(),
  size: () => Promise.resolve(`${(statSync(FILE).size / 1e6).toFixed(0)} MB in demo/warehouse.duckdb`),
  tellMore: () => Promise.resolve(true),
};
