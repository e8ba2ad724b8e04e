import { describe, expect, test } from "vitest";
import { Op } from "../../src/core/change-batch.ts";
import type { ChunkRequest } from "../../src/core/chunk.ts";
import { MillraceError } from "../../src/core/errors.ts";
import { SimPosition, SimTransaction } from "./sim-log.ts";
import { cell, keyedSchema, keyOf, PLAIN_SCHEMA, plainBatch } from "./sim-rows.ts";
import { SnapshotHarness } from "./snapshot-harness.ts";

/** The keys delivered, in order of their number. */
const keysOf = ({ delivered }: SnapshotHarness): number[] =>
  delivered
    .flatMap((item) =>
      item.kind === "rows" ? Array.from({ length: item.batch.length }, (_, row) => keyOf(item.batch, row)) : [],
    )
    .toSorted((a, b) => a - b);

const upTo = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

describe("a snapshot", () => {
  test("reads a table in chunks, several at a time, each row once", async () => {
    await using harness = new SnapshotHarness({ keys: 95 });
    await harness.untilStreaming();
    expect(keysOf(harness)).toEqual(upTo(95));
    const widths = harness.requests.map(({ range }) => Number(range.upper![0]) - Number(range.lower?.[0] ?? -1));
    // The first ones are smaller.
    expect(widths[0]).toBe(2);
    expect(Math.max(...widths)).toBe(10);
    expect(harness.state).toEqual({ kind: "streaming", rows: 95 });
    expect(harness.events.filter(({ kind }) => kind === "planned")).toEqual([
      { kind: "planned", table: "sim.keyed", rowsEstimate: 95, chunksEstimate: 10 },
    ]);
    expect(new Set(harness.requests.map(({ grant }) => grant.chunk)).size).toBe(harness.requests.length);
  });

  test("reads only what a record does not have", async () => {
    const done = [
      { lower: null, upper: ["19"] },
      { lower: ["39"], upper: ["79"] },
    ];
    const state = { kind: "snapshotting", progress: { max: ["94"], done, rows: 60 } } as const;
    await using harness = new SnapshotHarness({ keys: 95, state });
    await harness.untilStreaming();
    expect(keysOf(harness)).toEqual([...upTo(20, 20), ...upTo(15, 80)]);
    expect(harness.state).toEqual({ kind: "streaming", rows: 95 });
  });

  test("an empty table is complete behind its bound", async () => {
    await using harness = new SnapshotHarness({ keys: 0 });
    await harness.untilStreaming();
    expect(harness.requests).toEqual([]);
    expect(harness.state).toEqual({ kind: "streaming", rows: 0 });
  });

  test("what is behind a chunk's cap is read as another chunk", async () => {
    await using harness = new SnapshotHarness({ keys: 50, cap: 3 });
    await harness.untilStreaming();
    expect(keysOf(harness)).toEqual(upTo(50));
  });

  test("a chunk that fails in passing is read again under another grant", async () => {
    let failed = 0;
    const has19 = ({ range }: ChunkRequest): boolean =>
      Number(range.lower?.[0] ?? -1) < 19 && Number(range.upper![0]) >= 19;
    await using harness = new SnapshotHarness({
      keys: 30,
      beforeRead: (request) => {
        if (has19(request) && failed++ < 2) throw new MillraceError("CHUNK_WORKER_LOST", "died");
      },
    });
    await harness.untilStreaming();
    expect(keysOf(harness)).toEqual(upTo(30));
    const grants = harness.requests.filter(has19).map(({ grant }) => grant);
    expect(new Set(grants.map(({ chunk }) => chunk)).size).toBe(3);
    expect(grants.every(({ token }) => token === 7)).toBe(true);
  });

  test("a table whose chunks keep failing in passing ends the run, which may go on later", async () => {
    await using harness = new SnapshotHarness({
      keys: 30,
      beforeRead: () => {
        throw new MillraceError("CHUNK_WORKER_LOST", "died");
      },
    });
    await expect(harness.untilStreaming()).rejects.toMatchObject({ code: "CHUNK_WORKER_LOST" });
    expect(harness.delivered.filter((item) => item.kind === "stop")).toEqual([]);
    expect(harness.requests.length).toBeLessThan(40);
  });

  test("a table that cannot be read stops at once", async () => {
    await using harness = new SnapshotHarness({
      keys: 1,
      beforeRead: () => {
        throw new MillraceError("SCHEMA_CHANGED", "gone");
      },
    });
    await harness.until((item) => item.kind === "stop");
    expect(harness.requests).toHaveLength(1);
  });

  test("a table that stops while a chunk of it is planned keeps no lane waiting", async () => {
    const { id } = keyedSchema(1);
    await using harness: SnapshotHarness = new SnapshotHarness({
      keys: 30,
      beforePlan: () => harness.snapshot.forget(id),
    });
    await harness.snapshot.run(async () => undefined, new AbortController().signal);
    expect(harness.requests).toEqual([]);
  });

  test("no chunk starts while finished ones fill their budget, and the log is helped to pass their bound", async () => {
    await using harness = new SnapshotHarness({ keys: 1000, settings: { waitingBytesMax: 1 } });
    harness.head = 5;
    let quiet = 0;
    // The log stays before the bound, until it has been nudged.
    harness.progress = async () => {
      if (harness.nudges > 0) quiet = 5;
      await harness.log.push({ kind: "progress", position: new SimPosition(quiet), commitTimeMs: null });
    };
    let readBefore = 0;
    await harness.until((item) => {
      if (quiet === 0) readBefore = harness.requests.length;
      return item.kind === "chunk-entered";
    });
    expect(harness.nudges).toBeGreaterThan(0);
    expect(readBefore).toBeLessThanOrEqual(3);
  });

  test("chunks of few rows fill the budget by what their columns take where they go", async () => {
    await using harness = new SnapshotHarness({ keys: 1000, settings: { waitingBytesMax: 200_000 } });
    harness.head = 5;
    let reads = 0;
    let idle = 0;
    // The log stays before the bound until no chunk has been started for a while.
    harness.progress = async () => {
      idle = reads > 0 && reads === harness.requests.length ? idle + 1 : 0;
      reads = harness.requests.length;
      const position = new SimPosition(idle < 50 ? 0 : 5);
      await harness.log.push({ kind: "progress", position, commitTimeMs: null });
    };
    let readBefore = 0;
    await harness.until((item) => {
      if (idle < 50) readBefore = harness.requests.length;
      return item.kind === "chunk-entered";
    });
    const chunkBytes = 16_384 * keyedSchema(1).columns.length;
    const [fewest, lanes] = [Math.ceil(200_000 / chunkBytes), 3];
    expect(readBefore).toBeGreaterThanOrEqual(fewest);
    expect(readBefore).toBeLessThan(fewest + lanes);
  });

  test("the rows of a table without a key come first, then the changes they do not include", async () => {
    await using harness = new SnapshotHarness({ keys: 40, schema: PLAIN_SCHEMA });
    harness.sure = new Set([0]);
    harness.head = 2;
    const runs = [0, 1].map((n) => ({ firstRow: n, transaction: new SimTransaction(n) }));
    await harness.log.push({ kind: "rows", batch: plainBatch([100, 200], [Op.insert, Op.insert], runs) });
    let entered = false;
    await harness.until((item) => {
      const before = entered;
      entered ||= harness.state.kind === "streaming";
      return before && item.kind === "progress";
    }, PLAIN_SCHEMA.id);
    const values = harness.delivered.flatMap((item) =>
      item.kind === "rows" ? Array.from({ length: item.batch.length }, (_, row) => cell(item.batch, "value", row)) : [],
    );
    expect(values).toEqual([...upTo(40), 200]);
    expect(harness.state).toEqual({ kind: "streaming", rows: 40 });
  });

  test("a table without a key that has grown is read again behind the alteration, on a quiet log too", async () => {
    const grown = { ...PLAIN_SCHEMA, columns: keyedSchema(2).columns.slice(-1).concat(PLAIN_SCHEMA.columns) };
    await using harness = new SnapshotHarness({ keys: 3, schema: PLAIN_SCHEMA, readAs: grown });
    await harness.untilStreaming(PLAIN_SCHEMA.id);
    expect(harness.requests).toHaveLength(2);
    expect(harness.delivered.map(({ kind }) => kind).filter((kind) => kind !== "progress")).toEqual([
      "schema",
      ...Array.from({ length: 3 }, () => "rows"),
      "chunk-entered",
    ]);
  });

  test("ends with the line: nobody reads on", async () => {
    const harness = new SnapshotHarness({ keys: 10_000 });
    await harness.until((item) => item.kind === "chunk-entered");
    await harness[Symbol.asyncDispose]();
    const { length } = harness.requests;
    await new Promise((resolve) => setImmediate(resolve));
    expect(harness.requests).toHaveLength(length);
  });
});
