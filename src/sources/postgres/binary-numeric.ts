import type { ColumnBuilder } from "../../core/column-builder.ts";
import { Outcome, type CellType } from "../../decoding/cell-type.ts";
import { appendSmallDecimal, Magnitude, POWERS_OF_TEN } from "../../decoding/decimal128.ts";

const NEGATIVE = 0x4000;
const BASE = 10_000;
/** Decimal digits that a double holds exactly, whatever they are. */
const DOUBLE_DIGITS = 15;

const magnitude = new Magnitude();

/**
 * A numeric in its binary form: count of base-10000 digits, weight of the first (in base-10000 places), sign, display
 * scale, digits; 16 bit each, big endian (`numeric_send`). Trailing zero digits are left out.
 */
export function appendBinaryNumeric(
  builder: ColumnBuilder,
  type: CellType,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  if (end - start < 8) return Outcome.malformed;
  const digits = (b[start]! << 8) | b[start + 1]!;
  const weight = ((b[start + 2]! << 24) | (b[start + 3]! << 16)) >> 16;
  const sign = (b[start + 4]! << 8) | b[start + 5]!;
  const scale = (b[start + 6]! << 8) | b[start + 7]!;
  if (sign !== 0 && sign !== NEGATIVE) return Outcome.unrepresentable; // NaN, ±Infinity
  if (end - start !== 8 + digits * 2 || scale !== type.scale) return Outcome.malformed;
  if (digits === 0) {
    appendSmallDecimal(builder, 0);
    return Outcome.done;
  }
  const negative = sign === NEGATIVE;
  if ((weight + 1) * 4 + scale > DOUBLE_DIGITS) return appendLarge(builder, type, b, start, weight, negative);
  // All digits but the last in one double; the last has places beyond the scale, which are zero.
  let value = 0;
  const last = end - 2;
  for (let at = start + 8; at < last; at += 2) value = value * BASE + ((b[at]! << 8) | b[at + 1]!);
  const lastDigit = (b[last]! << 8) | b[last + 1]!;
  const shift = scale - 4 * (digits - 1 - weight);
  if (shift >= 0) value = (value * BASE + lastDigit) * POWERS_OF_TEN[shift]!;
  else {
    if (shift <= -4) return Outcome.malformed;
    const cut = POWERS_OF_TEN[-shift]!;
    const kept = lastDigit / cut;
    if (kept !== Math.floor(kept)) return Outcome.malformed;
    value = value * (BASE / cut) + kept;
  }
  appendSmallDecimal(builder, negative ? -value : value);
  return Outcome.done;
}

function appendLarge(
  builder: ColumnBuilder,
  type: CellType,
  b: Uint8Array,
  start: number,
  weight: number,
  negative: boolean,
): Outcome {
  const digits = (b[start]! << 8) | b[start + 1]!;
  if (weight > 9) return Outcome.malformed;
  magnitude.reset();
  let shift = type.scale + 4 * (weight + 1);
  for (let i = 0; i < digits; i++) {
    const at = start + 8 + i * 2;
    const digit = (b[at]! << 8) | b[at + 1]!;
    shift -= 4;
    if (shift >= 0) magnitude.multiplyAdd(BASE, digit);
    else {
      if (shift <= -4) return Outcome.malformed;
      const cut = POWERS_OF_TEN[-shift]!;
      const kept = digit / cut;
      if (kept !== Math.floor(kept)) return Outcome.malformed;
      magnitude.multiplyAdd(BASE / cut, kept);
    }
  }
  for (; shift >= 4; shift -= 4) magnitude.multiplyAdd(BASE, 0);
  if (shift > 0) magnitude.multiplyAdd(POWERS_OF_TEN[shift]!, 0);
  if (magnitude.overflow) return Outcome.malformed;
  magnitude.append(builder, negative);
  return Outcome.done;
}
