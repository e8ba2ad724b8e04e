import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { quoteIdentifier, type TableSchema } from "../../src/core/table-schema.ts";
import { DUCKDB_DEFAULTS, DUCKDB_TUNING, type DuckdbTuning } from "../../src/sinks/duckdb/config.ts";
import { createDuckdbSink } from "../../src/sinks/duckdb/sink.ts";
import { projectRoot } from "../support/project-root.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { byText } from "./sink-model.ts";
import { sinkConformance, type SinkHarness } from "./sink.ts";
import { testAmbient } from "./test-ambient.ts";

const CHILD = join(projectRoot, "dist", "test", "conformance", "killed-sink.js");

function duckdbHarness(tuning: DuckdbTuning, primaryKey: boolean): SinkHarness {
  const folder = tempFolder();
  const path = folder.file("warehouse.duckdb");
  return {
    make: (failpoint) => createDuckdbSink({ path, ...DUCKDB_DEFAULTS, primaryKey }, testAmbient(failpoint), tuning),
    rows: (schema) => readRows(path, schema),
    async killedAt(failpoint, nth) {
      const child = spawn(process.execPath, [CHILD, path, failpoint, String(nth)], {
        stdio: ["ignore", "inherit", "inherit"],
      });
      const [, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
      if (signal !== "SIGKILL") throw new Error(`the process was not killed at ${failpoint}: is dist/ built?`);
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function readRows(path: string, schema: TableSchema): Promise<(string | null)[][]> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  try {
    const name = `${quoteIdentifier(schema.namespace)}.${quoteIdentifier(schema.name)}`;
    const tables = await connection.runAndReadAll("SELECT 1 FROM duckdb_tables() WHERE table_name = $1", [schema.name]);
    if (tables.currentRowCount === 0) return [];
    const result = await connection.runAndReadAll(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ${name}`);
    return (result.getRowsJS() as (string | null)[][]).sort(byText);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const tiny: DuckdbTuning = { ...DUCKDB_TUNING, bufferRowsMax: 3, changeRowsMax: 4 };

sinkConformance("duckdb", () => duckdbHarness(DUCKDB_TUNING, false));
sinkConformance("duckdb, by the appender", () => duckdbHarness({ ...DUCKDB_TUNING, feed: "appender" }, false));
sinkConformance("duckdb, folding every few rows", () => duckdbHarness(tiny, false));
sinkConformance("duckdb, with primary keys", () => duckdbHarness(tiny, true));
