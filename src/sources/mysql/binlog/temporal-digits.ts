import type { ColumnBuilder } from "../../../core/column-builder.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import { POWERS_OF_TEN } from "../../../decoding/decimal128.ts";

const ZERO = 0x30;
const DASH = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;
const SPACE = 0x20;
/** `-838:59:59.000000` is 17, `0000-00-00 00:00:00.000000` 26. */
const TEXT_BYTES = 26;

/** Writes so many digits and says where they end. */
function write(target: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10);
    target[i] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return at + digits;
}

function writeDate(target: Uint8Array, start: number, year: number, month: number, day: number): number {
  let at = write(target, start, year, 4);
  target[at++] = DASH;
  at = write(target, at, month, 2);
  target[at++] = DASH;
  return write(target, at, day, 2);
}

/** `HH:MM:SS` and the fraction; hours as many digits as they have, at least two. */
function writeClock(target: Uint8Array, start: number, seconds: number, digits: number, micros: number): number {
  const minutes = Math.floor(seconds / 60);
  const hour = Math.floor(minutes / 60);
  let at = write(target, start, hour, hour > 99 ? 3 : 2);
  target[at++] = COLON;
  at = write(target, at, minutes - hour * 60, 2);
  target[at++] = COLON;
  at = write(target, at, seconds - minutes * 60, 2);
  if (digits === 0) return at;
  target[at++] = POINT;
  return write(target, at, Math.floor(micros / POWERS_OF_TEN[6 - digits]!), digits);
}

/** As the server prints a DATE, one that is none too. Nothing of this allocates. */
export function appendDateText(builder: ColumnBuilder, year: number, month: number, day: number): Outcome {
  builder.reserve();
  const start = builder.makeRoom(TEXT_BYTES);
  builder.endBytes(writeDate(builder.bytes, start, year, month, day) - start);
  return Outcome.done;
}

/** `digits`: of the fraction. `seconds`: of the day. */
export function appendDatetimeText(
  builder: ColumnBuilder,
  year: number,
  month: number,
  day: number,
  seconds: number,
  digits: number,
  micros: number,
): Outcome {
  builder.reserve();
  const start = builder.makeRoom(TEXT_BYTES);
  const target = builder.bytes;
  let at = writeDate(target, start, year, month, day);
  target[at++] = SPACE;
  at = writeClock(target, at, seconds, digits, micros);
  builder.endBytes(at - start);
  return Outcome.done;
}

export function appendTimeText(
  builder: ColumnBuilder,
  negative: boolean,
  seconds: number,
  digits: number,
  micros: number,
): Outcome {
  builder.reserve();
  const start = builder.makeRoom(TEXT_BYTES);
  let at = start;
  if (negative) builder.bytes[at++] = DASH;
  at = writeClock(builder.bytes, at, seconds, digits, micros);
  builder.endBytes(at - start);
  return Outcome.done;
}
