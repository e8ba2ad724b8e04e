import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchBytes, Op, type ChangeBatch } from "./change-batch.ts";
import { ColumnBuilder } from "./column-builder.ts";
import { bit, cellBytes, isAbsent, isNull, type Column } from "./column.ts";
import type { LogicalType } from "./logical-type.ts";
import { tableId, type TableSchema } from "./table-schema.ts";
import { gather } from "./gather.ts";
import { rowsOfRuns, selectRows } from "./select-rows.ts";

const TYPES: readonly LogicalType[] = [
  { kind: "bool" },
  { kind: "int", bits: 16 },
  { kind: "int", bits: 32 },
  { kind: "int", bits: 64 },
  { kind: "uuid" },
  { kind: "text" },
];

/** A cell by a number of its own: absent, null or a value that shows the number. */
function append(builder: ColumnBuilder, n: number): void {
  if (n % 7 === 0) return builder.appendAbsent();
  if (n % 5 === 0) return builder.appendNull();
  if (builder.type.kind === "bool") return builder.appendBool(n % 2 === 1);
  if (builder.width < 0) {
    const bytes = new TextEncoder().encode("x".repeat(n % 60) + n);
    return builder.appendBytes(bytes, 0, bytes.length);
  }
  builder.reserve();
  builder.bytes.fill(n & 255, builder.row * builder.width, (builder.row + 1) * builder.width);
  builder.next();
}

function column(type: LogicalType, numbers: readonly number[]): Column {
  const builder = new ColumnBuilder(type);
  for (const n of numbers) append(builder, n);
  return builder.finish();
}

function shown(of: Column): unknown[] {
  return Array.from({ length: of.length }, (_, row) => {
    if (isAbsent(of, row)) return "absent";
    if (isNull(of, row)) return null;
    return of.type.kind === "bool" ? bit(of.values, row) : Buffer.from(cellBytes(of, row)).toString("hex");
  });
}

const numbers = fc.array(fc.nat(255), { minLength: 1, maxLength: 150 });

describe("gather", () => {
  test.each(TYPES)("takes cells of $kind from several columns", (type) => {
    fc.assert(
      fc.property(
        numbers,
        numbers,
        fc.array(fc.tuple(fc.boolean(), fc.nat(), fc.nat(40)), { maxLength: 30 }),
        (a, b, of) => {
          // Stretches of neighbours as well as single cells: they are copied in different ways.
          const picks = of.flatMap(([second, at, length]) => {
            const list = second ? b : a;
            const first = at % list.length;
            const count = Math.min(length + 1, list.length - first);
            return Array.from({ length: count }, (_, i) => ({ second, row: first + i, n: list[first + i]! }));
          });
          const got = gather(type, [column(type, a), column(type, b)], {
            from: Uint32Array.from(picks, ({ second }) => (second ? 1 : 0)),
            rows: Uint32Array.from(picks, ({ row }) => row),
          });
          expect(got.length).toBe(picks.length);
          expect(shown(got)).toEqual(
            shown(
              column(
                type,
                picks.map(({ n }) => n),
              ),
            ),
          );
        },
      ),
      { numRuns: 100 },
    );
  });
});

const transaction = (id: string): { id: string; commitTimeMs: number; place: "" } => ({
  id,
  commitTimeMs: 0,
  place: "",
});

function batch(): ChangeBatch {
  const schema: TableSchema = {
    id: tableId("s", "t"),
    namespace: "s",
    name: "t",
    version: 1,
    columns: [],
    key: [0],
  };
  const columns = [column({ kind: "int", bits: 32 }, [1, 2, 3, 4, 6, 8])];
  const before = [column({ kind: "int", bits: 32 }, [7, 12, 13, 14, 7, 18])];
  const ops = Uint8Array.of(Op.insert, Op.update, Op.delete, Op.moved, Op.insert, Op.update);
  const runs = [
    { firstRow: 0, transaction: transaction("a") },
    { firstRow: 2, transaction: transaction("b") },
    { firstRow: 3, transaction: transaction("c") },
  ];
  return { schema, origin: "log", length: 6, columns, before, ops, runs, bytes: batchBytes(columns, ops, before) };
}

describe("selectRows", () => {
  test("keeps ops, and rows as they were, with their rows, and moves the runs", () => {
    const selected = selectRows(batch(), Uint32Array.of(1, 3, 5));
    expect(shown(selected.columns[0]!)).toEqual(shown(column({ kind: "int", bits: 32 }, [2, 4, 8])));
    expect(shown(selected.before![0]!)).toEqual(shown(column({ kind: "int", bits: 32 }, [12, 14, 18])));
    expect([...selected.ops!]).toEqual([Op.update, Op.moved, Op.update]);
    expect(selected.bytes).toBe(batchBytes(selected.columns, selected.ops, selected.before));
    expect(selected.runs.map((run) => [run.firstRow, run.transaction.id])).toEqual([
      [0, "a"],
      [1, "c"],
    ]);
  });

  test("is the batch itself where all rows stay", () => {
    const whole = batch();
    expect(selectRows(whole, Uint32Array.of(0, 1, 2, 3, 4, 5))).toBe(whole);
  });

  test("rowsOfRuns leaves out whole transactions", () => {
    expect([...rowsOfRuns(batch(), (run) => run.transaction.id !== "b")!]).toEqual([0, 1, 3, 4, 5]);
    expect(rowsOfRuns(batch(), () => true)).toBeNull();
    expect(rowsOfRuns(batch(), () => false)).toHaveLength(0);
  });
});
