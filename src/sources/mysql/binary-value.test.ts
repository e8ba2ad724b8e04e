import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ColumnBuilder } from "../../core/column-builder.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import { cellType, Outcome } from "../../decoding/cell-type.ts";
import { columnTexts, RULES } from "../../../test/support/mysql-source.ts";
import { appendBinaryCells, isReadable } from "./binary-value.ts";
import type { ResultColumn } from "./result-column.ts";
import { WireType } from "./binlog/wire-type.ts";

interface Sent {
  readonly wire: number;
  readonly bytes?: number;
  readonly unsigned?: boolean;
  readonly digits?: number;
}

function columnOf({ wire, bytes = 0, unsigned = false, digits = 6 }: Sent): ResultColumn {
  return { wire, bytes, unsigned, digits };
}

/** The cell's text, or how it failed. */
function decoded(type: LogicalType, sent: Sent, value: Uint8Array): string | Outcome {
  const builder = new ColumnBuilder(type);
  const bytes = Buffer.concat([Buffer.from("<"), value, Buffer.from(">")]);
  let failed: Outcome = Outcome.done;
  const cells = { bytes, starts: Int32Array.of(1), ends: Int32Array.of(bytes.length - 1), count: 1 };
  const cell = cellType(type, RULES);
  const column = columnOf(sent);
  expect(isReadable(column, cell)).toBe(true);
  appendBinaryCells(builder, cell, column, cells, (outcome) => {
    failed = outcome;
    builder.appendNull();
  });
  return failed === Outcome.done ? columnTexts(builder.finish())[0]! : failed;
}

const { malformed, unrepresentable } = Outcome;
const BOOL: LogicalType = { kind: "bool" };
const INT16: LogicalType = { kind: "int", bits: 16 };
const INT32: LogicalType = { kind: "int", bits: 32 };
const INT64: LogicalType = { kind: "int", bits: 64 };
const UINT64: LogicalType = { kind: "decimal", precision: 20, scale: 0 };
const DATE: LogicalType = { kind: "date" };
const TIME: LogicalType = { kind: "time" };
const DATETIME: LogicalType = { kind: "timestamp", zone: false };
const UUID: LogicalType = { kind: "uuid" };
const TEXT: LogicalType = { kind: "text" };
const tiny = { wire: WireType.tiny, bytes: 1 };
const short = { wire: WireType.short, bytes: 2 };
const long = { wire: WireType.long, bytes: 4 };
const longlong = { wire: WireType.longlong, bytes: 8 };
const unsigned = true;
const date = { wire: WireType.date };
const time = { wire: WireType.time };
const datetime = { wire: WireType.datetime };

