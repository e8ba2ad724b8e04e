import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noFailpoints, type FailpointHook } from "../../src/core/ambient.ts";
import type { CommittedRecord } from "../../src/core/record.ts";
import type { Sink } from "../../src/core/sink.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { absent, batch, column, table, type Change } from "./batch.ts";
import { keyedHistory, keylessHistory, replay } from "./sink-model.ts";
import { int64, PIPELINE, record, runScript, SCRIPT_ROWS, scripted, text } from "./sink-script.ts";

/** One target of a sink under test, empty at first. */
export interface SinkHarness extends AsyncDisposable {
  make(failpoint?: FailpointHook): Sink;
  /** The target's rows in order, each cell as the sink's own text form. No sink is open. */
  rows(schema: TableSchema): Promise<readonly (readonly (string | null)[])[]>;
  /** Runs `runScript` on the target in a process of its own, which kills itself at the nth call of the failpoint. */
  killedAt(failpoint: string, nth: number): Promise<void>;
}

const signal = new AbortController().signal;
const orders = table("orders", [column("id", int64), column("name", text), column("note", text)], [0]);
const lines = table("lines", [column("a", int64), column("b", text)], []);

async function opened(harness: SinkHarness): Promise<Sink> {
  const sink = harness.make();
  await sink.open(PIPELINE, signal);
  return sink;
}

/** One epoch after the other over a new table, each given as its batches; then the rows. */
async function rowsAfter(harness: SinkHarness, schema: TableSchema, epochs: readonly (readonly Change[])[][]) {
  const sink = await opened(harness);
  await sink.beginTable(schema, 1, "create");
  for (const [i, batches] of epochs.entries()) {
    for (const changes of batches) await sink.write(batch(schema, changes));
    await sink.commit(record(i + 1));
  }
  await sink.close();
  return harness.rows(schema);
}

/** The contract of `Sink` (src/core/sink.ts), for a sink of kind `table`. */
export function sinkConformance(name: string, harness: () => SinkHarness): void {
  describe(`sink contract: ${name}`, () => {
    epochsAndRecords(harness);
    closing(harness);
    rowsWithKey(harness);
    snapshots(harness);
    rowsWithoutKey(harness);
    tablesAndSchemas(harness);
    kills(harness);
    histories(harness);
  });
}

function epochsAndRecords(harness: () => SinkHarness): void {
  test("reports nothing at first, then what was committed last, parts laid over each other", async () => {
    await using target = harness();
    let sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toBeNull();
    await sink.commit(record(1, { position: "a", source: "s" }));
    await sink.commit(record(2, { position: "b", gone: "x" }, 4));
    await sink.commit(record(3, { gone: null }, 4));
    await sink.close();
    sink = target.make();
    const expected: CommittedRecord = {
      epoch: 3,
      token: 4,
      parts: new Map(Object.entries({ position: "b", source: "s" })),
    };
    expect(await sink.open(PIPELINE, signal)).toEqual(expected);
    await sink.close();
  });

  test("another pipeline in the same target has a record of its own", async () => {
    await using target = harness();
    const mine = await opened(target);
    const other = target.make();
    await mine.commit(record(1, { position: "mine" }));
    await mine.close();
    expect(await other.open("other", signal)).toBeNull();
    await other.close();
  });

  test.each([
    ["an epoch that is there already", 2, 1],
    ["an epoch that leaves one out", 4, 1],
    ["a token below the last", 3, 0],
  ])("refuses %s as FENCED, and changes nothing", async (_what, epoch, token) => {
    await using target = harness();
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.commit(record(1));
    await sink.commit(record(2));
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await expect(sink.commit(record(epoch, {}, token))).rejects.toMatchObject({ code: "FENCED" });
    await sink.close();
    sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toMatchObject({ epoch: 2, token: 1 });
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });

  test("a run that another took over from is FENCED, with its rows", async () => {
    await using target = harness();
    const old = await opened(target);
    await old.beginTable(orders, 1, "create");
    await old.commit(record(1));
    await old.write(batch(orders, [{ op: "insert", cells: [1n, "old", null] }]));
    const taker = await opened(target);
    await taker.write(batch(orders, [{ op: "insert", cells: [2n, "new", null] }]));
    await taker.commit(record(2, {}, 2));
    await expect(old.commit(record(2))).rejects.toMatchObject({ code: "FENCED" });
    await old.close();
    await taker.close();
    expect(await target.rows(orders)).toEqual([["2", "new", null]]);
  });

  test("what is not committed is gone after close, and counted as pending before", async () => {
    await using target = harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.commit(record(1));
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    expect(sink.pending().rows).toBe(1);
    expect(sink.pending().bytes).toBeGreaterThan(0);
    await sink.close();
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
    await expect(sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]))).rejects.toMatchObject({
      code: "SINK_CLOSED",
    });
  });
}

