import { expect, test } from "vitest";
import { batchBytes, Op, type ChangeBatch } from "../core/change-batch.ts";
import { ColumnBuilder } from "../core/column-builder.ts";
import { cellBytes, isAbsent, type Column } from "../core/column.ts";
import { tableId, type TableSchema } from "../core/table-schema.ts";
import { completed } from "./complete-rows.ts";

const INT = { kind: "int", bits: 32 } as const;
const names = ["id", "known", "absent"];
const schema: TableSchema = {
  id: tableId("s", "t"),
  namespace: "s",
  name: "t",
  version: 1,
  columns: names.map((name) => ({
    name,
    type: INT,
    nullable: true,
    sourceType: "integer",
    collation: null,
    existingRowsDefault: null,
  })),
  key: [0],
};

function columnOf(cells: readonly (number | null)[]): Column {
  const builder = new ColumnBuilder(INT);
  for (const cell of cells) {
    if (cell === null) {
      builder.appendAbsent();
      continue;
    }
    builder.reserve();
    builder.int32[builder.row] = cell;
    builder.next();
  }
  return builder.finish();
}

function batchOf(
  columns: readonly Column[],
  ops: Uint8Array | null,
  before: readonly Column[] | null = null,
): ChangeBatch {
  const origin = ops === null ? "snapshot" : "log";
  const runs = ops === null ? [] : [{ firstRow: 0, transaction: { id: "1", commitTimeMs: 0, place: "" } }];
  return {
    schema,
    origin,
    length: columns[0]!.length,
    columns,
    before,
    ops,
    runs,
    bytes: batchBytes(columns, ops, before),
  };
}

test("takes from a later moment only what the log did not say", () => {
  const moved = batchOf(
    [
      [7, 8],
      [2, 3],
      [null, 30],
    ].map(columnOf),
    Uint8Array.of(Op.moved, Op.moved),
  );
  const later = batchOf([[7], [99], [90]].map(columnOf), null);
  const { columns, ops } = completed(moved, Uint32Array.of(0), later, "dropped");
  const rows = [0, 1].map((row) => columns.map((column) => Buffer.from(cellBytes(column, row)).readInt32LE()));
  expect(rows).toEqual([
    [7, 2, 90],
    [8, 3, 30],
  ]);
  expect([...ops!]).toEqual([Op.insert, Op.insert]);
});

test("drops a row that is gone, and keeps the others as they were before", () => {
  const nothing = [null, null, null];
  const batch = batchOf(
    [
      [7, 8, 6, 9],
      [null, null, 5, 3],
      [null, null, 4, 30],
    ].map(columnOf),
    Uint8Array.of(Op.delete, Op.moved, Op.insert, Op.update),
    [
      [7, null, null, 9],
      [1, null, null, 2],
      [null, null, null, 29],
    ].map(columnOf),
  );
  const { before, ops, length } = completed(batch, Uint32Array.of(1), null, "dropped");
  const cells = Array.from({ length }, (_, row) =>
    before!.map((column) => (isAbsent(column, row) ? null : Buffer.from(cellBytes(column, row)).readInt32LE())),
  );
  expect([...ops!]).toEqual([Op.delete, Op.insert, Op.update]);
  expect(cells).toEqual([[7, 1, null], nothing, [9, 2, 29]]);
});

test("keeps a row that is gone for whom it is a change all the same, with the cells that are not known", () => {
  const batch = batchOf(
    [
      [7, 8],
      [null, 5],
      [2, 4],
    ].map(columnOf),
    Uint8Array.of(Op.moved, Op.insert),
  );
  const { columns, ops } = completed(batch, Uint32Array.of(0), null, "kept");
  expect([...ops!]).toEqual([Op.insert, Op.insert]);
  expect(columns.map((column) => isAbsent(column, 0))).toEqual([false, true, false]);
});
