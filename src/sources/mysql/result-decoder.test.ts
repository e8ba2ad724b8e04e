import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../../core/errors.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import { tableId, type TableSchema } from "../../core/table-schema.ts";
import { columnTexts, RULES } from "../../../test/support/mysql-source.ts";
import { WireType } from "./binlog/wire-type.ts";
import { ResultDecoder } from "./result-decoder.ts";

/** A table `shop.t` with columns c0, c1 … of these types; the first is the key. */
function tableOf(...types: readonly LogicalType[]): TableSchema {
  return {
    id: tableId("shop", "t"),
    namespace: "shop",
    name: "t",
    version: 1,
    key: [0],
    columns: types.map((type, i) => ({
      name: `c${i}`,
      type,
      nullable: i > 0,
      sourceType: type.kind,
      collation: null,
      existingRowsDefault: null,
    })),
  };
}

const TABLE = tableOf({ kind: "int", bits: 32 }, { kind: "text" }, { kind: "decimal", precision: 12, scale: 2 });

function lengthEncoded(length: number): Buffer {
  if (length < 0xfb) return Buffer.from([length]);
  if (length < 0x1_00_00) return Buffer.from([0xfc, length & 0xff, length >> 8]);
  return Buffer.from([0xfd, length & 0xff, (length >> 8) & 0xff, length >> 16]);
}

function lengthAndBytes(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([lengthEncoded(bytes.length), bytes]);
}

function int32(value: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(Number(value));
  return bytes;
}

type Cell = (value: string) => Buffer;
/** A column's definition, and its values. */
interface Column {
  readonly wire: number;
  readonly cell: Cell;
}
const INT: Column = { wire: WireType.long, cell: int32 };
const TEXT: Column = { wire: 253, cell: lengthAndBytes };
const DECIMAL: Column = { wire: WireType.newDecimal, cell: lengthAndBytes };
const COLUMNS = [INT, TEXT, DECIMAL];

function definition({ wire }: Column): Buffer {
  const names = ["def", "shop", "t", "t", "c", "c"].map(lengthAndBytes);
  return Buffer.concat([...names, Buffer.from([0x0c, 45, 0, 0, 1, 0, 0, wire, 0, 0, 2, 0, 0])]);
}

function rowPayload(cells: readonly (string | null)[], columns: readonly Column[] = COLUMNS): Buffer {
  const nulls = Buffer.alloc((cells.length + 9) >> 3);
  const values = cells.map((cell, i) => {
    if (cell !== null) return columns[i]!.cell(cell);
    nulls[(i + 2) >> 3]! |= 1 << ((i + 2) & 7);
    return Buffer.alloc(0);
  });
  return Buffer.concat([Buffer.from([0]), nulls, ...values]);
}

const EOF_PACKET = Buffer.from([0xfe, 0, 0, 2, 0]);

/** What a server answers with. */
function answer(rows: readonly (readonly (string | null)[])[], columns: readonly Column[] = COLUMNS): Buffer[] {
  return [
    Buffer.from([columns.length]),
    ...columns.map(definition),
    EOF_PACKET,
    ...rows.map((row) => rowPayload(row, columns)),
    EOF_PACKET,
  ];
}
/** Packets before the first row of three columns. */
const BEFORE_ROWS = 5;

/** Whether the answer ended, and with which packet. */
function decodeAll(decoder: ResultDecoder, payloads: readonly Buffer[]): number {
  for (const [i, payload] of payloads.entries()) {
    if (decoder.packet(payload, 0, payload.length)) return i;
    decoder.release();
  }
  return -1;
}

const ROWS = fc.array(
  fc.tuple(
    fc.integer().map(String),
    fc.option(fc.string({ unit: "grapheme-ascii", maxLength: 300 }), { freq: 4 }),
    fc.option(
      fc
        .integer({ min: -99_999_999, max: 99_999_999 })
        .map((cents) => (cents / 100).toFixed(2).replace(/^-0.00$/, "0.00")),
    ),
  ),
  { maxLength: 12 },
);