function closing(harness: () => SinkHarness): void {
  test("a close while a commit is under way makes it reject, and leaves the epoch before", async () => {
    await using target = harness();
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.commit(record(1));
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    const refused = expect(sink.commit(record(2))).rejects.toMatchObject({ code: "SINK_CLOSED" });
    await sink.close();
    await refused;
    sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toMatchObject({ epoch: 1 });
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });
}

function rowsWithKey(harness: () => SinkHarness): void {
  test("the last change of a key wins, within an epoch and over epochs", async () => {
    await using target = harness();
    const epochs: Change[][][] = [
      [
        [
          { op: "insert", cells: [1n, "a", "x"] },
          { op: "update", cells: [1n, "b", "y"] },
          { op: "insert", cells: [2n, "c", null] },
          { op: "delete", cells: [2n, absent, absent] },
          { op: "insert", cells: [3n, "d", null] },
        ],
      ],
      [
        [{ op: "delete", cells: [3n, absent, absent] }],
        [{ op: "insert", cells: [3n, "e", null] }],
        [
          { op: "insert", cells: [1n, "again", null] },
          { op: "delete", cells: [77n, absent, absent] },
        ],
      ],
    ];
    expect(await rowsAfter(target, orders, epochs)).toEqual([
      ["1", "again", null],
      ["3", "e", null],
    ]);
  });

  test("an update of absent cells leaves what is there, in the target and earlier in the epoch", async () => {
    await using target = harness();
    const epochs: Change[][][] = [
      [[{ op: "insert", cells: [1n, "a", "long"] }]],
      [
        [
          { op: "update", cells: [1n, "b", absent] },
          { op: "insert", cells: [2n, "c", "kept"] },
          { op: "update", cells: [2n, absent, null] },
          { op: "update", cells: [2n, "d", absent] },
          { op: "update", cells: [9n, "nobody", absent] },
          { op: "insert", cells: [3n, "e", "f"] },
          { op: "delete", cells: [3n, absent, absent] },
          { op: "update", cells: [3n, "g", absent] },
        ],
      ],
    ];
    expect(await rowsAfter(target, orders, epochs)).toEqual([
      ["1", "b", "long"],
      ["2", "d", null],
    ]);
  });

  test("an update that knows the whole row brings it where it is not there", async () => {
    await using target = harness();
    const epochs: Change[][][] = [[[{ op: "update", cells: [1n, "a", "b"] }]]];
    expect(await rowsAfter(target, orders, epochs)).toEqual([["1", "a", "b"]]);
  });

  test("a moved key is a delete and an insert, also in a circle", async () => {
    await using target = harness();
    const epochs: Change[][][] = [
      [
        [
          { op: "insert", cells: [1n, "a", null] },
          { op: "insert", cells: [2n, "b", null] },
        ],
      ],
      [
        [
          { op: "delete", cells: [1n, absent, absent] },
          { op: "moved", cells: [9n, "a", null] },
          { op: "delete", cells: [2n, absent, absent] },
          { op: "moved", cells: [1n, "b", null] },
          { op: "delete", cells: [9n, absent, absent] },
          { op: "moved", cells: [2n, "a", null] },
        ],
      ],
    ];
    expect(await rowsAfter(target, orders, epochs)).toEqual([
      ["1", "b", null],
      ["2", "a", null],
    ]);
  });

  test("a cell that is not known never becomes a null", async () => {
    await using target = harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await expect(sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", absent] }]))).rejects.toMatchObject({
      code: "INTERNAL",
    });
    await sink.close();
  });

  test("a truncate empties what came before it in the epoch and before the epoch, nothing after it", async () => {
    await using target = harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "committed", null] }]));
    await sink.commit(record(1));
    await sink.write(batch(orders, [{ op: "insert", cells: [2n, "before", null] }]));
    await sink.truncate(orders.id);
    await sink.write(batch(orders, [{ op: "insert", cells: [3n, "between", null] }]));
    await sink.truncate(orders.id);
    await sink.write(batch(orders, [{ op: "insert", cells: [4n, "after", null] }]));
    await sink.commit(record(2));
    await sink.close();
    expect(await target.rows(orders)).toEqual([["4", "after", null]]);
  });
}

