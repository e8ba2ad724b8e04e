import { expect, test } from "vitest";
import { batch, transaction } from "./batch.ts";
import { opened, orders, type MakeHarness } from "./sink-harness.ts";
import { absent } from "./batch.ts";
import { commit, record } from "./sink-script.ts";

const chunk = batch(
  orders,
  [1n, 2n, 3n, 4n].map((id) => ({ op: "upsert", cells: [id, "chunk", null] })),
);

export function snapshots(harness: MakeHarness): void {
  test("chunk rows replace what the log delivered in the same epoch, and the log goes on over them", async () => {
    await using target = await harness();
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
    await commit(sink, record(1));
    await sink.close();
    expect(await target.rows(orders)).toEqual([
      ["1", "chunk", null],
      ["2", "chunk", null],
      ["3", "chunk", "later"],
    ]);
  });

  test("chunk rows replace what the log delivered in an epoch before, over a restart", async () => {
    await using target = await harness();
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(
      batch(orders, [
        { op: "insert", cells: [1n, "log", null] },
        { op: "insert", cells: [7n, "log", null] },
      ]),
    );
    await commit(sink, record(1));
    await sink.close();
    sink = await opened(target);
    await sink.write(chunk);
    await commit(sink, record(2));
    await sink.endSnapshot(orders.id);
    await commit(sink, record(3));
    await sink.close();
    expect((await target.rows(orders)).map(([id, name]) => `${id} ${name}`)).toEqual([
      "1 chunk",
      "2 chunk",
      "3 chunk",
      "4 chunk",
      "7 log",
    ]);
  });
}

export function afterSnapshots(harness: MakeHarness): void {
  test("rows read again after the snapshot are upserts", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(chunk);
    await sink.endSnapshot(orders.id);
    await commit(sink, record(1));
    await sink.write(batch(orders, [{ op: "upsert", cells: [2n, "again", "x"] }]));
    await commit(sink, record(2));
    await sink.close();
    expect((await target.rows(orders)).map((row) => row[1])).toEqual(["chunk", "again", "chunk", "chunk"]);
  });

  test("a truncate during the snapshot forgets the keys that were touched", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "log", null] }]));
    await commit(sink, record(1));
    await sink.truncate(orders.id, transaction);
    await sink.write(chunk);
    await sink.write(batch(orders, [{ op: "update", cells: [1n, "late", "x"] }]));
    await sink.endSnapshot(orders.id);
    await commit(sink, record(2));
    await sink.close();
    expect((await target.rows(orders)).map((row) => row[1])).toEqual(["late", "chunk", "chunk", "chunk"]);
  });
}
