import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cellTexts, STRICT_RULES } from "../../../test/support/postgres-decoding.ts";
import {
  COPY_HEADER,
  COPY_TRAILER,
  copyFrame,
  copyRow,
  int32,
  numericBinary,
  tableOf,
} from "../../../test/support/postgres-wire.ts";
import type { Column } from "../../core/column.ts";
import { MillraceError } from "../../core/errors.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { CopyDecoder } from "./copy-decoder.ts";

const TABLE = tableOf({ kind: "int", bits: 32 }, { kind: "text" }, { kind: "decimal", precision: 12, scale: 2 });

const ROWS = fc.array(
  fc.record({
    id: fc.integer(),
    text: fc.option(fc.string({ unit: "binary", maxLength: 40 }), { freq: 4 }),
    amount: fc.option(
      fc
        .integer({ min: -99_999_999, max: 99_999_999 })
        .map((cents) => (cents / 100).toFixed(2).replace(/^-0.00$/, "0.00")),
    ),
  }),
  { maxLength: 12 },
);

type RowValues = typeof ROWS extends fc.Arbitrary<infer Rows> ? Rows : never;

function encoded(rows: RowValues): Buffer[] {
  const cells = rows.map(({ id, text, amount }) => [
    int32(id),
    text === null ? null : Buffer.from(text),
    amount === null ? null : numericBinary(amount),
  ]);
  return [COPY_HEADER, ...cells.map(copyRow), COPY_TRAILER];
}

function expectedCells(rows: RowValues): unknown[] {
  const texts = rows.map((row) => (row.text === null ? null : Buffer.from(row.text).toString()));
  return [rows.map((row) => String(row.id)), texts, rows.map((row) => row.amount)];
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return cuts.slice(1).map((end, i) => bytes.subarray(cuts[i], end));
}

describe("CopyDecoder", () => {
  it("reads the same rows however the stream is cut", () => {
    fc.assert(
      fc.property(ROWS, fc.array(fc.nat(2000), { maxLength: 20 }), (rows, places) => {
        const decoder = new CopyDecoder(TABLE, STRICT_RULES);
        for (const slice of cut(Buffer.concat(encoded(rows)), places)) decoder.push(slice, 0, slice.length);
        expect(decoder.finished).toBe(true);
        expect(decoder.rows).toBe(rows.length);
        expect(decoder.take().map(cellTexts)).toEqual(expectedCells(rows));
      }),
      { numRuns: 500 },
    );
  });

  it("reads the connection's messages however they are cut, and stops at one that is no CopyData", () => {
    const other = Buffer.from("c\0\0\0\x04");
    fc.assert(
      fc.property(ROWS, fc.array(fc.nat(2000), { maxLength: 20 }), fc.boolean(), (rows, places, headerAlone) => {
        const [header, first, ...more] = encoded(rows);
        const contents = headerAlone ? [header!, first!, ...more] : [Buffer.concat([header!, first!]), ...more];
        const decoder = new CopyDecoder(TABLE, STRICT_RULES);
        const bytes = Buffer.concat([...contents.map(copyFrame), other]);
        let read = 0;
        for (const slice of cut(bytes, places)) {
          const stopped = decoder.pushFrames(slice, 0, slice.length);
          read += stopped;
          if (stopped < slice.length) break;
        }
        expect(read).toBe(bytes.length - other.length);
        expect(decoder.take().map(cellTexts)).toEqual(expectedCells(rows));
      }),
      { numRuns: 500 },
    );
  });

  it("begins new columns at take, and keeps the row that is only half there", () => {
    const [header, first, second] = encoded([
      { id: 1, text: "a", amount: "1.00" },
      { id: 2, text: null, amount: "2.00" },
    ]);
    const decoder = new CopyDecoder(TABLE, STRICT_RULES);
    decoder.push(Buffer.concat([header!, first!, second!.subarray(0, 9)]), 0, header!.length + first!.length + 9);
    expect(decoder.bytes).toBe(4 + (1 + 4) + 16);
    expect(decoder.take().map((column: Column) => column.length)).toEqual([1, 1, 1]);
    decoder.push(second!, 9, second!.length);
    expect(decoder.take().map(cellTexts)).toEqual([["2"], [null], ["2.00"]]);
  });

  it.each<[string, TableSchema, Buffer]>([
    ["another signature", TABLE, Buffer.alloc(19)],
    ["flags that it does not know", TABLE, Buffer.concat([COPY_HEADER.subarray(0, 11), int32(1 << 16), int32(0)])],
    ["a row of another number of columns", TABLE, Buffer.concat([COPY_HEADER, copyRow([null, null])])],
    ["a row behind the trailer", TABLE, Buffer.concat([COPY_HEADER, COPY_TRAILER, copyRow([null, null, null])])],
    ["an int of another width", TABLE, Buffer.concat([COPY_HEADER, copyRow([Buffer.alloc(8), null, null])])],
    ["a numeric of another scale", TABLE, Buffer.concat([COPY_HEADER, copyRow([null, null, numericBinary("1.500")])])],
  ])("refuses %s", (_, table, bytes) => {
    const decoder = new CopyDecoder(table, STRICT_RULES);
    expect(() => decoder.push(bytes, 0, bytes.length)).toThrow(expect.objectContaining({ code: "DECODE_FAILED" }));
  });

  it("says which column holds a value that its type cannot, or makes it null", () => {
    const table = tableOf({ kind: "int", bits: 32 }, { kind: "timestamp", zone: true });
    const infinity = Buffer.from("7fffffffffffffff", "hex");
    const bytes = Buffer.concat([COPY_HEADER, copyRow([int32(1), infinity])]);
    const nonFinite = { decimalNaN: false, dateInfinity: false, timestampInfinity: false };
    const failing = new CopyDecoder(table, { unrepresentable: "error", nonFinite, beforeImages: false });
    expect(() => failing.push(bytes, 0, bytes.length)).toThrow(
      expect.objectContaining({
        code: "VALUE_UNREPRESENTABLE",
        message: "column c1 of public.t (timestamp) has a value in the snapshot that timestamp with zone cannot hold",
      }),
    );
    const nulling = new CopyDecoder(table, { unrepresentable: "null", nonFinite, beforeImages: false });
    nulling.push(bytes, 0, bytes.length);
    expect(nulling.take().map(cellTexts)).toEqual([["1"], [null]]);
  });

  it.each(["push", "pushFrames"] as const)("ends in a MillraceError, if at all, whatever the bytes (%s)", (method) => {
    const parts = encoded([
      { id: 1, text: "abc", amount: "12345.67" },
      { id: 2, text: "", amount: "0.01" },
    ]);
    const valid = Buffer.concat(method === "push" ? parts : parts.map(copyFrame));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 }), (edits) => {
        const bytes = Buffer.from(valid);
        for (const [at, value] of edits) bytes[at] = value;
        const decoder = new CopyDecoder(TABLE, STRICT_RULES);
        try {
          decoder[method](bytes, 0, bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
