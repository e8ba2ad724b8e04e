import { tableFromIPC } from "apache-arrow";
import { describe, expect, it } from "vitest";
import { columnOf } from "../../../test/support/parquet-cells.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import type { ColumnSet, FileSchema, FileType } from "../file-schema.ts";
import { ArrowStream } from "./stream.ts";

function copied(stream: ArrowStream): Uint8Array {
  const bytes = new Uint8Array(stream.bytes);
  stream.copyTo(bytes);
  return bytes;
}

/** The cells of each column, as apache-arrow reads the stream. */
function readBack(schema: FileSchema, sets: readonly ColumnSet[]): readonly (readonly unknown[])[] {
  const table = tableFromIPC(copied(new ArrowStream(schema, sets)));
  return schema.map((_, i) => [...table.getChildAt(i)!].map((cell: unknown) => asPlain(cell)));
}

function asPlain(cell: unknown): unknown {
  if (cell === null || typeof cell !== "object") return cell;
  return (cell as { toJSON(): unknown }).toJSON();
}

function schemaOf(...types: readonly FileType[]): FileSchema {
  return types.map((type, i) => ({ name: "same", fieldId: i, type, required: false }));
}

const TEXT = { kind: "text" } as const;
const INT = { kind: "int", bits: 32 } as const;

describe("ArrowStream", () => {
  it("has a record batch for each set that has rows", () => {
    const stream = new ArrowStream(schemaOf(INT), [
      { length: 2, columns: [columnOf(INT, ["1", null])] },
      { length: 0, columns: [columnOf(INT, [])] },
      { length: 1, columns: [null] },
    ]);
    const table = tableFromIPC(copied(stream));
    expect(table.batches.map(({ numRows }) => numRows)).toEqual([2, 1]);
    expect([...table.getChildAt(0)!]).toEqual([1, null, null]);
  });

  it("may have the same buffers twice, or views that overlap", () => {
    const texts = columnOf(TEXT, ["one", "two", "three", "four"]);
    const later = { ...texts, length: 2, offsets: texts.offsets!.subarray(2) };
    const set = (length: number, ...columns: ColumnSet["columns"]): ColumnSet => ({ length, columns });
    const schema = schemaOf(TEXT, TEXT, TEXT);
    expect(readBack(schema, [set(2, texts.length === 4 ? { ...texts, length: 2 } : texts, later, later)])).toEqual([
      ["one", "two"],
      ["three", "four"],
      ["three", "four"],
    ]);
  });

  it("leaves out no buffer where all booleans are null", () => {
    const kind = { kind: "bool" } as const;
    const columns = [
      columnOf(
        kind,
        Array.from({ length: 70 }, () => null),
      ),
      null,
    ];
    const read = readBack(schemaOf(kind, kind), [{ length: 70, columns }]);
    expect(read).toEqual([Array.from({ length: 70 }, () => null), Array.from({ length: 70 }, () => null)]);
  });

  it("takes of lists and rows what is theirs", () => {
    const items = columnOf(TEXT, ["before", "a", "b", "after"]);
    const lists = { offsets: Int32Array.of(1, 1, 3, 3), items, validity: Uint8Array.of(0b011) };
    const row: FileType = { kind: "row", fields: schemaOf(INT) };
    const rows = { children: [columnOf(INT, ["1", "2", null])], validity: Uint8Array.of(0b110) };
    const read = readBack(schemaOf({ kind: "texts" }, row), [{ length: 3, columns: [lists, rows] }]);
    expect(read[0]!.map((list) => list && [...(list as Iterable<string>)])).toEqual([[], ["a", "b"], null]);
    expect(read[1]).toEqual([null, { 0: 2 }, { 0: null }]);
  });

  it("refuses cells that are not those of the schema", () => {
    const refused = (type: LogicalType, ...cells: readonly string[]): (() => unknown) => {
      const decimal = { kind: "decimal", precision: 5, scale: 2 } as const;
      const due = type.kind === "decimal" ? decimal : INT;
      return () => new ArrowStream(schemaOf(due), [{ length: 2, columns: [columnOf(type, cells)] }]);
    };
    expect(refused(INT, "1")).toThrow("2 cells of int32 are due in a file, and these are 1 of int32");
    expect(refused(TEXT, "1", "2")).toThrow("these are 2 of text");
    expect(refused({ kind: "int", bits: 64 }, "1", "2")).toThrow("these are 2 of int64");
    expect(refused({ kind: "decimal", precision: 5, scale: 1 }, "1.0", "2.0")).toThrow("these are 2 of decimal(5,1)");
    expect(refused({ kind: "decimal", precision: 6, scale: 2 }, "1.00", "2.00")).toThrow("of decimal(6,2)");
    expect(refused({ kind: "decimal", precision: 4, scale: 2 }, "1.00", "2.00")).not.toThrow();
  });

  it("refuses nulls in a column that has none", () => {
    const schema: FileSchema = [{ name: "id", fieldId: 1, type: INT, required: true }];
    const columns = [columnOf(INT, ["1", null])];
    expect(() => new ArrowStream(schema, [{ length: 2, columns }])).toThrow("1 cells of column id are null");
  });
});
