import { expect, it } from "vitest";
import { STRICT_RULES } from "../../../test/support/postgres-decoding.ts";
import { ColumnBuilder } from "../../core/column-builder.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import type { ValueRules } from "../../core/source.ts";
import { cellType, Outcome } from "../../decoding/cell-type.ts";
import { appendText } from "./text-value.ts";

const FINITE: ValueRules = {
  unrepresentable: "error",
  nonFinite: { decimalNaN: false, dateInfinity: false, timestampInfinity: false },
  beforeImages: false,
};

function outcome(type: LogicalType, text: string, rules: ValueRules): Outcome {
  const bytes = Buffer.from(`<${text}>`);
  const builder = new ColumnBuilder(type);
  const result = appendText(builder, cellType(type, rules), bytes, 1, bytes.length - 1);
  expect(builder.row).toBe(result === Outcome.done ? 1 : 0);
  return result;
}

const MALFORMED: readonly (readonly [LogicalType, readonly string[]])[] = [
  [{ kind: "bool" }, ["", "true", "T", "1"]],
  [{ kind: "int", bits: 16 }, ["", "-", "32768", "-32769", "1.0", " 1", "+1", "0x1"]],
  [{ kind: "int", bits: 32 }, ["", "-", "2147483648", "-2147483649", "99999999999", "1e3", "1 "]],
  [
    { kind: "int", bits: 64 },
    [
      "",
      "-",
      "9223372036854775808",
      "-9223372036854775809",
      "99999999999999999999",
      "1_0",
      "--1",
      "123456789012345678x",
    ],
  ],
  [{ kind: "float", bits: 32 }, ["", "nan", "inf", "-", "1e", "0x10", "1 ", "1-2"]],
  [{ kind: "float", bits: 64 }, ["", "nan", "inf", ".", "-", "1.", "1e", "0x10", " 1", "1.2.3", "1".repeat(70)]],
  [
    { kind: "decimal", precision: 5, scale: 2 },
    ["", "-", "1", "1.0", "1.000", ".00", "1000.00", "1,00", "x.00", "1.0x", "nan", "1e2", "-.00"],
  ],
  [{ kind: "decimal", precision: 38, scale: 0 }, ["", "1.0", "9".repeat(39), `${"1".repeat(30)}x`]],
  [{ kind: "bytes" }, ["", "\\", "\\x0", "\\x0g", "x00", "\\X00", "\\000"]],
  [
    { kind: "uuid" },
    [
      "",
      "a0eebc999c0b4ef8bb6d6bb9bd380a11",
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
      "a0eebc99-9c0b-4ef8-bb6d_6bb9bd380a11",
    ],
  ],
  [
    { kind: "date" },
    ["", "24-01-01", "2024-1-01", "2024-13-01", "2024-00-01", "2023-02-29", "2024-01-32", "0000-01-01", "01.02.2024"],
  ],
  [
    { kind: "date" },
    ["2024-01-01 ", "2024-01-01 AD", "2024-01-01 00:00:00", "Infinity", "12345678-01-01", "20x4-01-01"],
  ],
  [
    { kind: "time" },
    ["", "24:00:01", "24:00:00.000001", "12:60:00", "12:00:60", "1:00:00", "12:00", "12:00:00.", "12:00:00.1234567"],
  ],
  [
    { kind: "timestamp", zone: false },
    ["2024-01-01", "2024-01-01 00:00:00+00", "2024-01-01T00:00:00", "2024-01-01 24:00:00"],
  ],
  [
    { kind: "timestamp", zone: true },
    [
      "2024-01-01 00:00:00",
      "2024-01-01 00:00:00+01",
      "2024-01-01 00:00:00-00",
      "2024-01-01 00:00:00+00:30",
      "02.01.2024 00:00:00 UTC",
    ],
  ],
];

it.each(MALFORMED.flatMap(([type, texts]) => texts.map((text) => ({ type, text }))))(
  "is no $type.kind: '$text'",
  ({ type, text }) => {
    expect(outcome(type, text, STRICT_RULES)).toBe(Outcome.malformed);
  },
);

const UNREPRESENTABLE: readonly (readonly [LogicalType, readonly string[]])[] = [
  [{ kind: "decimal", precision: 5, scale: 2 }, ["NaN", "Infinity", "-Infinity"]],
  [{ kind: "date" }, ["infinity", "-infinity"]],
  [{ kind: "timestamp", zone: false }, ["infinity", "-infinity", "294247-01-10 04:00:54.775807"]],
  [{ kind: "timestamp", zone: true }, ["infinity", "-infinity", "294276-12-31 23:59:59.999999+00"]],
];

it.each(UNREPRESENTABLE.flatMap(([type, texts]) => texts.map((text) => ({ type, text }))))(
  "goes by the policy: $text as $type.kind",
  ({ type, text }) => {
    expect(outcome(type, text, FINITE)).toBe(Outcome.unrepresentable);
  },
);
