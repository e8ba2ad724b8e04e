import { describe, expect, test } from "vitest";
import { Op, type ChangeBatch } from "../../src/core/change-batch.ts";
import { cellBytes } from "../../src/core/column.ts";
import { MillraceError } from "../../src/core/errors.ts";
import type { LineItem, LogItem } from "../../src/core/line.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { Merge, type MergeEvent, type MergeOptions } from "../../src/snapshot/merge.ts";
import { MemorySpill } from "./memory-spill.ts";
import { SimCut, SimPosition, SimTransaction } from "./sim-log.ts";
import { cell, keyedBatch, keyedSchema, keyOf, PLAIN_SCHEMA, plainBatch, type SimRow } from "./sim-rows.ts";

const KEYED = keyedSchema(1);

function mergeOf(schema: TableSchema, options: Partial<MergeOptions> = {}): { merge: Merge; events: MergeEvent[] } {
  const events: MergeEvent[] = [];
  const merge = new Merge({
    tables: [schema],
    inherited: [],
    windowBytesMax: 1e9,
    unsettledBytesMax: 1e9,
    spill: () => new MemorySpill(),
    report: (event) => events.push(event),
    ...options,
  });
  return { merge, events };
}

const row = (key: number, v: number): SimRow => ({ key, v, a: v, b: `b${v}` });
const chunkOf = (schema: TableSchema, ...rows: SimRow[]): ChangeBatch => keyedBatch(schema, rows, null, []);
const cut = (sure: readonly number[], bound: number): SimCut => new SimCut(new Set(sure), new SimPosition(bound));
const progress = (next: number): LogItem => ({ kind: "progress", position: new SimPosition(next), commitTimeMs: 0 });

/** Transaction n's changes to the keyed table. */
function changes(n: number, ...of: readonly (readonly [Op, SimRow])[]): LogItem {
  const runs = [{ firstRow: 0, transaction: new SimTransaction(n) }];
  const rows = of.map(([, to]) => to);
  return {
    kind: "rows",
    batch: keyedBatch(
      KEYED,
      rows,
      of.map(([op]) => op),
      runs,
    ),
  };
}

const pass = (merge: Merge, ...items: LogItem[]): LineItem[] => items.flatMap((item) => [...merge.pass(item)]);

/** `key:v/a`, a row each; other items by their kind. */
function shown(items: readonly LineItem[]): string[] {
  return items.flatMap((item) => {
    if (item.kind !== "rows") return [item.kind];
    const { batch } = item;
    if (batch.schema.id === PLAIN_SCHEMA.id)
      return Array.from({ length: batch.length }, (_, at) => `${batch.origin} ${cell(batch, "value", at)}`);
    return Array.from(
      { length: batch.length },
      (_, at) => `${batch.origin} ${keyOf(batch, at)}:${cell(batch, "v", at)}/${cell(batch, "a", at)}`,
    );
  });
}

