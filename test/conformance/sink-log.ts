import { expect, test } from "vitest";
import { absent, batch, column, table, transaction } from "./batch.ts";
import { opened, orders, type MakeHarness } from "./sink-harness.ts";
import { commit, record, text } from "./sink-script.ts";

/** What a log keeps: every change, where a table keeps the last. */
export function keptChanges(harness: MakeHarness): void {
  test("every change is there once, in order, over epochs and restarts, an emptied table and a new beginning", async () => {
    await using target = await harness();
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await sink.write(batch(orders, [{ op: "upsert", cells: [2n, "read", "x"] }]));
    await sink.write(
      batch(orders, [
        { op: "update", cells: [1n, "b", null] },
        { op: "update", cells: [1n, "c", absent] },
        { op: "delete", cells: [1n, absent, absent] },
      ]),
    );
    await commit(sink, record(1));
    await sink.write(batch(orders, [{ op: "insert", cells: [9n, "of no epoch", null] }]));
    await sink.close();
    sink = await opened(target);
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "d", null] }]));
    await sink.truncate(orders.id, transaction);
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "e", null] }]));
    await commit(sink, record(2));
    await sink.beginTable(orders, 2, "truncate");
    await sink.write(batch(orders, [{ op: "upsert", cells: [1n, "f", null] }]));
    await commit(sink, record(3));
    await sink.close();
    expect(await target.changes!(orders)).toEqual([
      ["c", "1", "a", null],
      ["r", "2", "read", "x"],
      ["u", "1", "b", null],
      ["u", "1", "c", null],
      ["d", "1", null, null],
      ["c", "1", "d", null],
      ["t", null, null, null],
      ["c", "1", "e", null],
      ["t", null, null, null],
      ["r", "1", "f", null],
    ]);
  });

  test("changes of two versions of a schema stand in their order", async () => {
    await using target = await harness();
    const wide = table("orders", [...orders.columns, column("extra", text, "before")], [0], 2);
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await commit(sink, record(1));
    await sink.applySchema(wide);
    await sink.write(batch(wide, [{ op: "insert", cells: [2n, "b", null, "new"] }]));
    await sink.write(batch(orders, [{ op: "update", cells: [2n, "older", null] }]));
    await sink.write(batch(wide, [{ op: "update", cells: [1n, "c", null, "set"] }]));
    await commit(sink, record(2));
    await sink.close();
    expect(await target.changes!(wide)).toEqual([
      ["c", "1", "a", null, null],
      ["c", "2", "b", null, "new"],
      ["u", "2", "older", null, null],
      ["u", "1", "c", null, "set"],
    ]);
    expect(await target.rows(wide)).toEqual([
      ["1", "c", null, "set"],
      ["2", "older", null, "new"],
    ]);
  });
}
