import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ColumnBuilder } from "../../core/column-builder.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import { cellType, Outcome } from "../../decoding/cell-type.ts";
import { columnTexts, RULES } from "../../../test/support/mysql-source.ts";
import { appendTextCells } from "./text-value.ts";

/** The cell's text again, or how it failed. */
function decoded(type: LogicalType, text: string): string | Outcome {
  const builder = new ColumnBuilder(type);
  const bytes = Buffer.from(`<${text}>`);
  let failed: Outcome = Outcome.done;
  const cells = { bytes, starts: Int32Array.of(1), ends: Int32Array.of(bytes.length - 1), count: 1 };
  appendTextCells(builder, cellType(type, RULES), cells, (outcome) => {
    failed = outcome;
    builder.appendNull();
  });
  return failed === Outcome.done ? columnTexts(builder.finish())[0]! : failed;
}

const { malformed, unrepresentable } = Outcome;
const DATE: LogicalType = { kind: "date" };
const TIME: LogicalType = { kind: "time" };
const DATETIME: LogicalType = { kind: "timestamp", zone: false };
const UUID: LogicalType = { kind: "uuid" };
const BOOL: LogicalType = { kind: "bool" };

describe("text values", () => {
  it.each<[LogicalType, string, string | Outcome]>([
    [DATE, "2024-02-29", "2024-02-29"],
    [DATE, "0001-01-01", "0001-01-01"],
    [DATE, "9999-12-31", "9999-12-31"],
    [DATE, "0000-00-00", unrepresentable],
    [DATE, "0000-01-01", unrepresentable],
    [DATE, "2024-00-10", unrepresentable],
    [DATE, "2024-10-00", unrepresentable],
    [DATE, "2023-02-29", unrepresentable],
    [DATE, "2024-13-01", unrepresentable],
    [DATE, "2024-1-01", malformed],
    [DATE, "2024-01-01 ", malformed],
    [DATE, "2024/01/01", malformed],
    [DATE, "", malformed],
    [TIME, "00:00:00", "00:00:00"],
    [TIME, "23:59:59.999999", "23:59:59.999999"],
    [TIME, "01:02:03.4", "01:02:03.4"],
    [TIME, "24:00:00", "24:00:00"],
    [TIME, "-00:00:00", "00:00:00"],
    [TIME, "24:00:00.000001", unrepresentable],
    [TIME, "838:59:59", unrepresentable],
    [TIME, "-838:59:59.000000", unrepresentable],
    [TIME, "-00:00:01", unrepresentable],
    [TIME, "1:00:00", malformed],
    [TIME, "01:60:00", malformed],
    [TIME, "01:00:00.", malformed],
    [TIME, "01:00:00.1234567", malformed],
    [TIME, "-", malformed],
    [TIME, "", malformed],
    [DATETIME, "2024-02-29 23:59:59.000001", "2024-02-29 23:59:59.000001"],
    [DATETIME, "0001-01-01 00:00:00", "0001-01-01 00:00:00"],
    [DATETIME, "1969-12-31 23:59:59.9", "1969-12-31 23:59:59.9"],
    [DATETIME, "0000-00-00 00:00:00", unrepresentable],
    [DATETIME, "2024-00-01 00:00:00.000", unrepresentable],
    [DATETIME, "2024-01-01 24:00:00", malformed],
    [DATETIME, "2024-01-01T00:00:00", malformed],
    [DATETIME, "2024-01-01", malformed],
    [UUID, "123E4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"],
    [UUID, "123e4567ee89b-12d3-a456-426614174000", malformed],
    [UUID, "123e4567-e89b-12d3-a456-42661417400g", malformed],
    [BOOL, "1", "1"],
    [BOOL, "0", "0"],
    [BOOL, "2", unrepresentable],
    [BOOL, "-128", unrepresentable],
    [BOOL, "", malformed],
    [BOOL, "t", malformed],
  ])("%j: %s", (type, text, expected) => {
    expect(decoded(type, text)).toBe(expected);
  });

  it("come back as they went, over all times that there are", () => {
    const span = { min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(span), fc.nat(999), (date, micros) => {
        const iso = date.toISOString().replace("T", " ");
        const text = `${iso.slice(0, -1)}${String(micros).padStart(3, "0")}`;
        expect(decoded(DATETIME, text)).toBe(text.replace(/(?:\.0+|(\.\d*?)0+)$/, "$1"));
        expect(decoded(DATE, iso.slice(0, 10))).toBe(iso.slice(0, 10));
      }),
    );
  });
});