describe("the merge of a table with a key", () => {
  test("a chunk whose bound will never come enters behind one that was asked for later", () => {
    const { merge } = mergeOf(KEYED);
    merge.register(1, KEYED.id);
    merge.boundNow(new SimPosition(3));
    merge.read(1, KEYED.id, { cut: cut([], 9), schema: KEYED, batches: [chunkOf(KEYED, row(1, 1))] });
    // What was asked before it was read says nothing about it.
    expect(shown(pass(merge, progress(4)))).toEqual(["progress"]);
    merge.boundNow(new SimPosition(5));
    expect(shown(pass(merge, progress(4)))).toEqual(["progress"]);
    expect(shown(pass(merge, progress(5)))).toEqual(["snapshot 1:1/1", "chunk-entered", "progress"]);
  });

  test("an untouched chunk enters as the very batches it was read as, behind its bound", () => {
    const { merge, events } = mergeOf(KEYED);
    const batches = [chunkOf(KEYED, row(1, 1)), chunkOf(KEYED, row(2, 1))];
    expect(merge.register(1, KEYED.id)).toBe(true);
    expect(merge.read(1, KEYED.id, { cut: cut([], 5), schema: KEYED, batches })).toBe(true);
    expect(shown(pass(merge, progress(4)))).toEqual(["progress"]);
    const items = pass(merge, progress(5));
    expect(items.map(({ kind }) => kind)).toEqual(["rows", "rows", "chunk-entered", "progress"]);
    expect(items.flatMap((item) => (item.kind === "rows" ? [item.batch] : []))).toEqual(batches);
    expect((items[0] as { batch: ChangeBatch }).batch).toBe(batches[0]);
    expect(events).toEqual([{ kind: "entered", table: KEYED.id, chunk: 1, rows: 2 }]);
  });

  test("what the log brings whole, or takes away, is not brought again; parts are laid over", () => {
    const { merge } = mergeOf(KEYED);
    merge.register(1, KEYED.id);
    const log = pass(
      merge,
      changes(0, [Op.update, row(1, 9)]),
      changes(1, [Op.delete, { key: 2, v: 9 }]),
      changes(2, [Op.update, { key: 3, v: 9, a: 90 }]),
      changes(3, [Op.moved, { key: 4, v: 9 }]),
    );
    expect(log).toHaveLength(4);
    const batches = [chunkOf(KEYED, row(1, 1), row(2, 2), row(3, 3), row(4, 4), row(5, 5))];
    merge.read(1, KEYED.id, { cut: cut([], 4), schema: KEYED, batches });
    expect(shown(pass(merge, progress(4)))).toEqual(["snapshot 5:5/5", "snapshot 3:9/90", "chunk-entered", "progress"]);
  });

  test("what the cut surely includes touches nothing, unless something before it on the key did", () => {
    const { merge } = mergeOf(KEYED);
    merge.register(1, KEYED.id);
    pass(
      merge,
      changes(0, [Op.update, { key: 1, v: 5, a: 5 }]),
      changes(1, [Op.update, { key: 1, v: 6, a: 6 }], [Op.update, { key: 2, v: 6, a: 6 }]),
    );
    const batches = [chunkOf(KEYED, row(1, 7), row(2, 7))];
    merge.read(1, KEYED.id, { cut: cut([1], 2), schema: KEYED, batches });
    expect(shown(pass(merge, progress(2)))).toEqual(["snapshot 2:7/7", "snapshot 1:6/6", "chunk-entered", "progress"]);
  });

  test("a new window begins with what is not settled", () => {
    const { merge } = mergeOf(KEYED);
    pass(merge, changes(0, [Op.update, row(1, 9)]), changes(1, [Op.update, row(2, 9)]), progress(2));
    merge.settle(cut([0], 2));
    expect(merge.unsettledIds()).toEqual(["t1"]);
    merge.register(1, KEYED.id);
    merge.read(1, KEYED.id, { cut: cut([0], 2), schema: KEYED, batches: [chunkOf(KEYED, row(1, 9), row(2, 1))] });
    expect(shown(pass(merge, progress(2)))).toEqual(["snapshot 1:9/9", "chunk-entered", "progress"]);
  });

  test("beyond the settle budget only ids are kept, and no chunk starts until they are visible", () => {
    const { merge } = mergeOf(KEYED, { unsettledBytesMax: 100 });
    for (let n = 0; n < 5; n++) pass(merge, changes(n, [Op.update, row(n, 9)]));
    expect(merge.register(1, KEYED.id)).toBe(false);
    expect(merge.unsettledIds().toSorted()).toEqual(["t0", "t1", "t2", "t3", "t4"]);
    merge.settle(cut([0, 1, 2, 4], 5));
    expect(merge.unsettledIds()).toEqual(["t3"]);
    expect(merge.register(1, KEYED.id)).toBe(false);
    merge.settle(cut([3], 5));
    expect(merge.settling).toBe(false);
    expect(merge.register(1, KEYED.id)).toBe(true);
  });

  test("a window that outgrows its budget abandons its chunk", () => {
    const { merge, events } = mergeOf(KEYED, { windowBytesMax: 1000 });
    merge.register(1, KEYED.id);
    for (let n = 0; n < 5; n++) pass(merge, changes(n, [Op.update, row(n, 9)]));
    expect(events).toEqual([{ kind: "abandoned", table: KEYED.id, chunk: 1 }]);
    expect(merge.read(1, KEYED.id, { cut: cut([], 5), schema: KEYED, batches: [] })).toBe(false);
  });

  test("a TRUNCATE that the cut does not include voids the chunk; another waits until it is visible", () => {
    const { merge, events } = mergeOf(KEYED);
    merge.register(1, KEYED.id);
    const truncate: LogItem = { kind: "truncate", table: KEYED.id, transaction: new SimTransaction(0) };
    expect(shown(pass(merge, truncate))).toEqual(["truncate"]);
    merge.read(1, KEYED.id, { cut: cut([], 1), schema: KEYED, batches: [chunkOf(KEYED, row(1, 1))] });
    expect(shown(pass(merge, progress(1)))).toEqual(["progress"]);
    expect(events).toEqual([{ kind: "voided", table: KEYED.id, chunk: 1 }]);
    expect(merge.register(2, KEYED.id)).toBe(false);
    merge.settle(cut([0], 1));
    expect(merge.register(2, KEYED.id)).toBe(true);
  });

  test("columns that a chunk shows first are an alteration at a boundary of its own, just before it", () => {
    const { merge } = mergeOf(KEYED);
    merge.register(1, KEYED.id);
    const altered = keyedSchema(2);
    const batches = [chunkOf(altered, { ...row(1, 1), c: 5 })];
    merge.read(1, KEYED.id, { cut: cut([], 1), schema: altered, batches });
    const items = pass(merge, progress(1));
    expect(items.map(({ kind }) => kind)).toEqual(["progress", "schema", "rows", "chunk-entered", "progress"]);
    expect(merge.schemaOf(KEYED.id)?.version).toBe(2);
  });

  test("a chunk read with another key stops the table", () => {
    const { merge, events } = mergeOf(KEYED);
    merge.register(1, KEYED.id);
    const schema: TableSchema = { ...KEYED, key: [0] };
    merge.read(1, KEYED.id, { cut: cut([], 0), schema, batches: [] });
    expect(shown(pass(merge, progress(0)))).toEqual(["stop", "progress"]);
    expect(events).toMatchObject([{ kind: "stopped", error: { code: "SCHEMA_CHANGED" } }]);
    expect(merge.register(2, KEYED.id)).toBe(false);
  });

  test("a table that the log stops takes its chunks with it", () => {
    const { merge, events } = mergeOf(KEYED);
    merge.register(1, KEYED.id);
    merge.read(1, KEYED.id, { cut: cut([], 0), schema: KEYED, batches: [chunkOf(KEYED, row(1, 1))] });
    const error = new MillraceError("SCHEMA_CHANGED", "its column is gone");
    expect(shown(pass(merge, { kind: "stop", table: KEYED.id, error }, progress(0)))).toEqual(["stop", "progress"]);
    expect(events).toEqual([{ kind: "stopped", table: KEYED.id, error }]);
  });

  test("what an earlier run left unsettled is in every record, and holds chunks back, until it is visible", () => {
    const { merge } = mergeOf(KEYED, { inherited: ["t8"] });
    expect(merge.register(1, KEYED.id)).toBe(false);
    expect(merge.unsettledIds()).toEqual(["t8"]);
    merge.inheritedVisible();
    expect(merge.register(1, KEYED.id)).toBe(true);
  });

  test("a finished table passes as the very same items", () => {
    const { merge } = mergeOf(KEYED);
    merge.finish(KEYED.id);
    const item = changes(0, [Op.update, row(1, 9)]);
    expect(pass(merge, item)[0]).toBe(item);
    expect(merge.settling).toBe(false);
  });
});

