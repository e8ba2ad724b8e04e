import fc from "fast-check";
import { expect, it } from "vitest";
import { cellTexts, STRICT_RULES } from "../../../test/support/postgres-decoding.ts";
import { numericBinary } from "../../../test/support/postgres-wire.ts";
import { ColumnBuilder } from "../../core/column-builder.ts";
import { appendBinaryNumeric } from "./binary-numeric.ts";
import { cellType, Outcome } from "../../decoding/cell-type.ts";
import { appendText } from "./text-value.ts";

/** A decimal type and texts of it as the server prints them. */
const DECIMALS = fc.integer({ min: 1, max: 38 }).chain((precision) =>
  fc.integer({ min: 0, max: precision }).chain((scale) =>
    fc.record({
      precision: fc.constant(precision),
      scale: fc.constant(scale),
      texts: fc.array(
        fc.bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n }).chain((unscaled) =>
          // Small values, and values with many zeros, as often as any others.
          fc.integer({ min: 0, max: precision }).map((cut) => {
            const value = (unscaled / 10n ** BigInt(cut)) * (cut % 2 === 0 ? 1n : 10n ** BigInt(cut));
            const digits = String(value)
              .replace("-", "")
              .padStart(scale + 1, "0");
            const whole = digits.slice(0, digits.length - scale);
            return `${value < 0n ? "-" : ""}${whole}${scale === 0 ? "" : `.${digits.slice(-scale)}`}`;
          }),
        ),
        { minLength: 1, maxLength: 20 },
      ),
    }),
  ),
);

it("decimals are the same by their text and by their binary form, and print as they were", () => {
  fc.assert(
    fc.property(DECIMALS, ({ precision, scale, texts }) => {
      const type = { kind: "decimal", precision, scale } as const;
      const byText = new ColumnBuilder(type);
      const byBinary = new ColumnBuilder(type);
      for (const text of texts) {
        const bytes = Buffer.from(text);
        const binary = numericBinary(text);
        expect(appendText(byText, cellType(type, STRICT_RULES), bytes, 0, bytes.length)).toBe(Outcome.done);
        expect(appendBinaryNumeric(byBinary, cellType(type, STRICT_RULES), binary, 0, binary.length)).toBe(
          Outcome.done,
        );
      }
      const column = byText.finish();
      expect(cellTexts(column)).toEqual(texts);
      const used = texts.length * 16;
      expect(byBinary.finish().values.subarray(0, used)).toEqual(column.values.subarray(0, used));
    }),
    { numRuns: 1000 },
  );
});