function snapshots(harness: () => SinkHarness): void {
  const chunk = batch(
    orders,
    [1n, 2n, 3n, 4n].map((id) => ({ op: "upsert", cells: [id, "chunk", null] })),
  );

  test("chunk rows replace what the log delivered in the same epoch, and the log goes on over them", async () => {
    await using target = harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(
      batch(orders, [
        { op: "insert", cells: [1n, "log", null] },
        { op: "update", cells: [2n, "nothing yet", absent] },
      ]),
    );
    await sink.write(chunk);
    await sink.write(
      batch(orders, [
        { op: "update", cells: [3n, absent, "later"] },
        { op: "delete", cells: [4n, absent, absent] },
      ]),
    );
    await sink.endSnapshot(orders.id);
    await sink.commit(record(1));
    await sink.close();
    expect(await target.rows(orders)).toEqual([
      ["1", "chunk", null],
      ["2", "chunk", null],
      ["3", "chunk", "later"],
    ]);
  });

  test("chunk rows replace what the log delivered in an epoch before, over a restart", async () => {
    await using target = harness();
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(
      batch(orders, [
        { op: "insert", cells: [1n, "log", null] },
        { op: "insert", cells: [7n, "log", null] },
      ]),
    );
    await sink.commit(record(1));
    await sink.close();
    sink = await opened(target);
    await sink.write(chunk);
    await sink.commit(record(2));
    await sink.endSnapshot(orders.id);
    await sink.commit(record(3));
    await sink.close();
    expect((await target.rows(orders)).map(([id, name]) => `${id} ${name}`)).toEqual([
      "1 chunk",
      "2 chunk",
      "3 chunk",
      "4 chunk",
      "7 log",
    ]);
  });

  test("rows read again after the snapshot are upserts", async () => {
    await using target = harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(chunk);
    await sink.endSnapshot(orders.id);
    await sink.commit(record(1));
    await sink.write(batch(orders, [{ op: "upsert", cells: [2n, "again", "x"] }]));
    await sink.commit(record(2));
    await sink.close();
    expect((await target.rows(orders)).map((row) => row[1])).toEqual(["chunk", "again", "chunk", "chunk"]);
  });

  test("a truncate during the snapshot forgets the keys that were touched", async () => {
    await using target = harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "log", null] }]));
    await sink.commit(record(1));
    await sink.truncate(orders.id);
    await sink.write(chunk);
    await sink.write(batch(orders, [{ op: "update", cells: [1n, "late", "x"] }]));
    await sink.endSnapshot(orders.id);
    await sink.commit(record(2));
    await sink.close();
    expect((await target.rows(orders)).map((row) => row[1])).toEqual(["late", "chunk", "chunk", "chunk"]);
  });
}

function rowsWithoutKey(harness: () => SinkHarness): void {
  test("a delete removes exactly one of identical rows, nulls are equal, and deletes of nothing are nothing", async () => {
    await using target = harness();
    const twin = { op: "insert", cells: [1n, null] } as const;
    const gone = { op: "delete", cells: [1n, null] } as const;
    const other = { op: "insert", cells: [2n, "b"] } as const;
    const epochs: Change[][][] = [
      [
        [
          { ...twin, op: "upsert" },
          { ...twin, op: "upsert" },
          { ...twin, op: "upsert" },
        ],
      ],
      [
        [gone, other],
        [
          { op: "delete", cells: [5n, "never"] },
          { op: "insert", cells: [5n, "never"] },
        ],
      ],
      [[{ ...other, op: "delete" }, { ...other, op: "delete" }, other, gone, twin, gone]],
    ];
    expect(await rowsAfter(target, lines, epochs)).toEqual([
      ["1", null],
      ["2", "b"],
      ["5", "never"],
    ]);
  });
}

