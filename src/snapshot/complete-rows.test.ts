import { expect, test } from "vitest";
import { batchBytes, Op, type ChangeBatch } from "../core/change-batch.ts";
import { ColumnBuilder } from "../core/column-builder.ts";
import { cellBytes, type Column } from "../core/column.ts";
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

function batchOf(columns: readonly Column[], ops: Uint8Array | null): ChangeBatch {
  const origin = ops === null ? "snapshot" : "log";
  const runs = ops === null ? [] : [{ firstRow: 0, transaction: { id: "1", commitTimeMs: 0, place: "" } }];
  return { schema, origin, length: columns[0]!.length, columns, ops, runs, bytes: batchBytes(columns, ops) };
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
  const { columns, ops } = completed(moved, Uint32Array.of(0), later);
  const rows = [0, 1].map((row) => columns.map((column) => Buffer.from(cellBytes(column, row)).readInt32LE()));
  expect(rows).toEqual([
    [7, 2, 90],
    [8, 3, 30],
  ]);
  expect([...ops!]).toEqual([Op.insert, Op.insert]);
});
