import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, test } from "vitest";
import type { Sink } from "../../src/core/sink.ts";
import { DUCKDB_DEFAULTS } from "../../src/sinks/duckdb/config.ts";
import { createDuckdbSink } from "../../src/sinks/duckdb/sink.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { testAmbient } from "../support/test-ambient.ts";
import { batch, column, table, type Change } from "./batch.ts";
import { signal } from "./sink-harness.ts";
import { commit, int64, PIPELINE, record, text } from "./sink-script.ts";

const MEMORY_LIMIT_BYTES = 80 * 1024 * 1024;
const BODY = "0123456789".repeat(100_000);
const EPOCH_BYTES = 32 * 1024 * 1024;
const wide = table("wide", [column("id", int64), column("body", text)], [0]);

function rows(op: Change["op"], first: number): Change[] {
  return [first, first + 1].map((id) => ({ op, cells: [BigInt(id), `${op} ${id} ${BODY}`] }));
}

/** Writes as the engine does: an epoch ends when what is pending has passed its bound. Returns the next epoch. */
async function write(sink: Sink, op: Change["op"], count: number, from: number): Promise<number> {
  let epoch = from;
  for (let first = 0; first < count; first += 2) {
    await sink.write(batch(wide, rows(op, first)));
    if (sink.pendingBytes() >= EPOCH_BYTES || first + 2 >= count) await commit(sink, record(epoch++));
  }
  return epoch;
}

async function opened(path: string): Promise<Sink> {
  const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS, memoryLimitBytes: MEMORY_LIMIT_BYTES }, testAmbient());
  await sink.open(PIPELINE, signal);
  return sink;
}

describe("rows of a megabyte, many times more of them than DuckDB's memory limit holds", () => {
  test("get in by the snapshot and by the log, over a restart, and small rows after them", async () => {
    await using folder = tempFolder();
    const path = folder.file("wide.duckdb");
    let sink = await opened(path);
    await sink.beginTable(wide, 1, "create");
    let epoch = await write(sink, "upsert", 160, 1);
    await sink.endSnapshot(wide.id);
    await commit(sink, record(epoch++));
    await sink.close();
    sink = await opened(path);
    epoch = await write(sink, "update", 100, epoch);
    const small = Array.from({ length: 5000 }, (_, i): Change => ({ op: "insert", cells: [BigInt(i + 200), "small"] }));
    await sink.write(batch(wide, small));
    await commit(sink, record(epoch));
    await sink.close();
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    const read = await connection.runAndReadAll(
      "SELECT split_part(left(body, 10), ' ', 1) AS op, count(*)::INTEGER, min(length(body))::INTEGER FROM shop.wide GROUP BY 1 ORDER BY 1",
    );
    expect(read.getRowsJS()).toEqual([
      ["small", 5000, 5],
      ["update", 100, "update 0 ".length + BODY.length],
      ["upsert", 60, "upsert 100 ".length + BODY.length],
    ]);
    connection.closeSync();
    instance.closeSync();
  });

  test("that do not fit into one epoch break it, and leave the file as it was", async () => {
    await using folder = tempFolder();
    const path = folder.file("wide.duckdb");
    let sink = await opened(path);
    await sink.beginTable(wide, 1, "create");
    await commit(sink, record(1));
    const oneEpoch = async (): Promise<void> => {
      for (let first = 0; first < 120; first += 2) await sink.write(batch(wide, rows("insert", first)));
      await commit(sink, record(2));
    };
    await expect(oneEpoch()).rejects.toMatchObject({ code: "SINK_OUT_OF_MEMORY" });
    await sink.close();
    sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS, memoryLimitBytes: MEMORY_LIMIT_BYTES }, testAmbient());
    expect(await sink.open(PIPELINE, signal)).toMatchObject({ epoch: 1 });
    await sink.write(batch(wide, rows("insert", 0)));
    await commit(sink, record(2));
    await sink.close();
  });
});
