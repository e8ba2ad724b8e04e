import { describe, expect, test } from "vitest";
import { ColumnBuilder } from "../core/column-builder.ts";
import type { Column } from "../core/column.ts";
import type { LogicalType } from "../core/logical-type.ts";
import { KeyRows, KeyTable } from "./key-table.ts";

function texts(values: readonly string[]): Column {
  const builder = new ColumnBuilder({ kind: "text" });
  for (const value of values) {
    const bytes = new TextEncoder().encode(value);
    builder.appendBytes(bytes, 0, bytes.length);
  }
  return builder.finish();
}

function filled(type: LogicalType, values: readonly number[]): Column {
  const builder = new ColumnBuilder(type);
  for (const value of values) {
    if (type.kind === "bool") builder.appendBool(value === 1);
    else {
      builder.reserve();
      builder.bytes[builder.row * builder.width] = value & 255;
      builder.bytes[builder.row * builder.width + 1] = value >> 8;
      builder.next();
    }
  }
  return builder.finish();
}

describe("KeyTable", () => {
  test("finds what was added, over several batches and growth", () => {
    const table = new KeyTable();
    const first = new KeyRows([
      filled(
        { kind: "int", bits: 64 },
        Array.from({ length: 500 }, (_, i) => i),
      ),
    ]);
    for (let row = 0; row < 500; row++) expect(table.add(first, row)).toBe(row);
    const second = new KeyRows([filled({ kind: "int", bits: 64 }, [499, 500, 0])]);
    expect([0, 1, 2].map((row) => table.find(second, row))).toEqual([499, -1, 0]);
    expect([0, 1, 2].map((row) => table.add(second, row))).toEqual([499, 500, 0]);
    expect(table.size).toBe(501);
  });

  test("the parts of a composite key do not run into each other", () => {
    const table = new KeyTable();
    const keys = new KeyRows([texts(["a", "ab", "", "abc"]), texts(["bc", "c", "abc", ""])]);
    expect([0, 1, 2, 3].map((row) => table.add(keys, row))).toEqual([0, 1, 2, 3]);
  });

  test.each<[string, LogicalType]>([
    ["16 bits", { kind: "int", bits: 16 }],
    ["32 bits", { kind: "int", bits: 32 }],
    ["128 bits", { kind: "uuid" }],
    ["decimal", { kind: "decimal", precision: 20, scale: 2 }],
    ["one bit", { kind: "bool" }],
  ])("keys of %s", (_, type) => {
    const table = new KeyTable();
    const keys = new KeyRows([filled(type, [0, 1]), filled({ kind: "int", bits: 16 }, [7, 7])]);
    expect([table.add(keys, 0), table.add(keys, 1), table.add(keys, 0)]).toEqual([0, 1, 0]);
    const swapped = new KeyRows([filled(type, [1, 0, 1]), filled({ kind: "int", bits: 16 }, [7, 7, 300])]);
    expect([0, 1, 2].map((row) => table.find(swapped, row))).toEqual([1, 0, -1]);
  });

  test("buffers that were moved away are an error, not a key that is not found", () => {
    const column = filled({ kind: "int", bits: 64 }, [1, 2]);
    structuredClone(column.values, { transfer: [column.values.buffer as ArrayBuffer] });
    expect(() => new KeyRows([column])).toThrow("moved to another thread");
  });
});