describe("the merge of a table without a key", () => {
  const inserted = (n: number, value: number): LogItem => ({
    kind: "rows",
    batch: plainBatch([value], [Op.insert], [{ firstRow: 0, transaction: new SimTransaction(n) }]),
  });
  const rows = (merge: Merge, chunk: number, ...values: number[]): LineItem[] | null =>
    merge.keylessRows(chunk, PLAIN_SCHEMA.id, plainBatch(values, null, []));

  test("holds its changes back until the rows are through, and drops what they include", () => {
    const { merge } = mergeOf(PLAIN_SCHEMA);
    expect(pass(merge, inserted(0, 10))).toEqual([]);
    merge.register(1, PLAIN_SCHEMA.id);
    expect(pass(merge, inserted(1, 11))).toEqual([]);
    expect(merge.keylessOpened(1, PLAIN_SCHEMA.id, cut([1], 3))).toBe(true);
    expect(shown(rows(merge, 1, 1, 11)!)).toEqual(["snapshot 1", "snapshot 11"]);
    expect(pass(merge, inserted(2, 12))).toEqual([]);
    expect(merge.keylessThrough(1, PLAIN_SCHEMA.id)).toBe(true);
    expect(shown(pass(merge, progress(2)))).toEqual(["progress"]);
    expect(shown(pass(merge, progress(3)))).toEqual(["chunk-entered", "log 10", "log 12", "progress"]);
    expect(shown(pass(merge, inserted(3, 13)))).toEqual(["log 13"]);
  });

  test("rows as they were go down the line with changes that waited, and not with those that are dropped", () => {
    const { merge } = mergeOf(PLAIN_SCHEMA);
    const runs = [0, 1].map((n) => ({ firstRow: n, transaction: new SimTransaction(n) }));
    const deleted = plainBatch([10, 11], [Op.delete, Op.delete], runs);
    pass(merge, { kind: "rows", batch: { ...deleted, before: deleted.columns } });
    merge.register(1, PLAIN_SCHEMA.id);
    merge.keylessOpened(1, PLAIN_SCHEMA.id, cut([0], 2));
    merge.keylessThrough(1, PLAIN_SCHEMA.id);
    const before = pass(merge, progress(2)).flatMap((item) => (item.kind === "rows" ? (item.batch.before ?? []) : []));
    expect(before.map((column) => cellBytes(column, 0)[0])).toEqual([11]);
    expect(before.map(({ length }) => length)).toEqual([1]);
  });

  test("a TRUNCATE that it does not include begins it again, and the line is emptied before new rows", () => {
    const { merge, events } = mergeOf(PLAIN_SCHEMA);
    merge.register(1, PLAIN_SCHEMA.id);
    merge.keylessOpened(1, PLAIN_SCHEMA.id, cut([], 0));
    rows(merge, 1, 1);
    const truncate: LogItem = { kind: "truncate", table: PLAIN_SCHEMA.id, transaction: new SimTransaction(0) };
    expect(pass(merge, truncate)).toEqual([]);
    expect(events).toEqual([{ kind: "voided", table: PLAIN_SCHEMA.id, chunk: 1 }]);
    expect(rows(merge, 1, 2)).toBeNull();
    merge.settle(cut([0], 1));
    merge.register(2, PLAIN_SCHEMA.id);
    merge.keylessOpened(2, PLAIN_SCHEMA.id, cut([0], 1));
    expect(shown(rows(merge, 2, 7)!)).toEqual(["truncate", "snapshot 7"]);
    expect(shown(rows(merge, 2, 8)!)).toEqual(["snapshot 8"]);
  });

  test("a chunk that failed and then finds the table empty empties the line too", () => {
    const { merge } = mergeOf(PLAIN_SCHEMA);
    merge.register(1, PLAIN_SCHEMA.id);
    merge.keylessOpened(1, PLAIN_SCHEMA.id, cut([], 0));
    rows(merge, 1, 1);
    merge.abandon(1, PLAIN_SCHEMA.id);
    merge.register(2, PLAIN_SCHEMA.id);
    merge.keylessOpened(2, PLAIN_SCHEMA.id, cut([], 0));
    merge.keylessThrough(2, PLAIN_SCHEMA.id);
    expect(shown(pass(merge, progress(0)))).toEqual(["truncate", "chunk-entered", "progress"]);
  });

  const unsureCut = (sure: readonly number[], bound: number): SimCut =>
    new SimCut(new Set(sure), new SimPosition(bound), false);

  test("a change of which its cut is not sure begins it again, wherever it comes", () => {
    const { merge, events } = mergeOf(PLAIN_SCHEMA);
    merge.register(1, PLAIN_SCHEMA.id);
    pass(merge, inserted(0, 10));
    expect(merge.keylessOpened(1, PLAIN_SCHEMA.id, unsureCut([], 1))).toBe(false);
    merge.register(2, PLAIN_SCHEMA.id);
    expect(merge.keylessOpened(2, PLAIN_SCHEMA.id, unsureCut([0], 2))).toBe(true);
    rows(merge, 2, 10);
    pass(merge, inserted(1, 11));
    expect(rows(merge, 2, 12)).toBeNull();
    expect(events.map((event) => event.kind)).toEqual(["voided", "voided"]);
    merge.register(3, PLAIN_SCHEMA.id);
    merge.keylessOpened(3, PLAIN_SCHEMA.id, unsureCut([0, 1], 2));
    pass(merge, inserted(2, 12));
    expect(shown(rows(merge, 3, 10, 11)!)).toEqual(["truncate", "snapshot 10", "snapshot 11"]);
    merge.keylessThrough(3, PLAIN_SCHEMA.id);
    expect(shown(pass(merge, progress(3)))).toEqual(["chunk-entered", "log 12", "progress"]);
  });

  test("stops, with a code, where its cuts are never sure", () => {
    const { merge, events } = mergeOf(PLAIN_SCHEMA);
    let tries = 0;
    for (; merge.register(tries, PLAIN_SCHEMA.id); tries++) {
      merge.keylessOpened(tries, PLAIN_SCHEMA.id, unsureCut([], tries + 1));
      pass(merge, inserted(tries, 1));
    }
    expect(tries).toBe(200);
    expect(events.at(-1)).toMatchObject({ kind: "stopped", error: { code: "SNAPSHOT_UNSURE" } });
    expect(shown(pass(merge, progress(tries)))).toEqual(["stop", "progress"]);
  });

  test("rows with a column that the line does not know wait for its alteration", () => {
    const { merge, events } = mergeOf(PLAIN_SCHEMA);
    const added = { ...PLAIN_SCHEMA.columns[0]!, name: "added" };
    const schema: TableSchema = { ...PLAIN_SCHEMA, version: 2, columns: [...PLAIN_SCHEMA.columns, added] };
    merge.register(1, PLAIN_SCHEMA.id);
    merge.keylessOpened(1, PLAIN_SCHEMA.id, cut([], 0));
    const batch = plainBatch([1], null, []);
    const wide: ChangeBatch = { ...batch, schema, columns: [...batch.columns, batch.columns[0]!] };
    expect(merge.keylessRows(1, PLAIN_SCHEMA.id, wide)).toBeNull();
    expect(events).toEqual([{ kind: "voided", table: PLAIN_SCHEMA.id, chunk: 1 }]);
    expect(merge.register(2, PLAIN_SCHEMA.id)).toBe(false);
    expect(shown(pass(merge, progress(0)))).toEqual(["progress", "schema", "progress"]);
    expect(merge.register(2, PLAIN_SCHEMA.id)).toBe(true);
    merge.keylessOpened(2, PLAIN_SCHEMA.id, cut([], 0));
    expect(merge.keylessRows(2, PLAIN_SCHEMA.id, wide)).toHaveLength(1);
  });

  test("a table that stops lets go of what it held back", () => {
    const spill = new MemorySpill();
    const { merge } = mergeOf(PLAIN_SCHEMA, { spill: () => spill });
    merge.register(1, PLAIN_SCHEMA.id);
    const runs = [{ firstRow: 0, transaction: new SimTransaction(1) }];
    pass(merge, { kind: "rows", batch: plainBatch([1], [Op.insert], runs) });
    merge.stop(PLAIN_SCHEMA.id, new MillraceError("SCHEMA_CHANGED", "gone"));
    expect([...spill.drain()]).toEqual([]);
  });
});