function tablesAndSchemas(harness: () => SinkHarness): void {
  test("a table begun anew is empty and may have another shape", async () => {
    await using target = harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await sink.commit(record(1));
    const changed = table("orders", [column("id", text), column("only", text)], [0], 2);
    await sink.beginTable(changed, 2, "truncate");
    await sink.write(batch(changed, [{ op: "upsert", cells: ["k", "v"] }]));
    await sink.commit(record(2));
    await sink.close();
    expect(await target.rows(changed)).toEqual([["k", "v"]]);
  });

  test("a table that this pipeline did not make is left alone", async () => {
    await using target = harness();
    const first = target.make();
    await first.open("first", signal);
    await first.beginTable(orders, 1, "create");
    await first.close();
    const sink = await opened(target);
    await expect(sink.beginTable(orders, 1, "create")).rejects.toMatchObject({ code: "SINK_TABLE_EXISTS" });
    await sink.commit(record(1));
    await sink.close();
  });

  test("an added column has its default in old rows and in rows of older batches; their updates leave it alone", async () => {
    await using target = harness();
    const wide = table("orders", [...orders.columns, column("extra", text, "it's"), column("more", int64)], [0], 2);
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(
      batch(orders, [
        { op: "insert", cells: [1n, "a", null] },
        { op: "insert", cells: [2n, "b", null] },
      ]),
    );
    await sink.commit(record(1));
    await sink.applySchema(wide);
    await sink.applySchema(wide);
    await sink.write(batch(wide, [{ op: "update", cells: [2n, "b", null, "set", 7n] }]));
    await sink.write(
      batch(orders, [
        { op: "update", cells: [1n, "a2", null] },
        { op: "update", cells: [2n, "b2", absent] },
        { op: "insert", cells: [3n, "c", null] },
        { op: "update", cells: [4n, "whole", null] },
      ]),
    );
    await sink.commit(record(2));
    await sink.close();
    sink = await opened(target);
    await sink.write(batch(orders, [{ op: "update", cells: [2n, "b3", null] }]));
    await sink.commit(record(3));
    await sink.close();
    expect(await target.rows(wide)).toEqual([
      ["1", "a2", null, "it's", null],
      ["2", "b3", null, "set", "7"],
      ["3", "c", null, "it's", null],
      ["4", "whole", null, "it's", null],
    ]);
  });
}

function kills(harness: () => SinkHarness): void {
  test.each([
    ["sink.table-begun", 1, 0],
    ["sink.changes-applied", 1, 0],
    ["sink.record-written", 1, 0],
    ["sink.schema-applied", 1, 1],
    ["sink.changes-applied", 2, 1],
    ["sink.record-written", 2, 1],
  ])("killed at %s (call %i): the epoch is wholly there or not at all, and goes on", async (failpoint, nth, epoch) => {
    await using target = harness();
    await target.killedAt(failpoint, nth);
    let sink = target.make();
    const committed = await sink.open(PIPELINE, signal);
    await sink.close();
    expect(committed?.epoch ?? 0).toBe(epoch);
    const rows = (await target.rows(scripted)).map((row) => row.slice(0, 2));
    expect(rows).toEqual(SCRIPT_ROWS[epoch]);
    sink = target.make();
    await runScript(sink, await sink.open(PIPELINE, signal));
    await sink.close();
    expect(await target.rows(scripted)).toEqual(SCRIPT_ROWS[2]);
  });

  test("a failure in the middle of an epoch breaks it for good", async () => {
    await using target = harness();
    const sink = target.make((at) => {
      if (at === "sink.changes-applied") throw new Error("injected");
    });
    await sink.open(PIPELINE, signal);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await expect(sink.commit(record(1))).rejects.toThrow("injected");
    await expect(sink.commit(record(1))).rejects.toThrow("injected");
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });
}

function histories(harness: () => SinkHarness): void {
  test("random histories of a table with a key end as the model says", async () => {
    await fc.assert(
      fc.asyncProperty(keyedHistory(orders), async (epochs) => {
        await using target = harness();
        const expected = await replay(() => target.make(noFailpoints), orders, epochs);
        expect(await target.rows(orders)).toEqual(expected);
      }),
      { numRuns: 15 },
    );
  });

  test("random histories of a table without a key end as the model says", async () => {
    await fc.assert(
      fc.asyncProperty(keylessHistory(), async (epochs) => {
        await using target = harness();
        const expected = await replay(() => target.make(noFailpoints), lines, epochs);
        expect(await target.rows(lines)).toEqual(expected);
      }),
      { numRuns: 15 },
    );
  });
}
