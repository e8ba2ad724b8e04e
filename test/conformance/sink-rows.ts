import { expect, test } from "vitest";
import { absent, batch, column, table, transaction, type Change } from "./batch.ts";
import { lines, opened, orders, rowsAfter, type MakeHarness } from "./sink-harness.ts";
import { commit, int64, record, text } from "./sink-script.ts";

export function rowsWithKey(harness: MakeHarness): void {
  test("the last change of a key wins, within an epoch and over epochs", async () => {
    await using target = await harness();
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
    await using target = await harness();
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

  test("an update of absent cells finds its row by a key of two columns, beside a column named rowid", async () => {
    await using target = await harness();
    const odd = table("odd", [column("b", text), column("rowid", text), column("a", int64)], [2, 0]);
    const epochs: Change[][][] = [
      [
        [
          { op: "insert", cells: ["x", "1", 1n] },
          { op: "insert", cells: ["y", "2", 1n] },
        ],
      ],
      [[{ op: "update", cells: ["y", absent, 1n] }]],
    ];
    expect(await rowsAfter(target, odd, epochs)).toEqual([
      ["x", "1", "1"],
      ["y", "2", "1"],
    ]);
  });

  test("an update that knows the whole row brings it where it is not there", async () => {
    await using target = await harness();
    const epochs: Change[][][] = [[[{ op: "update", cells: [1n, "a", "b"] }]]];
    expect(await rowsAfter(target, orders, epochs)).toEqual([["1", "a", "b"]]);
  });
}

export function movesAndTruncates(harness: MakeHarness): void {
  test("a moved key is a delete and an insert, also in a circle", async () => {
    await using target = await harness();
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
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    const partial = batch(orders, [{ op: "insert", cells: [1n, "a", absent] }]);
    if (sink.kind === "table") await expect(sink.write(partial)).rejects.toMatchObject({ code: "INTERNAL" });
    else {
      // A change like any other; its delete follows, and until then there is no such row.
      await sink.write(partial);
      await commit(sink, record(1));
    }
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });

  test("a truncate empties what came before it in the epoch and before the epoch, nothing after it", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "committed", null] }]));
    await commit(sink, record(1));
    await sink.write(batch(orders, [{ op: "insert", cells: [2n, "before", null] }]));
    await sink.truncate(orders.id, transaction);
    await sink.write(batch(orders, [{ op: "insert", cells: [3n, "between", null] }]));
    await sink.truncate(orders.id, transaction);
    await sink.write(batch(orders, [{ op: "insert", cells: [4n, "after", null] }]));
    await commit(sink, record(2));
    await sink.close();
    expect(await target.rows(orders)).toEqual([["4", "after", null]]);
  });
}

export function rowsWithoutKey(harness: MakeHarness): void {
  test("a snapshot that is read again begins with a truncate of no transaction", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(lines, 1, "create");
    await sink.write(batch(lines, [{ op: "upsert", cells: [1n, "first"] }]));
    await commit(sink, record(1));
    await sink.truncate(lines.id, null);
    await sink.write(batch(lines, [{ op: "upsert", cells: [1n, "again"] }]));
    await sink.endSnapshot(lines.id);
    await commit(sink, record(2));
    await sink.close();
    expect(await target.rows(lines)).toEqual([["1", "again"]]);
  });

  test("a delete removes exactly one of identical rows, nulls are equal, and deletes of nothing are nothing", async () => {
    await using target = await harness();
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
