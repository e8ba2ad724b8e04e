import type { ColumnBuilder } from "../../../core/column-builder.ts";
import { epochDays } from "../../../decoding/calendar.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import { readUint32 } from "./fields.ts";
import { appendDatetimeText, appendDateText, appendTimeText } from "./temporal-digits.ts";

const TWO_32 = 4_294_967_296;
const DAY_SECONDS = 86_400;
/** The packed values carry 2²³ (TIME) or 2³⁹ (DATETIME) more than they mean, so that bytes sort as values do. */
const TIME_OFFSET = 0x80_0000;
/** Of a DATETIME in its first byte; there are none below zero. */
const DATETIME_SIGN = 0x80;

/** Bytes of a fraction of so many digits. */
function fractionBytes(digits: number): number {
  return (digits + 1) >> 1;
}

function bigEndian(b: Uint8Array, at: number, bytes: number): number {
  let value = 0;
  for (let i = at; i < at + bytes; i++) value = value * 256 + b[i]!;
  return value;
}

/** Microseconds of a fraction that fills one, two or three bytes: hundredths, ten-thousandths or millionths. */
function fractionMicros(fraction: number, bytes: number): number {
  return bytes === 1 ? fraction * 10_000 : bytes === 2 ? fraction * 100 : fraction;
}

/** So many seconds in microseconds, and a fraction, are an exact double. */
const EXACT_SECONDS = 9_000_000_000;

/** Ends a timestamp cell: seconds since 1970 × 10⁶ + micros. */
function appendMicros(builder: ColumnBuilder, seconds: number, micros: number): void {
  if (seconds < EXACT_SECONDS && seconds > -EXACT_SECONDS) {
    const value = seconds * 1_000_000 + micros;
    const high = Math.floor(value / TWO_32);
    return append64(builder, high, value - high * TWO_32);
  }
  // As 2¹⁶ × upper + lower: every product stays an exact double.
  const secondsHigh = Math.floor(seconds / 65_536);
  const upper = secondsHigh * 1_000_000;
  const high = Math.floor(upper / 65_536);
  const low = (upper - high * 65_536) * 65_536 + (seconds - secondsHigh * 65_536) * 1_000_000 + micros;
  const carried = Math.floor(low / TWO_32);
  append64(builder, high + carried, low - carried * TWO_32);
}

function append64(builder: ColumnBuilder, high: number, low: number): void {
  builder.reserve();
  const at = builder.row * 2;
  builder.int32[at] = low;
  builder.int32[at + 1] = high;
  builder.next();
}

/** DATE: day in five bits, month in four, year above. `text`: as the server prints it, whatever it is. */
export function appendBinlogDate(builder: ColumnBuilder, text: boolean, b: Uint8Array, at: number): Outcome {
  const packed = b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16);
  return appendDate(builder, text, packed >> 9, (packed >> 5) & 0x0f, packed & 0x1f);
}

/** `text`: as the server prints it, whatever it is; else a day, where there is such a one. */
export function appendDate(builder: ColumnBuilder, text: boolean, year: number, month: number, day: number): Outcome {
  if (text) return appendDateText(builder, year, month, day);
  const days = year === 0 ? NaN : epochDays(year, month, day);
  if (Number.isNaN(days)) return Outcome.unrepresentable;
  builder.reserve();
  builder.int32[builder.row] = days;
  builder.next();
  return Outcome.done;
}

/** DATETIME(digits): year × 13 + month in 17 bits, day 5, hour 5, minute 6, second 6, and the fraction; big endian. */
export function appendBinlogDatetime(
  builder: ColumnBuilder,
  text: boolean,
  digits: number,
  b: Uint8Array,
  at: number,
): Outcome {
  const bytes = fractionBytes(digits);
  const micros = bytes === 0 ? 0 : fractionMicros(bigEndian(b, at + 5, bytes), bytes);
  if ((b[at]! & DATETIME_SIGN) === 0 || micros > 999_999) return Outcome.malformed;
  const lower = (b[at + 1]! << 24) | (b[at + 2]! << 16) | (b[at + 3]! << 8) | b[at + 4]!;
  const date = ((b[at]! & ~DATETIME_SIGN) << 15) | (lower >>> 17);
  const clock = lower & 0x1_ffff;
  const hour = clock >> 12;
  const minute = (clock >> 6) & 0x3f;
  const second = clock & 0x3f;
  if (hour > 23 || minute > 59 || second > 59) return Outcome.malformed;
  return appendDatetime(builder, text, digits, date, (hour * 60 + minute) * 60 + second, micros);
}

/**
 * `date`: year × 13 + month, and the day in the lowest five bits; `seconds`: of the day; `digits`: of the fraction that the server
 * prints. `text` as for `appendDate`.
 */
export function appendDatetime(
  builder: ColumnBuilder,
  text: boolean,
  digits: number,
  date: number,
  seconds: number,
  micros: number,
): Outcome {
  if (text) {
    const yearMonth = date >> 5;
    return appendDatetimeText(
      builder,
      Math.floor(yearMonth / 13),
      yearMonth % 13,
      date & 0x1f,
      seconds,
      digits,
      micros,
    );
  }
  const days = packedDays(date);
  if (Number.isNaN(days)) return Outcome.unrepresentable;
  appendMicros(builder, days * DAY_SECONDS + seconds, micros);
  return Outcome.done;
}

/** What was asked last: neighbouring rows are often of the same day. */
let lastDate = 0;
let lastDays = NaN;

