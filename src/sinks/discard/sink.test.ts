import { expect, test } from "vitest";
import { testAmbient } from "../../../test/support/test-ambient.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { tableId, type TableSchema } from "../../core/table-schema.ts";
import { createDiscardSink } from "./sink.ts";
import { discardTraits } from "./traits.ts";

const signal = new AbortController().signal;
const schema: TableSchema = { id: tableId("s", "t"), namespace: "s", name: "t", version: 1, columns: [], key: [] };
const rows: ChangeBatch = {
  schema,
  origin: "snapshot",
  length: 3,
  columns: [],
  before: null,
  ops: null,
  runs: [],
  bytes: 100,
};
const ambient = testAmbient();
const record = (epoch: number, token = 1) => ({ pipeline: "p", epoch, token, parts: new Map() });

test("counts what it throws away, and empties what is pending at a commit", async () => {
  const sink = createDiscardSink(ambient);
  expect(await sink.open("p", signal)).toBeNull();
  await sink.beginTable(schema, 1, "create");
  await sink.write(rows);
  await sink.write({ ...rows, origin: "log", ops: new Uint8Array(3) });
  await sink.truncate(schema.id, null);
  expect(sink.pendingBytes()).toBe(200);
  await sink.commit(record(1));
  expect(sink.pendingBytes()).toBe(0);
  expect(sink.counts).toEqual({ snapshotRows: 3, logRows: 3, bytes: 200, truncates: 1, epochs: 1 });
});

test("fences while it is open, and has no memory of epochs after", async () => {
  const sink = createDiscardSink(ambient);
  await sink.open("p", signal);
  await sink.commit(record(7, 2));
  await expect(sink.commit(record(9, 2))).rejects.toMatchObject({ code: "FENCED" });
  await expect(sink.commit(record(8, 1))).rejects.toMatchObject({ code: "FENCED" });
  await sink.close();
  await expect(sink.write(rows)).rejects.toMatchObject({ code: "SINK_CLOSED" });
  expect(await sink.open("p", signal)).toBeNull();
  expect(discardTraits().guarantee).toContain("none");
});
