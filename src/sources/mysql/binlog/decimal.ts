import type { ColumnBuilder } from "../../../core/column-builder.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import { appendSmallDecimal, Magnitude, POWERS_OF_TEN } from "../../../decoding/decimal128.ts";

/** Bytes of so many digits, where they are fewer than the nine of four bytes. */
const DIGIT_BYTES = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const GROUP_DIGITS = 9;
/** Decimal digits that a double holds exactly, whatever they are. */
const DOUBLE_DIGITS = 15;
const ZERO = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;

export function decimalBytes(precision: number, scale: number): number {
  return sideBytes(precision - scale) + sideBytes(scale);
}

function sideBytes(digits: number): number {
  return Math.floor(digits / GROUP_DIGITS) * 4 + DIGIT_BYTES[digits % GROUP_DIGITS]!;
}

/**
 * The groups of a DECIMAL's digits in order (`decimal.c`, `decimal2bin`): on each side of the point groups of nine
 * digits in four bytes, big endian; what is left over, before the point at its beginning and behind it at its end, in
 * fewer. A negative value has all bits inverted; the first one then is set for a positive one. For text; one for all.
 */
class Groups {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #invert = 0;
  #first = false;
  negative = false;
  /** Of the group read last. */
  value = 0;

  start(b: Uint8Array, at: number): void {
    this.#bytes = b;
    this.#at = at;
    this.#first = true;
    this.negative = (b[at]! & 0x80) === 0;
    this.#invert = this.negative ? 0xff : 0;
  }

  /** False: not so many digits. */
  read(digits: number): boolean {
    let value = 0;
    for (let left = DIGIT_BYTES[digits]!; left > 0; left--) {
      let byte = this.#bytes[this.#at++]! ^ this.#invert;
      if (this.#first) byte ^= 0x80;
      this.#first = false;
      value = value * 256 + byte;
    }
    this.value = value;
    return value < POWERS_OF_TEN[digits]!;
  }
}

const groups = new Groups();
const magnitude = new Magnitude();

/** How many digits each group of a DECIMAL has, in their order. */
export function decimalGroups(precision: number, scale: number): Uint8Array {
  const full = (digits: number): number[] =>
    Array.from({ length: Math.floor(digits / GROUP_DIGITS) }, () => GROUP_DIGITS);
  const whole = precision - scale;
  const digits = [whole % GROUP_DIGITS, ...full(whole), ...full(scale), scale % GROUP_DIGITS];
  return Uint8Array.from(digits.filter((each) => each > 0));
}

/**
 * Hot: a decimal of at most 38 digits, in groups as `decimalGroups` gives them. The bytes are as many as `decimalBytes`
 * says.
 */
export function appendBinlogDecimal(
  builder: ColumnBuilder,
  precision: number,
  digitsOf: Uint8Array,
  b: Uint8Array,
  start: number,
): Outcome {
  const small = precision <= DOUBLE_DIGITS;
  const negative = (b[start]! & 0x80) === 0;
  const invert = negative ? 0xff : 0;
  let sign = 0x80;
  let at = start;
  let value = 0;
  if (!small) magnitude.reset();
  for (let group = 0; group < digitsOf.length; group++) {
    const digits = digitsOf[group]!;
    const limit = POWERS_OF_TEN[digits]!;
    let part = 0;
    for (let left = DIGIT_BYTES[digits]!; left > 0; left--) {
      part = part * 256 + (b[at++]! ^ invert ^ sign);
      sign = 0;
    }
    if (part >= limit) return Outcome.malformed;
    if (small) value = value * limit + part;
    else addDigits(digits, part);
  }
  if (small) appendSmallDecimal(builder, negative ? -value : value);
  else magnitude.append(builder, negative);
  return Outcome.done;
}

/** In two steps: the magnitude takes factors of at most 2²¹. */
function addDigits(digits: number, value: number): void {
  if (digits <= 6) return magnitude.multiplyAdd(POWERS_OF_TEN[digits]!, value);
  const upper = Math.floor(value / 1e6);
  magnitude.multiplyAdd(POWERS_OF_TEN[digits - 6]!, upper);
  magnitude.multiplyAdd(1e6, value - upper * 1e6);
}

/** As text, as the server prints it: for more than 38 digits. */
export function appendDecimalText(
  builder: ColumnBuilder,
  precision: number,
  scale: number,
  b: Uint8Array,
  start: number,
): Outcome {
  builder.reserve();
  const first = builder.makeRoom(precision + 3);
  const length = writeDecimal(builder.bytes, first, precision, scale, b, start);
  if (length < 0) return Outcome.malformed;
  builder.endBytes(length);
  return Outcome.done;
}

/** Writes at most `precision + 3` bytes at `first` of `target`, and says how many; −1: it is none. */
export function writeDecimal(
  target: Uint8Array,
  first: number,
  precision: number,
  scale: number,
  b: Uint8Array,
  start: number,
): number {
  groups.start(b, start);
  let at = first;
  if (groups.negative) target[at++] = MINUS;
  const whole = at;
  for (let left = precision - scale; left > 0;) {
    const digits = left % GROUP_DIGITS || GROUP_DIGITS;
    if (!groups.read(digits)) return -1;
    left -= digits;
    // Zeros in front are left out.
    let divisor = POWERS_OF_TEN[digits - 1]!;
    for (let i = 0; i < digits; i++, divisor /= 10) {
      const digit = Math.floor(groups.value / divisor) % 10;
      if (at > whole || digit > 0) target[at++] = ZERO + digit;
    }
  }
  if (at === whole) target[at++] = ZERO;
  if (scale > 0) target[at++] = POINT;
  for (let left = scale; left > 0;) {
    const digits = Math.min(left, GROUP_DIGITS);
    if (!groups.read(digits)) return -1;
    left -= digits;
    let divisor = POWERS_OF_TEN[digits - 1]!;
    for (let i = 0; i < digits; i++, divisor /= 10) target[at++] = ZERO + (Math.floor(groups.value / divisor) % 10);
  }
  return at - first;
}
