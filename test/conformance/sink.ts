import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noFailpoints } from "../../src/core/ambient.ts";
import { absent, batch, column, table } from "./batch.ts";
import { closing, closingEarly, epochsAndRecords, fencing, kills } from "./sink-epochs.ts";
import { lines, opened, orders, signal, type Kill, type MakeHarness } from "./sink-harness.ts";
import { keyedHistory, keylessHistory, replay } from "./sink-model.ts";
import { keptChanges } from "./sink-log.ts";
import { movesAndTruncates, rowsWithKey, rowsWithoutKey } from "./sink-rows.ts";
import { commit, int64, PIPELINE, record, text } from "./sink-script.ts";
import { afterSnapshots, snapshots } from "./sink-snapshots.ts";
import { stagedEpochs, transactions } from "./sink-staged.ts";

/** Which half of the contract is a sink's. */
export interface SinkNature {
  readonly commits: "transactional" | "staged";
  readonly keeps: "rows" | "changes";
}

export const TABLE: SinkNature = { commits: "transactional", keeps: "rows" };
export const STAGED_LOG: SinkNature = { commits: "staged", keeps: "changes" };

/** The contract of `Sink` (src/core/sink.ts). Of a log, `rows` are what it says when it is read to its end. */
export function sinkConformance(
  name: string,
  { commits, keeps }: SinkNature,
  harness: MakeHarness,
  deaths: readonly Kill[],
): void {
  describe(`sink contract: ${name}`, () => {
    for (const part of [
      epochsAndRecords,
      fencing,
      closing,
      closingEarly,
      rowsWithKey,
      movesAndTruncates,
      rowsWithoutKey,
      snapshots,
      afterSnapshots,
      tablesAndSchemas,
      histories,
    ])
      part(harness);
    kills(harness, deaths);
    (commits === "staged" ? stagedEpochs : transactions)(harness);
    if (keeps === "changes") keptChanges(harness);
  });
}

function tablesAndSchemas(harness: MakeHarness): void {
  test("a table begun anew is empty and may have another shape", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await commit(sink, record(1));
    const changed = table("orders", [column("id", text), column("only", text)], [0], 2);
    await sink.beginTable(changed, 2, "truncate");
    await sink.write(batch(changed, [{ op: "upsert", cells: ["k", "v"] }]));
    await commit(sink, record(2));
    await sink.close();
    expect(await target.rows(changed)).toEqual([["k", "v"]]);
  });

  test("a table that was begun anew is known to be, whether or not an epoch was committed", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await commit(sink, record(1));
    expect(sink.begun()).toEqual(new Map([[orders.id, 1]]));
    await sink.beginTable(orders, 2, "truncate");
    expect(sink.begun()).toEqual(new Map([[orders.id, 2]]));
    await sink.close();
    const next = await opened(target);
    expect(next.begun()).toEqual(new Map([[orders.id, target.staged === null ? 2 : 1]]));
    await next.close();
  });

  test("a pipeline that was forgotten leaves its rows, and begins anew on its own tables", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await commit(sink, record(1));
    await sink.close();
    for (let i = 0; i < 2; i++) await target.make().forget(PIPELINE, signal);
    expect(await target.rows(orders)).toEqual([["1", "a", null]]);
    const anew = target.make();
    expect(await anew.open(PIPELINE, signal)).toBeNull();
    await anew.beginTable(orders, 1, "create");
    await commit(anew, record(1));
    await anew.close();
    expect(await target.rows(orders)).toEqual([]);
  });

  test("a table that this pipeline did not make is left alone", async () => {
    await using target = await harness();
    const first = target.make();
    await first.open("first", signal);
    await first.beginTable(orders, 1, "create");
    await first.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await commit(first, record(1));
    await first.close();
    const sink = await opened(target);
    await expect(sink.beginTable(orders, 1, "create")).rejects.toMatchObject({ code: "SINK_TABLE_EXISTS" });
    await sink.close();
    expect(await target.rows(orders)).toEqual([["1", "a", null]]);
  });

  test("a batch without rows is nothing: a table can begin behind it", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, []));
    expect(sink.pendingBytes()).toBe(0);
    await sink.beginTable(lines, 1, "create");
    await commit(sink, record(1));
    await sink.close();
  });

  test("an added column has its default in old rows and in rows of older batches; their updates leave it alone", async () => {
    await using target = await harness();
    const wide = table("orders", [...orders.columns, column("extra", text, "it's"), column("more", int64)], [0], 2);
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(
      batch(orders, [
        { op: "insert", cells: [1n, "a", null] },
        { op: "insert", cells: [2n, "b", null] },
      ]),
    );
    await commit(sink, record(1));
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
    await commit(sink, record(2));
    await sink.close();
    sink = await opened(target);
    await sink.write(batch(orders, [{ op: "update", cells: [2n, "b3", null] }]));
    await commit(sink, record(3));
    await sink.close();
    expect(await target.rows(wide)).toEqual([
      ["1", "a2", null, "it's", null],
      ["2", "b3", null, "set", "7"],
      ["3", "c", null, "it's", null],
      ["4", "whole", null, "it's", null],
    ]);
  });
}

function histories(harness: MakeHarness): void {
  test("random histories of a table with a key end as the model says", async () => {
    await fc.assert(
      fc.asyncProperty(keyedHistory(), async (epochs) => {
        await using target = await harness();
        const expected = await replay(() => target.make(noFailpoints), orders, epochs);
        expect(await target.rows(orders)).toEqual(expected);
      }),
      { numRuns: 8 },
    );
  });

  test("random histories of a table without a key end as the model says", async () => {
    await fc.assert(
      fc.asyncProperty(keylessHistory(), async (epochs) => {
        await using target = await harness();
        const expected = await replay(() => target.make(noFailpoints), lines, epochs);
        expect(await target.rows(lines)).toEqual(expected);
      }),
      { numRuns: 8 },
    );
  });
}
