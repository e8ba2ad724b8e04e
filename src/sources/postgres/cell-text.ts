import { bit, cellBytes, type Column } from "../../core/column.ts";
import { assertNever } from "../../core/errors.ts";
import { floatText } from "../../decoding/float-text.ts";

const DAY_MICROS = 86_400_000_000n;
const INT32_MAX = 0x7fff_ffff;
const INT32_MIN = -0x8000_0000;
const INT64_MAX = 0x7fff_ffff_ffff_ffffn;
const INT64_MIN = -0x8000_0000_0000_0000n;

/**
 * A cell as PostgreSQL prints it (ISO dates, UTC, hex bytea, shortest floats), for literals of statements: chunk bounds
 * and selects by key. Not for null or absent cells, and not for hot loops.
 */
export function cellText(column: Column, row: number): string {
  const { type } = column;
  if (type.kind === "bool") return bit(column.values, row) ? "t" : "f";
  const bytes = cellBytes(column, row);
  const cell = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type.kind) {
    case "int":
      if (type.bits === 64) return cell.getBigInt64(0, true).toString();
      return String(type.bits === 32 ? cell.getInt32(0, true) : cell.getInt16(0, true));
    case "float":
      return floatText(type.bits === 64 ? cell.getFloat64(0, true) : cell.getFloat32(0, true), type.bits);
    case "decimal":
      return decimalText((cell.getBigInt64(8, true) << 64n) | cell.getBigUint64(0, true), type.scale);
    case "text":
    case "json":
      return Buffer.from(bytes).toString("utf8");
    case "bytes":
      return `\\x${Buffer.from(bytes).toString("hex")}`;
    case "uuid":
      return Buffer.from(bytes)
        .toString("hex")
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    case "date":
      return dateText(cell.getInt32(0, true));
    case "time":
      return timeText(cell.getBigInt64(0, true));
    case "timestamp":
      return timestampText(cell.getBigInt64(0, true), type.zone ? "+00" : "");
    default:
      return assertNever(type);
  }
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const text = scale === 0 ? whole : `${whole}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

/** The parts of a date around what a timestamp puts between them; years before 1 count backwards, with an era. */
function dateParts(days: number): { readonly date: string; readonly era: string } {
  // Civil date of a day number, in eras of 400 years that begin on March 1st (Howard Hinnant, `civil_from_days`).
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
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0);
  const shown = String(year > 0 ? year : 1 - year).padStart(4, "0");
  return { date: `${shown}-${twoDigits(month)}-${twoDigits(day)}`, era: year > 0 ? "" : " BC" };
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

function dateText(days: number): string {
  if (days === INT32_MAX) return "infinity";
  if (days === INT32_MIN) return "-infinity";
  const { date, era } = dateParts(days);
  return date + era;
}

function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const fraction = (micros % 1_000_000n).toString().padStart(6, "0").replace(/0+$/, "");
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(twoDigits).join(":");
  return fraction === "" ? clock : `${clock}.${fraction}`;
}

function timestampText(micros: bigint, offset: string): string {
  if (micros === INT64_MAX) return "infinity";
  if (micros === INT64_MIN) return "-infinity";
  const timeOfDay = ((micros % DAY_MICROS) + DAY_MICROS) % DAY_MICROS;
  const { date, era } = dateParts(Number((micros - timeOfDay) / DAY_MICROS));
  return `${date} ${timeText(timeOfDay)}${offset}${era}`;
}
