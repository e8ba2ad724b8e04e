import { describe, expect, test } from "vitest";
import type { Clock } from "../core/ambient.ts";
import { batchBytes, Op, type ChangeBatch } from "../core/change-batch.ts";
import { ColumnBuilder } from "../core/column-builder.ts";
import { cellBytes, isAbsent } from "../core/column.ts";
import type { LineItem } from "../core/line.ts";
import type { Cut, Transaction } from "../core/position.ts";
import { tableId, type ColumnSchema, type TableSchema } from "../core/table-schema.ts";
import { complete } from "./complete.ts";

const column = (name: string): ColumnSchema => ({
  name,
  type: { kind: "int", bits: 32 },
  nullable: true,
  sourceType: "integer",
  collation: null,
  existingRowsDefault: null,
});
const schema: TableSchema = {
  id: tableId("s", "t"),
  namespace: "s",
  name: "t",
  version: 1,
  columns: [column("id"), column("value")],
  key: [0],
};

const transaction = (id: string): Transaction => ({ id, commitTimeMs: 0, place: "" });
type Row = readonly [op: Op, id: number, value: number | null];

/** A value of null is absent. */
function batch(rows: readonly Row[], ids: readonly string[], origin: "log" | "snapshot" = "log"): ChangeBatch {
  const builders = [new ColumnBuilder({ kind: "int", bits: 32 }), new ColumnBuilder({ kind: "int", bits: 32 })];
  for (const [, ...cells] of rows)
    for (const [i, builder] of builders.entries()) {
      const cell = cells[i]!;
      if (cell === null) {
        builder.appendAbsent();
        continue;
      }
      builder.reserve();
      builder.int32[builder.row] = cell;
      builder.next();
    }
  const columns = builders.map((builder) => builder.finish());
  const ops = origin === "snapshot" ? null : Uint8Array.from(rows, ([op]) => op);
  const runs = origin === "snapshot" ? [] : ids.map((id, i) => ({ firstRow: i, transaction: transaction(id) }));
  return { schema, origin, length: rows.length, columns, before: null, ops, runs, bytes: batchBytes(columns, ops) };
}

function shown(item: LineItem): unknown {
  if (item.kind !== "rows") return item.kind;
  const value = (c: number, row: number): number | null => {
    const of = item.batch.columns[c]!;
    return isAbsent(of, row) ? null : Buffer.from(cellBytes(of, row)).readInt32LE();
  };
  return Array.from({ length: item.batch.length }, (_, row) => [item.batch.ops![row], value(0, row), value(1, row)]);
}

/** A source whose rows are these, and where a transaction becomes visible when it has been asked for that often. */
function source(rows: ReadonlyMap<number, number>, visibleAfter: number) {
  let asked = 0;
  const fetched: unknown[] = [];
  return {
    fetched,
    async visible(): Promise<Cut> {
      const visible = ++asked > visibleAfter;
      return { surelyIncludes: () => visible, mayInclude: () => visible, bound: null as never };
    },
    async selectByKey(keys: ChangeBatch): Promise<ChangeBatch> {
      const wanted = Array.from({ length: keys.length }, (_, row) =>
        Buffer.from(cellBytes(keys.columns[0]!, row)).readInt32LE(),
      );
      fetched.push(wanted);
      const found = wanted.filter((id) => rows.has(id)).reverse();
      return batch(
        found.map((id): Row => [Op.upsert, id, rows.get(id)!]),
        [],
        "snapshot",
      );
    },
  };
}

function clock(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  let nowMs = 0;
  return {
    slept,
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      slept.push(ms);
      nowMs += ms;
    },
  };
}

async function run(items: readonly LineItem[], of: ReturnType<typeof source>, timeoutMs = 1000) {
  const time = clock();
  const got: LineItem[] = [];
  const line = (async function* () {
    yield* items;
  })();
  const { signal } = new AbortController();
  for await (const item of complete(line, { source: of, timeoutMs, gone: "dropped", clock: time, signal }))
    got.push(item);
  return { got, slept: time.slept };
}

const rowsItem = (...args: Parameters<typeof batch>): LineItem => ({ kind: "rows", batch: batch(...args) });

describe("complete", () => {
  test("passes what carries everything as the very same item", async () => {
    const item = rowsItem(
      [
        [Op.update, 1, null],
        [Op.delete, 2, null],
      ],
      ["a", "b"],
    );
    expect((await run([item], source(new Map(), 0))).got[0]).toBe(item);
  });

  test("takes a moved row that is whole for an insert, without asking", async () => {
    const of = source(new Map(), 0);
    const { got } = await run([rowsItem([[Op.moved, 1, 10]], ["a"])], of);
    expect(got.map(shown)).toEqual([[[Op.insert, 1, 10]]]);
    expect(of.fetched).toEqual([]);
  });

  test("fetches the cells of moved rows once they are visible, and keeps the order of the rows", async () => {
    const of = source(
      new Map([
        [2, 20],
        [4, 40],
      ]),
      3,
    );
    const rows: Row[] = [
      [Op.delete, 1, null],
      [Op.moved, 2, null],
      [Op.update, 9, null],
      [Op.moved, 3, 30],
      [Op.moved, 4, null],
    ];
    const { got, slept } = await run([rowsItem(rows, ["a", "b", "c", "d", "e"])], of);
    expect(of.fetched).toEqual([[2, 4]]);
    expect(got.map(shown)).toEqual([
      [
        [Op.delete, 1, null],
        [Op.insert, 2, 20],
        [Op.update, 9, null],
        [Op.insert, 3, 30],
        [Op.insert, 4, 40],
      ],
    ]);
    expect(slept).toHaveLength(3);
  });

  test("drops a row that is gone, and a batch of which nothing is left", async () => {
    const of = source(new Map(), 0);
    const two = rowsItem(
      [
        [Op.delete, 1, null],
        [Op.moved, 2, null],
      ],
      ["a", "b"],
    );
    const { got } = await run([two, rowsItem([[Op.moved, 3, null]], ["c"])], of);
    expect(got.map(shown)).toEqual([[[Op.delete, 1, null]]]);
  });

  test("stops the table where the transaction does not become visible in time", async () => {
    const moved = rowsItem([[Op.moved, 2, null]], ["tx-77"]);
    const { got, slept } = await run([moved, rowsItem([[Op.insert, 5, 5]], ["b"])], source(new Map(), Infinity), 500);
    expect(got.map((item) => item.kind)).toEqual(["stop"]);
    expect(got[0]).toMatchObject({ table: schema.id, error: { code: "COMPLETE_TIMEOUT" } });
    expect((got[0] as LineItem & { kind: "stop" }).error.message).toContain("tx-77");
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(1000);
  });
});
