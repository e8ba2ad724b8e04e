import { bit, cellBytes, type Column } from "../../core/column.ts";
import { assertNever } from "../../core/errors.ts";

const DAY_MS = 86_400_000;
const DAY_MICROS = 86_400_000_000n;

/**
 * A cell as a key's bound has it, and as the server would print it but for three things: fractions of seconds without
 * trailing zeros, bytes in hex, floats with every digit that tells them apart. Exact: two values have the same text only
 * where they are equal. Not for null or absent cells, and not for hot loops.
 */
export function cellText(column: Column, row: number): string {
  const { type } = column;
  if (type.kind === "bool") return bit(column.values, row) ? "1" : "0";
  const bytes = cellBytes(column, row);
  const cell = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type.kind) {
    case "int":
      if (type.bits === 64) return cell.getBigInt64(0, true).toString();
      return String(type.bits === 32 ? cell.getInt32(0, true) : cell.getInt16(0, true));
    case "float":
      return floatText(type.bits === 64 ? cell.getFloat64(0, true) : cell.getFloat32(0, true));
    case "decimal":
      return decimalText((cell.getBigInt64(8, true) << 64n) | cell.getBigUint64(0, true), type.scale);
    case "text":
    case "json":
      return Buffer.from(bytes).toString("utf8");
    case "bytes":
      return Buffer.from(bytes).toString("hex");
    case "uuid":
      return Buffer.from(bytes)
        .toString("hex")
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    case "date":
      return dateText(cell.getInt32(0, true));
    case "time":
      return timeText(cell.getBigInt64(0, true));
    case "timestamp":
      return timestampText(cell.getBigInt64(0, true));
    default:
      return assertNever(type);
  }
}

function floatText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const text = scale === 0 ? whole : `${whole}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

/** The servers' years are 0 to 9999, which a `Date` prints as they do. */
function dateText(days: number): string {
  return new Date(days * DAY_MS).toISOString().slice(0, 10);
}

function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const fraction = (micros % 1_000_000n).toString().padStart(6, "0").replace(/0+$/, "");
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const clock = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return fraction === "" ? clock : `${clock}.${fraction}`;
}

function timestampText(micros: bigint): string {
  const timeOfDay = ((micros % DAY_MICROS) + DAY_MICROS) % DAY_MICROS;
  return `${dateText(Number((micros - timeOfDay) / DAY_MICROS))} ${timeText(timeOfDay)}`;
}