const CASES: readonly (readonly [LogicalType, Sent, string, string | Outcome])[] = [
  [BOOL, tiny, "01", "1"],
  [BOOL, tiny, "00", "0"],
  [BOOL, tiny, "02", unrepresentable],
  [BOOL, tiny, "80", unrepresentable],
  [BOOL, { ...longlong, unsigned }, "0100000000000000", "1"],
  [INT16, tiny, "80", "-128"],
  [INT16, { ...tiny, unsigned }, "ff", "255"],
  [INT16, short, "0080", "-32768"],
  [INT16, { wire: WireType.year, bytes: 2, unsigned }, "6b08", "2155"],
  [INT16, { ...short, unsigned }, "ffff", malformed],
  [INT32, { ...short, unsigned }, "ffff", "65535"],
  [INT32, { wire: WireType.int24, bytes: 4 }, "000080ff", "-8388608"],
  [INT32, long, "00000080", "-2147483648"],
  [INT32, { ...long, unsigned }, "00000080", malformed],
  [INT64, { ...long, unsigned }, "ffffffff", "4294967295"],
  [INT64, long, "ffffffff", "-1"],
  [INT64, longlong, "0000000000000080", "-9223372036854775808"],
  [INT64, { ...longlong, unsigned }, "0000000000000080", malformed],
  [INT32, longlong, "00000000ffffffff", malformed],
  [UINT64, { ...longlong, unsigned }, "ffffffffffffffff", "18446744073709551615"],
  [UINT64, longlong, "ffffffffffffffff", "-1"],
  [DATE, date, "e807021d", "2024-02-29"],
  [DATE, date, "01000101", "0001-01-01"],
  [DATE, date, "0f270c1f", "9999-12-31"],
  [DATE, date, "", unrepresentable],
  [DATE, date, "00000101", unrepresentable],
  [DATE, date, "e807000a", unrepresentable],
  [DATE, date, "e707021d", unrepresentable],
  [DATE, date, "e8070d01", malformed],
  [DATE, date, "e80701", malformed],
  [DATE, date, "e807021d173b3b", malformed],
  [TIME, time, "", "00:00:00"],
  [TIME, time, "0000000000173b3b", "23:59:59"],
  [TIME, time, "0000000000173b3b3f420f00", "23:59:59.999999"],
  [TIME, time, "0001000000000000", "24:00:00"],
  [TIME, time, "000100000000000001000000", unrepresentable],
  [TIME, time, "0022000000163b3b", unrepresentable],
  [TIME, time, "0100000000000001", unrepresentable],
  [TIME, time, "0000000000183b3b", malformed],
  [TIME, time, "00000000", malformed],
  [DATETIME, datetime, "e807021d173b3b01000000", "2024-02-29 23:59:59.000001"],
  [DATETIME, datetime, "e807021d173b3b", "2024-02-29 23:59:59"],
  [DATETIME, datetime, "01000101", "0001-01-01 00:00:00"],
  [DATETIME, { wire: WireType.timestamp }, "b1070c1f173b3ba0bb0d00", "1969-12-31 23:59:59.9"],
  [DATETIME, datetime, "", unrepresentable],
  [DATETIME, datetime, "e8070001", unrepresentable],
  [DATETIME, datetime, "e8070101180000", malformed],
  [DATETIME, datetime, "e807010100000040420f00", malformed],
  [DATETIME, datetime, "e80701010000", malformed],
  [TEXT, { ...date, digits: 0 }, "", "0000-00-00"],
  [TEXT, { ...date, digits: 0 }, "e807000a", "2024-00-10"],
  [TEXT, { ...datetime, digits: 0 }, "", "0000-00-00 00:00:00"],
  [TEXT, { ...datetime, digits: 3 }, "e807021d", "2024-02-29 00:00:00.000"],
  [TEXT, { ...time, digits: 6 }, "0122000000163b3b", "-838:59:59.000000"],
  [TEXT, { ...time, digits: 0 }, "", "00:00:00"],
];

describe("binary values", () => {
  it.each(CASES)("%j from %j: %s", (type, sent, value, expected) => {
    expect(decoded(type, sent, Buffer.from(value, "hex"))).toBe(expected);
  });

  it.each<[string, string | Outcome]>([
    ["123E4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"],
    ["123e4567ee89b-12d3-a456-426614174000", malformed],
    ["123e4567-e89b-12d3-a456-42661417400g", malformed],
  ])("uuid: %s", (text, expected) => {
    expect(decoded(UUID, { wire: 254 }, Buffer.from(text))).toBe(expected);
  });

  it("come back as they went, over all times that there are", () => {
    const span = { min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(span), fc.nat(999), (day, thousandths) => {
        const value = Buffer.alloc(11);
        value.writeUInt16LE(day.getUTCFullYear());
        value.set([day.getUTCMonth() + 1, day.getUTCDate()], 2);
        value.set([day.getUTCHours(), day.getUTCMinutes(), day.getUTCSeconds()], 4);
        value.writeUInt32LE(day.getUTCMilliseconds() * 1000 + thousandths, 7);
        const iso = day.toISOString().replace("T", " ");
        const text = `${iso.slice(0, -1)}${String(thousandths).padStart(3, "0")}`;
        expect(decoded(DATETIME, datetime, value)).toBe(text.replace(/(?:\.0+|(\.\d*?)0+)$/, "$1"));
        expect(decoded(TEXT, datetime, value)).toBe(text);
        expect(decoded(DATE, date, value.subarray(0, 4))).toBe(iso.slice(0, 10));
      }),
    );
  });

  it("are numbers as they are, every bit of them", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.double({ noNaN: true }), (int, double) => {
        const value = Buffer.alloc(8);
        value.writeBigInt64LE(int);
        expect(decoded(INT64, longlong, value)).toBe(String(int));
        expect(decoded(UINT64, { ...longlong, unsigned }, value)).toBe(String(BigInt.asUintN(64, int)));
        value.writeDoubleLE(double);
        const shown = Object.is(double, -0) ? "-0" : String(double);
        expect(decoded({ kind: "float", bits: 64 }, { wire: WireType.double, bytes: 8 }, value)).toBe(shown);
      }),
    );
  });
});
