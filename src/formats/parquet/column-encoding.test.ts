import { describe, expect, it } from "vitest";
import { columnOf } from "../../../test/support/parquet-cells.ts";
import { Random } from "../../../test/support/random.ts";
import type { Column } from "../../core/column.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import type { FileCells, FileType } from "../file-schema.ts";
import { columnEncoding } from "./column-encoding.ts";
import { leafCells } from "./leaf-cells.ts";

const ROWS = 20_000;
const INT: LogicalType = { kind: "int", bits: 64 };
const TEXT: LogicalType = { kind: "text" };

/** Of each leaf. */
function encodingsOf(type: FileType, sets: readonly FileCells[], dictionaryBytesMax = 1 << 20): readonly string[] {
  const schema = [{ name: "c", fieldId: 1, type, required: false }];
  const leaves = leafCells(
    schema,
    sets.map((cells) => ({ length: ROWS, columns: [cells] })),
  );
  return leaves.map((leaf) => columnEncoding(leaf, dictionaryBytesMax));
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

describe("columnEncoding", () => {
  it.each([
    ["few numbers", INT, oneOf(50), "dictionary"],
    ["numbers of which most recur", INT, oneOf(ROWS / 20), "dictionary"],
    ["numbers of which few recur", INT, oneOf(ROWS), "delta"],
    ["ascending numbers", INT, String, "delta"],
    ["few texts", TEXT, oneOf(3), "dictionary"],
    ["texts of which few recur", TEXT, oneOf(ROWS / 2), "plain"],
    ["different texts", TEXT, String, "plain"],
    ["different numbers and a default", INT, (row: number) => (row % 4 === 0 ? String(row) : "0"), "delta"],
    ["a default and few other numbers", INT, (row: number) => (row % 20 === 0 ? String(row) : "0"), "dictionary"],
    ["nulls", TEXT, () => null, "dictionary"],
    ["dates", { kind: "date" }, String, "delta"],
    ["short decimals", { kind: "decimal", precision: 18, scale: 0 }, String, "delta"],
    ["long decimals", { kind: "decimal", precision: 19, scale: 0 }, String, "plain"],
    ["booleans", { kind: "bool" }, (row: number) => String(row % 3 === 0), "plain"],
  ] as const)("of %s", (_name, type, cell, encoding) => {
    expect(encodingsOf(type, [column(type, cell)])).toEqual([encoding]);
  });

  it("gives no dictionary to values that would fill it", () => {
    const long = oneOf(100);
    const cells = column(TEXT, () => long().padStart(2000, "x"));
    expect(encodingsOf(TEXT, [cells], 1 << 20)).toEqual(["dictionary"]);
    expect(encodingsOf(TEXT, [cells], 1 << 14)).toEqual(["plain"]);
  });

  it("looks at cells of all sets, and passes over those that have none", () => {
    const [few, many] = [column(INT, () => "7"), column(INT, String)];
    expect(encodingsOf(INT, [few, many])).toEqual(["delta"]);
    expect(encodingsOf(INT, [null, few, null])).toEqual(["dictionary"]);
    expect(encodingsOf(INT, [null])).toEqual(["dictionary"]);
  });

  it("goes within rows and lists by their own cells", () => {
    const row: FileType = {
      kind: "row",
      fields: [TEXT, TEXT, INT].map((type, i) => ({ name: String(i), fieldId: i, type, required: false })),
    };
    const children = [column(TEXT, oneOf(3)), column(TEXT, String), column(INT, String)];
    const encodings = ["dictionary", "plain", "delta"];
    expect(encodingsOf(row, [null, { children, validity: null }])).toEqual(encodings);
    const lists = (items: FileCells): FileCells => ({
      offsets: new Int32Array(0),
      items: items as Column,
      validity: null,
    });
    expect(encodingsOf({ kind: "texts" }, [lists(children[0]!)])).toEqual(["dictionary"]);
    expect(encodingsOf({ kind: "texts" }, [lists(children[1]!)])).toEqual(["plain"]);
  });
});