/** NaN where there is no such day. */
function packedDays(date: number): number {
  if (date === lastDate) return lastDays;
  lastDate = date;
  const yearMonth = date >> 5;
  const year = Math.floor(yearMonth / 13);
  return (lastDays = year === 0 ? NaN : epochDays(year, yearMonth % 13, date & 0x1f));
}

/**
 * TIMESTAMP(digits): seconds since 1970, unsigned (MariaDB counts to 2106), and the fraction; big endian. Zero is no
 * time.
 */
export function appendBinlogTimestamp(
  builder: ColumnBuilder,
  text: boolean,
  digits: number,
  b: Uint8Array,
  at: number,
): Outcome {
  const bytes = fractionBytes(digits);
  const micros = fractionMicros(bigEndian(b, at + 4, bytes), bytes);
  if (micros > 999_999) return Outcome.malformed;
  return appendUnixTime(builder, text, bigEndian(b, at, 4), digits, micros);
}

/** TIMESTAMP from before MySQL 5.6, without a fraction: little endian. */
export function appendOldTimestamp(builder: ColumnBuilder, text: boolean, b: Uint8Array, at: number): Outcome {
  return appendUnixTime(builder, text, readUint32(b, at), 0, 0);
}

function appendUnixTime(
  builder: ColumnBuilder,
  text: boolean,
  seconds: number,
  digits: number,
  micros: number,
): Outcome {
  const isZero = seconds === 0 && micros === 0;
  if (!text) {
    if (isZero) return Outcome.unrepresentable;
    appendMicros(builder, seconds, micros);
    return Outcome.done;
  }
  if (isZero) return appendDatetimeText(builder, 0, 0, 0, 0, digits, 0);
  const days = Math.floor(seconds / DAY_SECONDS);
  // The day's date in the calendar: years begin in March, so that the leap day is their last.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return appendDatetimeText(builder, year, month, day, seconds - days * DAY_SECONDS, digits, micros);
}

/**
 * TIME(digits): hours in ten bits, minutes and seconds in six each, and the fraction, all one number whose sign
 * borrows.
 */
export function appendBinlogTime(
  builder: ColumnBuilder,
  text: boolean,
  digits: number,
  b: Uint8Array,
  at: number,
): Outcome {
  const bytes = fractionBytes(digits);
  const unit = 256 ** bytes;
  const packed = bigEndian(b, at, 3 + bytes) - TIME_OFFSET * unit;
  const negative = packed < 0;
  const size = Math.abs(packed);
  const whole = Math.floor(size / unit);
  const micros = fractionMicros(size - whole * unit, bytes);
  const hour = (whole >> 12) & 0x3ff;
  const minute = (whole >> 6) & 0x3f;
  const second = whole & 0x3f;
  if (minute > 59 || second > 59 || micros > 999_999) return Outcome.malformed;
  const seconds = (hour * 60 + minute) * 60 + second;
  return appendClock(builder, text, negative, seconds, digits, micros);
}

/** TIME from before MySQL 5.6: HHMMSS as a number of three bytes, little endian. */
export function appendOldTime(builder: ColumnBuilder, text: boolean, b: Uint8Array, at: number): Outcome {
  const signed = ((b[at]! << 8) | (b[at + 1]! << 16) | (b[at + 2]! << 24)) >> 8;
  const size = Math.abs(signed);
  const [minute, second] = [Math.floor(size / 100) % 100, size % 100];
  if (minute > 59 || second > 59) return Outcome.malformed;
  return appendClock(builder, text, signed < 0, (Math.floor(size / 10_000) * 60 + minute) * 60 + second, 0, 0);
}

/** A TIME; `digits` and `text` as for `appendDatetime`, and else a time of day. */
export function appendClock(
  builder: ColumnBuilder,
  text: boolean,
  negative: boolean,
  seconds: number,
  digits: number,
  micros: number,
): Outcome {
  if (text) return appendTimeText(builder, negative, seconds, digits, micros);
  if (negative || seconds + micros / 1e6 > DAY_SECONDS) return Outcome.unrepresentable;
  const value = seconds * 1_000_000 + micros;
  append64(builder, Math.floor(value / TWO_32), value);
  return Outcome.done;
}

/** DATETIME from before MySQL 5.6: YYYYMMDDHHMMSS as a number of eight bytes, little endian. */
export function appendOldDatetime(builder: ColumnBuilder, text: boolean, b: Uint8Array, at: number): Outcome {
  const packed = readUint32(b, at) + readUint32(b, at + 4) * TWO_32;
  const date = Math.floor(packed / 1e6);
  const clock = packed - date * 1e6;
  const year = Math.floor(date / 10_000);
  const [month, day] = [Math.floor(date / 100) % 100, date % 100];
  const [hour, minute, second] = [Math.floor(clock / 10_000), Math.floor(clock / 100) % 100, clock % 100];
  if (year > 9999 || month > 12 || day > 31 || hour > 23 || minute > 59 || second > 59) return Outcome.malformed;
  const seconds = (hour * 60 + minute) * 60 + second;
  if (text) return appendDatetimeText(builder, year, month, day, seconds, 0, 0);
  const days = year === 0 ? NaN : epochDays(year, month, day);
  if (Number.isNaN(days)) return Outcome.unrepresentable;
  appendMicros(builder, days * DAY_SECONDS + seconds, 0);
  return Outcome.done;
}
