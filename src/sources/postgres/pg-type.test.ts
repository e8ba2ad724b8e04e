import { describe, expect, it } from "vitest";
import { typeLabel } from "../../core/logical-type.ts";
import type { NonFiniteSupport, UnrepresentablePolicy } from "../../core/logical-type.ts";
import { columnType, selectExpression, type PgType } from "./pg-type.ts";

const NOTHING: NonFiniteSupport = { decimalNaN: false, dateInfinity: false, timestampInfinity: false };
const EVERYTHING: NonFiniteSupport = { decimalNaN: true, dateInfinity: true, timestampInfinity: true };

const plain = (oid: number, typmod = -1): PgType => ({ oid, baseOid: oid, typmod });
const numeric = (precision: number, scale: number): PgType => plain(1700, ((precision << 16) | (scale & 0x7ff)) + 4);

function label(type: PgType, unrepresentable: UnrepresentablePolicy = "error", nonFinite = NOTHING): string {
  return typeLabel(columnType(type, { unrepresentable, nonFinite, beforeImages: false }));
}

describe("columnType", () => {
  it.each<[string, PgType, string]>([
    ["numeric(12,2)", numeric(12, 2), "decimal(12,2)"],
    ["numeric(38,38)", numeric(38, 38), "decimal(38,38)"],
    ["numeric(39,2)", numeric(39, 2), "text"],
    ["numeric(1000,0)", numeric(1000, 0), "text"],
    ["numeric(5,-2)", numeric(5, -2), "text"],
    ["numeric(3,5)", numeric(3, 5), "text"],
    ["numeric", plain(1700), "text"],
    ["char(5)", plain(1042, 9), "text"],
    ["jsonb", plain(3802), "json"],
    ["timestamptz", plain(1184), "timestamp with zone"],
    ["timestamp(3)", plain(1114, 3), "timestamp"],
    ["a domain over int8", { oid: 20_000, baseOid: 20, typmod: -1 }, "int64"],
    ["int[]", plain(1007), "text"],
    ["an enum", plain(20_001), "text"],
  ])("makes of %s", (_, type, expected) => {
    expect(label(type)).toBe(expected);
  });

  it("makes text of what the sink's type may not hold, where the policy says so", () => {
    for (const type of [numeric(12, 2), plain(1082), plain(1114), plain(1184)]) {
      expect(label(type, "text")).toBe("text");
      expect(label(type, "text", EVERYTHING)).not.toBe("text");
      expect(label(type, "null")).not.toBe("text");
    }
    expect(label(plain(701), "text")).toBe("float64");
  });
});

describe("selectExpression", () => {
  const expression = (type: PgType, unrepresentable: UnrepresentablePolicy = "error"): string =>
    selectExpression('a"b', type, columnType(type, { unrepresentable, nonFinite: NOTHING, beforeImages: false }));

  it.each<[string, PgType, string]>([
    ["decodes the binary form where it can", plain(1184), '"a""b"'],
    ["asks for the text of jsonb", plain(3802), '"a""b"::text'],
    ["casts where the cast is the output function", plain(1186), '"a""b"::text'],
    [
      "calls the output function where the cast is another",
      plain(869),
      `CASE WHEN num_nulls("a""b") = 0 THEN format('%s', "a""b") END`,
    ],
    ["trusts no cast of a user's type", plain(20_001), `CASE WHEN num_nulls("a""b") = 0 THEN format('%s', "a""b") END`],
  ])("%s", (_, type, expected) => {
    expect(expression(type)).toBe(expected);
  });

  it("asks for text where the policy made the column text", () => {
    expect(expression(numeric(12, 2))).toBe('"a""b"');
    expect(expression(numeric(12, 2), "text")).toBe('"a""b"::text');
    expect(expression(plain(1082), "text")).toBe('"a""b"::text');
  });
});
