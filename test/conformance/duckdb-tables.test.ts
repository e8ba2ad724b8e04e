import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, test } from "vitest";
import type { Sink } from "../../src/core/sink.ts";
import { quoteIdentifier } from "../../src/core/table-schema.ts";
import { DUCKDB_DEFAULTS } from "../../src/sinks/duckdb/config.ts";
import { createDuckdbSink } from "../../src/sinks/duckdb/sink.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { testAmbient } from "../support/test-ambient.ts";
import { batch, column, table, type Change } from "./batch.ts";
import { signal } from "./sink-harness.ts";
import { commit, int64, PIPELINE, record, text } from "./sink-script.ts";

/** Of 150 tables with changes, DuckDB holds 43 MB until a checkpoint. */
const MEMORY_LIMIT_BYTES = 32 * 1024 * 1024;
const EPOCH_BYTES = 32 * 1024 * 1024;
const TABLES = Array.from({ length: 150 }, (_, i) => table(`t${i}`, [column("id", int64), column("name", text)], [0]));

async function opened(path: string): Promise<Sink> {
  const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS, memoryLimitBytes: MEMORY_LIMIT_BYTES }, testAmbient());
  await sink.open(PIPELINE, signal);
  return sink;
}

async function beginAll(sink: Sink): Promise<void> {
  for (const schema of TABLES) await sink.beginTable(schema, 1, "create");
}

/** Writes a row of every table as the engine does: an epoch ends when what is pending has passed its bound. */
async function write(sink: Sink, op: Change["op"], name: string, from: number): Promise<number> {
  let epoch = from;
  for (const schema of TABLES) {
    await sink.write(batch(schema, [{ op, cells: [1n, name] }]));
    if (sink.pendingBytes() >= EPOCH_BYTES) await commit(sink, record(epoch++));
  }
  await commit(sink, record(epoch));
  return epoch + 1;
}

async function namesIn(path: string): Promise<readonly string[]> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  const all = TABLES.map(
    ({ namespace, name }) => `SELECT name FROM ${[namespace, name].map(quoteIdentifier).join(".")}`,
  );
  const found = (await connection.runAndReadAll(all.join(" UNION ALL "))).getRowsJS() as string[][];
  connection.closeSync();
  instance.closeSync();
  return found.map(([name]) => name!);
}

describe("more tables than DuckDB's memory limit holds changes of", () => {
  test("get theirs in short epochs", async () => {
    await using folder = tempFolder();
    const path = folder.file("tables.duckdb");
    const sink = await opened(path);
    await beginAll(sink);
    let epoch = await write(sink, "upsert", "snapshot", 1);
    for (const round of ["first", "second"]) epoch = await write(sink, "update", round, epoch);
    await sink.close();
    expect(await namesIn(path)).toEqual(TABLES.map(() => "second"));
  });

  test("break an epoch that they are all in, which says that it is them, and leave the file as it was", async () => {
    await using folder = tempFolder();
    const path = folder.file("tables.duckdb");
    const sink = await opened(path);
    await beginAll(sink);
    await write(sink, "upsert", "snapshot", 1);
    const oneEpoch = async (): Promise<void> => {
      for (const schema of TABLES) await sink.write(batch(schema, [{ op: "update", cells: [1n, "changed"] }]));
      await commit(sink, record(99));
    };
    await expect(oneEpoch()).rejects.toMatchObject({
      code: "SINK_OUT_OF_MEMORY",
      message: expect.stringContaining("changes 150 tables"),
      hint: expect.stringContaining("0.6 MB for each table"),
    });
    await sink.close();
    expect(await namesIn(path)).toEqual(TABLES.map(() => "snapshot"));
  });
});
