import type { ColumnBuilder } from "../../core/column-builder.ts";
import { epochDays } from "../../decoding/calendar.ts";
import { Outcome } from "../../decoding/cell-type.ts";

const TWO_32 = 4_294_967_296;
const MINUS = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;
const SPACE = 0x20;
const ZERO = 0x30;
const DAY_SECONDS = 86_400;
const DATE_BYTES = 10;
const CLOCK_BYTES = 8;

function digit(b: Uint8Array, at: number): number {
  const value = b[at]! - ZERO;
  return value >= 0 && value <= 9 ? value : NaN;
}

function twoDigits(b: Uint8Array, at: number): number {
  return digit(b, at) * 10 + digit(b, at + 1);
}

/** What `YYYY-MM-DD` at `at` is in days; NaN where there is no such day (zero and partial dates, and the year 0); −Infinity: no date. */
function dateDays(b: Uint8Array, at: number): number {
  const year = twoDigits(b, at) * 100 + twoDigits(b, at + 2);
  const month = twoDigits(b, at + 5);
  const day = twoDigits(b, at + 8);
  if (Number.isNaN(year + month + day) || b[at + 4] !== MINUS || b[at + 7] !== MINUS) return -Infinity;
  return year === 0 ? NaN : epochDays(year, month, day);
}

/** `HH:MM:SS` at `at` and `.f…` up to `end`, in microseconds; NaN where it is none. The caller bounds the hour. */
function clockMicros(b: Uint8Array, at: number, end: number): number {
  if (end - at < CLOCK_BYTES || b[at + 2] !== COLON || b[at + 5] !== COLON) return NaN;
  const minute = twoDigits(b, at + 3);
  const second = twoDigits(b, at + 6);
  if (!(minute < 60 && second < 60)) return NaN;
  const seconds = (twoDigits(b, at) * 60 + minute) * 60 + second;
  if (end - at === CLOCK_BYTES) return seconds * 1_000_000;
  const first = at + CLOCK_BYTES + 1;
  if (b[first - 1] !== POINT || end === first || end - first > 6) return NaN;
  let fraction = 0;
  for (let i = 0; i < 6; i++) fraction = fraction * 10 + (first + i < end ? digit(b, first + i) : 0);
  return seconds * 1_000_000 + fraction;
}

/** DATE as the server prints it: `2024-02-29`. */
export function appendTextDate(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  const days = end - start === DATE_BYTES ? dateDays(b, start) : -Infinity;
  if (days === -Infinity) return Outcome.malformed;
  if (Number.isNaN(days)) return Outcome.unrepresentable;
  builder.reserve();
  builder.int32[builder.row] = days;
  builder.next();
  return Outcome.done;
}

/** TIME: `-838:59:59.000000` to `838:59:59.000000`, of which a time of day is a small part. */
export function appendTextTime(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  const negative = b[start] === MINUS;
  const first = negative ? start + 1 : start;
  // A third digit of the hour.
  const long = b[first + 3] === COLON ? 1 : 0;
  const micros = clockMicros(b, first + long, end);
  const hundreds = long === 0 ? 0 : digit(b, first);
  if (Number.isNaN(micros + hundreds)) return Outcome.malformed;
  if (hundreds > 0 || (negative && micros > 0) || micros > DAY_SECONDS * 1_000_000) return Outcome.unrepresentable;
  append64(builder, Math.floor(micros / TWO_32), micros);
  return Outcome.done;
}

/** DATETIME, and TIMESTAMP in a session at UTC: `2024-02-29 23:59:59.999999`. */
export function appendTextTimestamp(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  if (end - start < DATE_BYTES + 1 + CLOCK_BYTES || b[start + DATE_BYTES] !== SPACE) return Outcome.malformed;
  const days = dateDays(b, start);
  const micros = clockMicros(b, start + DATE_BYTES + 1, end);
  if (days === -Infinity || !(micros < DAY_SECONDS * 1_000_000)) return Outcome.malformed;
  if (Number.isNaN(days)) return Outcome.unrepresentable;
  // days × 86,400,000,000 + micros, as 2¹⁶ × upper + lower: every product stays an exact double.
  const seconds = days * DAY_SECONDS;
  const secondsHigh = Math.floor(seconds / 65_536);
  const upper = secondsHigh * 1_000_000;
  const high = Math.floor(upper / 65_536);
  const low = (upper - high * 65_536) * 65_536 + (seconds - secondsHigh * 65_536) * 1_000_000 + micros;
  const carried = Math.floor(low / TWO_32);
  append64(builder, high + carried, low - carried * TWO_32);
  return Outcome.done;
}

function append64(builder: ColumnBuilder, high: number, low: number): void {
  builder.reserve();
  const at = builder.row * 2;
  builder.int32[at] = low;
  builder.int32[at + 1] = high;
  builder.next();
}
