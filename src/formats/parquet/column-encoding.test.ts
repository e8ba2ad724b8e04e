import { describe, expect, it } from "vitest";
import { columnOf } from "../../../test/support/parquet-cells.ts";
import { Random } from "../../../test/support/random.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import type { ColumnSet, FileCells, FileType } from "../file-schema.ts";
import { columnEncodings } from "./column-encoding.ts";

const ROWS = 20_000;
const INT: LogicalType = { kind: "int", bits: 64 };
const TEXT: LogicalType = { kind: "text" };

function encodingOf(
  type: FileType,
  cells: FileCells,
  dictionaryBytesMax = 1 << 20,
): ReturnType<typeof columnEncodings> {
  const sets: readonly ColumnSet[] = [{ length: ROWS, columns: [cells] }];
  return columnEncodings([{ name: "c", fieldId: 1, type, required: false }], sets, dictionaryBytesMax);
}

function column(type: LogicalType, cell: (row: number) => string | null): FileCells {
  return columnOf(
    type,
    Array.from({ length: ROWS }, (_, row) => cell(row)),
  );
}

/** One of so many values, at random. */
function oneOf(different: number): () => string {
  const random = new Random(different);
  return () => String(random.below(different) * 1_000_003);
}

describe("columnEncodings", () => {
  it.each([
    ["few numbers", INT, oneOf(50), "dictionary"],
    ["numbers of which most recur", INT, oneOf(ROWS / 20), "dictionary"],
    ["numbers of which few recur", INT, oneOf(ROWS), "delta"],
    ["ascending numbers", INT, String, "delta"],
    ["few texts", TEXT, oneOf(3), "dictionary"],
    ["texts of which few recur", TEXT, oneOf(ROWS / 2), "plain"],
    ["different texts", TEXT, String, "plain"],
    ["nulls", TEXT, () => null, "dictionary"],
    ["dates", { kind: "date" }, String, "delta"],
    ["short decimals", { kind: "decimal", precision: 18, scale: 0 }, String, "delta"],
    ["long decimals", { kind: "decimal", precision: 19, scale: 0 }, String, "plain"],
    ["booleans", { kind: "bool" }, (row: number) => String(row % 3 === 0), "plain"],
  ] as const)("of %s", (_name, type, cell, encoding) => {
    expect(encodingOf(type, column(type, cell)).columns).toEqual([encoding]);
  });

  it("gives no dictionary to values that would fill it", () => {
    const long = oneOf(100);
    const cells = column(TEXT, () => long().padStart(2000, "x"));
    expect(encodingOf(TEXT, cells, 1 << 20).columns).toEqual(["dictionary"]);
    expect(encodingOf(TEXT, cells, 1 << 14).columns).toEqual(["plain"]);
  });

  it("looks at cells of all sets, and passes over those that have none", () => {
    const schema = [{ name: "c", fieldId: 1, type: INT, required: false }];
    const part = (rows: number, cell: (row: number) => string): ColumnSet => ({
      length: rows,
      columns: [
        columnOf(
          INT,
          Array.from({ length: rows }, (_, row) => cell(row)),
        ),
      ],
    });
    const few = part(3000, () => "7");
    const many = part(30_000, String);
    expect(columnEncodings(schema, [few, many], 1 << 20).columns).toEqual(["delta"]);
    expect(columnEncodings(schema, [{ length: 50_000, columns: [null] }, few], 1 << 20).columns).toEqual([
      "dictionary",
    ]);
  });

  it("goes within rows by what most of their bytes are", () => {
    const [recurring, different] = [column(TEXT, oneOf(3)), column(TEXT, String)];
    const row = (...types: readonly string[]): FileType => ({
      kind: "row",
      fields: types.map((name, i) => ({ name, fieldId: i, type: TEXT, required: false })),
    });
    const nested = (...children: readonly FileCells[]): FileCells => ({ children, validity: null });
    expect(encodingOf(row("a", "b"), nested(recurring, recurring)).nested).toBe("dictionary");
    expect(encodingOf(row("a", "b"), nested(recurring, different)).nested).toBe("dictionary");
    expect(encodingOf(row("a", "b", "c"), nested(recurring, different, different)).nested).toBe("plain");
    expect(encodingOf({ kind: "texts" }, null).nested).toBe("dictionary");
  });
});
