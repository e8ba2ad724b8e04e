import type { ColumnBuilder } from "../core/column-builder.ts";
import { Outcome, type CellType } from "./cell-type.ts";
import { appendSmallDecimal, Magnitude, POWERS_OF_TEN } from "./decimal128.ts";
import { parseFloat32 } from "./float-text.ts";

const TWO_32 = 4_294_967_296;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_E = 0x65;
/** Decimal digits that a double holds exactly, whatever they are. */
const DOUBLE_DIGITS = 15;
/** So many digits times 32 bits are still an exact double. */
const GROUP_DIGITS = 6;
const NOT_A_NUMBER = -1;

/** The digits `[start, end)`, at most 15 of them, or −1. */
function digits(b: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = b[at]! - ZERO;
    if (digit < 0 || digit > 9) return NOT_A_NUMBER;
    value = value * 10 + digit;
  }
  return value;
}

export function appendTextInt(
  builder: ColumnBuilder,
  bits: 16 | 32,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  const negative = b[start] === MINUS;
  const first = negative ? start + 1 : start;
  const value = digits(b, first, end);
  const max = bits === 16 ? 0x7fff : 0x7fff_ffff;
  if (end <= first || end - first > 10 || value < 0 || value > (negative ? max + 1 : max)) return Outcome.malformed;
  builder.reserve();
  if (bits === 16) builder.int16[builder.row] = negative ? -value : value;
  else builder.int32[builder.row] = negative ? -value : value;
  builder.next();
  return Outcome.done;
}

export function appendTextInt64(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  const negative = b[start] === MINUS;
  const first = negative ? start + 1 : start;
  const count = end - first;
  if (count < 1 || count > 19) return Outcome.malformed;
  let low: number;
  let high: number;
  if (count <= DOUBLE_DIGITS) {
    low = digits(b, first, end);
    if (low < 0) return Outcome.malformed;
    high = Math.floor(low / TWO_32);
    low -= high * TWO_32;
  } else {
    // upper × 10⁹ + lower, the product in two parts of 16 and 18 bits times 10⁹.
    const upper = digits(b, first, end - 9);
    const lower = digits(b, end - 9, end);
    if (upper < 0 || lower < 0) return Outcome.malformed;
    const upperHigh = Math.floor(upper / 65_536);
    const product = upperHigh * 1e9;
    const carried = Math.floor(product / 65_536);
    low = (product - carried * 65_536) * 65_536 + (upper - upperHigh * 65_536) * 1e9 + lower;
    high = carried + Math.floor(low / TWO_32);
    low -= Math.floor(low / TWO_32) * TWO_32;
    if (high >= TWO_32 / 2 && !(negative && high === TWO_32 / 2 && low === 0)) return Outcome.malformed;
  }
  builder.reserve();
  const at = builder.row * 2;
  builder.int32[at] = negative ? -low : low;
  builder.int32[at + 1] = negative ? (low === 0 ? -high : ~high) : high;
  builder.next();
  return Outcome.done;
}

const magnitude = new Magnitude();

/** `numeric_out` of a column with this scale: always so many digits after the point. */
export function appendTextDecimal(
  builder: ColumnBuilder,
  type: CellType,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  const negative = b[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (b[first]! > NINE && isNonFinite(b, start, end)) return Outcome.unrepresentable;
  const { scale } = type;
  const wholeEnd = scale === 0 ? end : end - scale - 1;
  if (wholeEnd <= first || (scale > 0 && b[wholeEnd] !== POINT)) return Outcome.malformed;
  // A lone zero before the point is no digit of the precision.
  const whole = wholeEnd - first === 1 && b[first] === ZERO ? 0 : wholeEnd - first;
  if (whole + scale > type.precision) return Outcome.malformed;
  if (whole + scale <= DOUBLE_DIGITS) {
    const upper = digits(b, first, wholeEnd);
    const lower = digits(b, end - scale, end);
    if (upper < 0 || lower < 0) return Outcome.malformed;
    const value = upper * POWERS_OF_TEN[scale]! + lower;
    appendSmallDecimal(builder, negative ? -value : value);
    return Outcome.done;
  }
  magnitude.reset();
  if (!addGroups(b, first, wholeEnd) || !addGroups(b, end - scale, end)) return Outcome.malformed;
  magnitude.append(builder, negative);
  return Outcome.done;
}

function addGroups(b: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += GROUP_DIGITS) {
    const groupEnd = Math.min(at + GROUP_DIGITS, end);
    const group = digits(b, at, groupEnd);
    if (group < 0) return false;
    magnitude.multiplyAdd(POWERS_OF_TEN[groupEnd - at]!, group);
  }
  return true;
}