describe("ResultDecoder", () => {
  it("reads the same rows, whether several lie in one piece or each in its own, or in parts", () => {
    fc.assert(
      fc.property(ROWS, fc.array(fc.nat(300), { maxLength: 6 }), (rows, cuts) => {
        const payloads = answer(rows);
        const expected = [0, 1, 2].map((i) =>
          rows.map((row) => (row[i] === null ? null : Buffer.from(row[i]!).toString())),
        );
        const apart = new ResultDecoder(TABLE, RULES);
        expect(decodeAll(apart, payloads)).toBe(payloads.length - 1);
        expect(apart.take().map(columnTexts)).toEqual(expected);

        const together = new ResultDecoder(TABLE, RULES);
        const piece = Buffer.concat(payloads);
        let at = 0;
        for (const { length } of payloads) {
          together.packet(piece, at, at + length);
          at += length;
        }
        together.release();
        expect(together.rows).toBe(rows.length);
        expect(together.take().map(columnTexts)).toEqual(expected);

        const inParts = new ResultDecoder(TABLE, RULES);
        for (const [i, payload] of payloads.entries())
          if (i < BEFORE_ROWS || i === payloads.length - 1) inParts.packet(payload, 0, payload.length);
          else {
            const places = [0, ...cuts.map((cut) => cut % (payload.length + 1)), payload.length].sort((a, b) => a - b);
            places.slice(1).forEach((end, j) => inParts.part(payload, places[j]!, end, j === places.length - 2));
          }
        expect(inParts.take().map(columnTexts)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("begins new columns at take, and knows how many bytes the rows have", () => {
    const decoder = new ResultDecoder(TABLE, RULES);
    const payloads = answer([
      ["1", "a", "1.00"],
      ["2", null, "2.00"],
    ]);
    decodeAll(decoder, payloads.slice(0, BEFORE_ROWS + 1));
    expect(decoder.bytes).toBe(4 + (1 + 4) + 16);
    expect(decoder.take().map(columnTexts)).toEqual([["1"], ["a"], ["1.00"]]);
    expect(decoder.finished).toBe(false);
    decodeAll(decoder, payloads.slice(BEFORE_ROWS + 1));
    expect(decoder.finished).toBe(true);
    expect(decoder.take().map(columnTexts)).toEqual([["2"], [null], ["2.00"]]);
  });

  it("ends with an error packet wherever it comes", () => {
    const error = Buffer.from("\xff\x79\x04#HY000no", "latin1");
    const payloads = answer([["1", "a", "1.00"]]);
    for (let i = 0; i < payloads.length; i++)
      expect(decodeAll(new ResultDecoder(TABLE, RULES), [...payloads.slice(0, i), error])).toBe(i);
  });

  it.each<[string, Buffer[]]>([
    ["another number of columns", answer([], [...COLUMNS, INT])],
    ["a column of another type", answer([], [INT, TEXT, { wire: WireType.double, cell: lengthAndBytes }])],
    ["a definition that ends too early", [Buffer.from([3]), definition(INT).subarray(0, 20)]],
    ["a row that ends too early", [...answer([]).slice(0, BEFORE_ROWS), Buffer.from([0, 0, 1, 0, 0, 0, 1, 0x61])]],
    [
      "a row that goes on",
      [...answer([]).slice(0, BEFORE_ROWS), Buffer.concat([rowPayload(["1", "a", "1.00"]), Buffer.from("x")])],
    ],
    ["a value beyond its row", [...answer([]).slice(0, BEFORE_ROWS), Buffer.from([0, 0, 1, 0, 0, 0, 9, 0x61])]],
    ["a row of another kind", [...answer([]).slice(0, BEFORE_ROWS), Buffer.from([1, 0, 1, 0, 0, 0, 0, 0])]],
    ["a demand for a file", [Buffer.from("\xfb/etc/passwd", "latin1")]],
    ["an answer without rows", [Buffer.from([0, 0, 0, 2, 0, 0, 0])]],
    ["a decimal of another scale", answer([["1", "a", "1.000"]])],
    ["nothing where a packet should be", [Buffer.alloc(0)]],
  ])("refuses %s", (_, payloads) => {
    expect(() => decodeAll(new ResultDecoder(TABLE, RULES), payloads)).toThrow(
      expect.objectContaining({ code: "DECODE_FAILED" }),
    );
  });

  it("says which column holds a value that its type cannot, or makes it null, but never in a key", () => {
    const table = tableOf({ kind: "date" }, { kind: "time" });
    const hex: Cell = (value) => Buffer.from(value, "hex");
    const columns = [
      { wire: WireType.date, cell: hex },
      { wire: WireType.time, cell: hex },
    ];
    const newYear = "04e8070101";
    const rows = (...cells: readonly (string | null)[]): Buffer[] => answer([cells], columns);
    const failing = new ResultDecoder(table, RULES);
    expect(() => decodeAll(failing, rows(newYear, "080100000000000001"))).toThrow(
      expect.objectContaining({
        code: "VALUE_UNREPRESENTABLE",
        message: "column c1 of shop.t (time) has a value in the snapshot that time cannot hold",
      }),
    );
    const nulling = new ResultDecoder(table, { ...RULES, unrepresentable: "null" });
    decodeAll(nulling, rows(newYear, "0c000100000000000001000000"));
    expect(nulling.take().map(columnTexts)).toEqual([["2024-01-01"], [null]]);
    const key = new ResultDecoder(table, { ...RULES, unrepresentable: "null" });
    expect(() => decodeAll(key, rows("00", null))).toThrow(expect.objectContaining({ code: "VALUE_UNREPRESENTABLE" }));
  });

  it("ends in a MillraceError, if at all, whatever the bytes", () => {
    const payloads = answer([
      ["1", "abc", "12345.67"],
      ["2", "", "0.01"],
    ]);
    const edit = fc.tuple(fc.nat(payloads.length - 1), fc.nat(40), fc.nat(255));
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 6 }), (edits) => {
        const broken = payloads.map((payload) => Buffer.from(payload));
        for (const [i, at, value] of edits) broken[i]![at % broken[i]!.length] = value;
        try {
          decodeAll(new ResultDecoder(TABLE, RULES), broken);
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
