import type { ColumnBuilder } from "../../core/column-builder.ts";
import { epochDays } from "../../decoding/calendar.ts";
import { Outcome, type CellType } from "../../decoding/cell-type.ts";

const TWO_32 = 4_294_967_296;
const INT32_MAX = 0x7fff_ffff;
const INT32_MIN = -0x8000_0000;
const MINUS = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;
const SPACE = 0x20;
const ZERO = 0x30;
const BAD = -1;
const DAY_SECONDS = 86_400;

function digit(b: Uint8Array, at: number): number {
  const value = b[at]! - ZERO;
  return value >= 0 && value <= 9 ? value : NaN;
}

function twoDigits(b: Uint8Array, at: number): number {
  return digit(b, at) * 10 + digit(b, at + 1);
}

function endOfYear(b: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && b[at]! !== MINUS) at++;
  return at - start >= 4 && at - start <= 7 && end - at >= 6 ? at : BAD;
}

/** `YYYY-MM-DD`, the year of four to seven digits ending at `yearEnd`; NaN where it is none. */
function dateDays(b: Uint8Array, start: number, yearEnd: number, beforeChrist: boolean): number {
  let year = 0;
  for (let at = start; at < yearEnd; at++) year = year * 10 + digit(b, at);
  if (!(year >= 1) || b[yearEnd + 3] !== MINUS) return NaN;
  return epochDays(beforeChrist ? 1 - year : year, twoDigits(b, yearEnd + 1), twoDigits(b, yearEnd + 4));
}

/** `HH:MM:SS[.ffffff]` in microseconds; NaN where it is none. The caller bounds the hour. */
function timeMicros(b: Uint8Array, start: number, end: number): number {
  if (end - start < 8 || b[start + 2] !== COLON || b[start + 5] !== COLON) return NaN;
  const hour = twoDigits(b, start);
  const minute = twoDigits(b, start + 3);
  const second = twoDigits(b, start + 6);
  if (!(minute < 60 && second < 60)) return NaN;
  let micros = 0;
  if (end - start > 8) {
    if (b[start + 8] !== POINT || end - start < 10 || end - start > 15) return NaN;
    for (let i = 0; i < 6; i++) micros = micros * 10 + (start + 9 + i < end ? digit(b, start + 9 + i) : 0);
  }
  return ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros;
}

/** 1 for `infinity`, −1 for `-infinity`, else 0. */
function infinitySign(b: Uint8Array, start: number, end: number): number {
  const negative = b[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (b[first] !== 0x69 || end - first !== INFINITY.length) return 0;
  for (let i = 0; i < INFINITY.length; i++) if (b[first + i] !== INFINITY[i]) return 0;
  return negative ? -1 : 1;
}

const INFINITY = new TextEncoder().encode("infinity");

/** Where a trailing ` BC` begins, or `end`. */
function eraStart(b: Uint8Array, start: number, end: number): number {
  return end - start > 3 && b[end - 1] === 0x43 && b[end - 2] === 0x42 && b[end - 3] === SPACE ? end - 3 : end;
}

export function appendTextDate(
  builder: ColumnBuilder,
  type: CellType,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  const infinity = infinitySign(b, start, end);
  let days: number;
  if (infinity !== 0) {
    if (!type.infinity) return Outcome.unrepresentable;
    days = infinity > 0 ? INT32_MAX : INT32_MIN;
  } else {
    const dateEnd = eraStart(b, start, end);
    const yearEnd = endOfYear(b, start, dateEnd);
    if (yearEnd === BAD || yearEnd + 6 !== dateEnd) return Outcome.malformed;
    days = dateDays(b, start, yearEnd, dateEnd !== end);
    if (!(days < INT32_MAX)) return Outcome.malformed;
  }
  builder.reserve();
  builder.int32[builder.row] = days;
  builder.next();
  return Outcome.done;
}

export function appendTextTime(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  const micros = timeMicros(b, start, end);
  if (!(micros <= DAY_SECONDS * 1_000_000)) return Outcome.malformed;
  append64(builder, Math.floor(micros / TWO_32), micros);
  return Outcome.done;
}

/** ISO form; with the offset +00, the session's zone being UTC, where the type has a zone. */
export function appendTextTimestamp(
  builder: ColumnBuilder,
  type: CellType,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  const infinity = infinitySign(b, start, end);
  if (infinity !== 0) {
    if (!type.infinity) return Outcome.unrepresentable;
    append64(builder, infinity > 0 ? INT32_MAX : INT32_MIN, infinity > 0 ? -1 : 0);
    return Outcome.done;
  }
  const zoneEnd = eraStart(b, start, end);
  const timeEnd = type.zone ? zoneEnd - 3 : zoneEnd;
  if (type.zone && (b[timeEnd] !== 0x2b || b[timeEnd + 1] !== ZERO || b[timeEnd + 2] !== ZERO))
    return Outcome.malformed;
  const yearEnd = endOfYear(b, start, timeEnd);
  if (yearEnd === BAD || b[yearEnd + 6] !== SPACE) return Outcome.malformed;
  const days = dateDays(b, start, yearEnd, zoneEnd !== end);
  const micros = timeMicros(b, yearEnd + 7, timeEnd);
  if (!(micros < DAY_SECONDS * 1_000_000) || Number.isNaN(days)) return Outcome.malformed;
  // days × 86,400,000,000 + micros, as 2¹⁶ × upper + lower: every product stays an exact double.
  const seconds = days * DAY_SECONDS;
  const secondsHigh = Math.floor(seconds / 65_536);
  const upper = secondsHigh * 1_000_000;
  const high = Math.floor(upper / 65_536);
  const low = (upper - high * 65_536) * 65_536 + (seconds - secondsHigh * 65_536) * 1_000_000 + micros;
  const carried = Math.floor(low / TWO_32);
  const lowWord = low - carried * TWO_32;
  // Beyond 64 bits, or the last microsecond of them, which stands for infinity.
  if (high + carried > INT32_MAX || (high + carried === INT32_MAX && lowWord === TWO_32 - 1))
    return Outcome.unrepresentable;
  append64(builder, high + carried, lowWord);
  return Outcome.done;
}

function append64(builder: ColumnBuilder, high: number, low: number): void {
  builder.reserve();
  const at = builder.row * 2;
  builder.int32[at] = low;
  builder.int32[at + 1] = high;
  builder.next();
}