const INFINITY = new TextEncoder().encode("Infinity");

function isWord(word: Uint8Array, b: Uint8Array, start: number, end: number): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (b[start + i] !== word[i]) return false;
  return true;
}

function isNaNWord(b: Uint8Array, start: number, end: number): boolean {
  return end - start === 3 && b[start] === 0x4e && b[start + 1] === 0x61 && b[start + 2] === 0x4e;
}

function isNonFinite(b: Uint8Array, start: number, end: number): boolean {
  return isNaNWord(b, start, end) || isWord(INFINITY, b, b[start] === MINUS ? start + 1 : start, end);
}

export function appendTextFloat(
  builder: ColumnBuilder,
  bits: 32 | 64,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  const value = floatValue(bits, b, start, end);
  if (Number.isNaN(value) && !isNaNWord(b, start, end)) return Outcome.malformed;
  builder.reserve();
  if (bits === 64) builder.float64[builder.row] = value;
  else builder.float32[builder.row] = value;
  builder.next();
  return Outcome.done;
}

/** NaN also where there is no number. */
function floatValue(bits: 32 | 64, b: Uint8Array, start: number, end: number): number {
  const last = b[end - 1]!;
  if (end > start && last >= ZERO && last <= NINE) {
    if (bits === 64) return parseFloat64(b, start, end);
    return isFloatText(b, start, end) ? parseFloat32(text(b, start, end)) : NaN;
  }
  const negative = b[start] === MINUS;
  if (!isWord(INFINITY, b, negative ? start + 1 : start, end)) return NaN;
  return negative ? -Infinity : Infinity;
}

/** The nearest double: by arithmetic where that is exact (at most 15 digits, no exponent), else by the engine's parser. */
function parseFloat64(b: Uint8Array, start: number, end: number): number {
  const negative = b[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (end - first <= DOUBLE_DIGITS + 1) {
    let value = 0;
    let point = end;
    let at = first;
    for (; at < end; at++) {
      const digit = b[at]! - ZERO;
      if (digit >= 0 && digit <= 9) value = value * 10 + digit;
      else if (b[at] === POINT && point === end && at > first) point = at + 1;
      else break;
    }
    if (at === end && end > first && (point < end || end - first <= DOUBLE_DIGITS)) {
      if (point < end) value /= POWERS_OF_TEN[end - point]!;
      return negative ? -value : value;
    }
  }
  return isFloatText(b, start, end) ? Number(text(b, start, end)) : NaN;
}

/** Whether only characters of a decimal number stand there: `Number` takes more than that. */
function isFloatText(b: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const c = b[at]!;
    if ((c < ZERO || c > NINE) && c !== POINT && c !== MINUS && c !== PLUS && c !== LETTER_E) return false;
  }
  return end - start <= SCRATCH_BYTES;
}

/** Longer than the server ever prints a float. */
const SCRATCH_BYTES = 64;
const scratch = Buffer.alloc(SCRATCH_BYTES);

function text(b: Uint8Array, start: number, end: number): string {
  for (let i = 0; i < end - start; i++) scratch[i] = b[start + i]!;
  return scratch.toString("latin1", 0, end - start);
}
