import { WireType } from "./wire-type.ts";

const view = new DataView(new ArrayBuffer(8));

/** Places before the point, and zeros behind it, beyond which MySQL prints an exponent (`DBL_DIG`). */
const PLAIN_PLACES = 15;

/**
 * A double as MySQL prints it in JSON (`my_gcvt` in a field that is always wide enough): its shortest digits, with an
 * exponent where it is tiny or a large integer, and `.0` behind any other integer.
 */
export function jsonDouble(b: Uint8Array, at: number): string {
  for (let i = 0; i < 8; i++) view.setUint8(i, b[at + 7 - i]!);
  const value = view.getFloat64(0);
  if (!Number.isFinite(value)) return "0";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (value === 0) return `${sign}0.0`;
  const [mantissa = "", exponent = ""] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const point = Number(exponent) + 1;
  const plain = point > -PLAIN_PLACES && (point <= PLAIN_PLACES || digits.length > point);
  if (!plain) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]!}${fraction}e${point - 1}`;
  }
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return `${sign}${digits.padEnd(point, "0")}.0`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

const ESCAPED = /["\\\u0000-\u001f]/g;
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** UTF-8 in double quotes: only what JSON demands is escaped. */
export function jsonString(b: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(b.buffer, b.byteOffset + start, end - start).toString("utf8");
  const escaped = text.replace(ESCAPED, (c) => SHORT[c] ?? `\\u00${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `"${escaped}"`;
}

const MICROS = 1n << 24n;

/**
 * A temporal value inside JSON: the number that DATETIME2 and TIME2 have without their offset, with 24 bits for the
 * microseconds, negative as a whole. Null: no temporal type.
 */
export function jsonTemporal(type: number, packed: bigint): string | null {
  const isTime = type === WireType.time;
  if (!isTime && type !== WireType.date && type !== WireType.datetime && type !== WireType.timestamp) return null;
  const signed = BigInt.asIntN(64, packed);
  const size = signed < 0n ? -signed : signed;
  const micros = String(size % MICROS).padStart(6, "0");
  const whole = size / MICROS;
  const clock = Number(whole & 0x1ffffn);
  const two = (n: number): string => String(n).padStart(2, "0");
  const minutes = `${two((clock >> 6) & 0x3f)}:${two(clock & 0x3f)}.${micros}`;
  if (isTime) return `${signed < 0n ? "-" : ""}${two(Number(whole >> 12n) & 0x3ff)}:${minutes}`;
  const date = Number((whole >> 17n) & 0x3f_ffffn);
  const yearMonth = date >> 5;
  const year = String(Math.floor(yearMonth / 13)).padStart(4, "0");
  const day = `${year}-${two(yearMonth % 13)}-${two(date & 0x1f)}`;
  return type === WireType.date ? day : `${day} ${two(clock >> 12)}:${minutes}`;
}
