import type { MillraceError } from "../../core/errors.ts";
import { readUint16 } from "./binlog/fields.ts";

/** How a column's values come in the binary protocol (`enum_field_types`): those that are read in a way of their own. */
export const Wire = {
  decimal: 246,
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  timestamp: 7,
  longlong: 8,
  int24: 9,
  date: 10,
  time: 11,
  datetime: 12,
  year: 13,
} as const;

/** Bytes of a value, by its wire type; of all others a length comes first. */
const BYTES: ReadonlyMap<number, number> = new Map<number, number>([
  [Wire.tiny, 1],
  [Wire.short, 2],
  [Wire.year, 2],
  [Wire.int24, 4],
  [Wire.long, 4],
  [Wire.float, 4],
  [Wire.longlong, 8],
  [Wire.double, 8],
]);
const UNSIGNED_FLAG = 0x20;
const FRACTION_DIGITS_MAX = 6;
/** What is fixed of a definition: character set 2, length 4, type 1, flags 2, decimals 1, nothing 2; before it stands its length. */
const FIXED_BYTES = 12;

/** A column of a result, as its definition has it. */
export interface ResultColumn {
  readonly wire: number;
  /** Of each value; 0: a length comes first. */
  readonly bytes: number;
  readonly unsigned: boolean;
  /** Of the fraction of a second that the server prints. */
  readonly digits: number;
}

/**
 * A definition's packet (MySQL *Client/Server Protocol*, `Protocol::ColumnDefinition41`), read from its end: before that come
 * names, and on MariaDB what mysql2 has it tell of its own types.
 */
export function readResultColumn(
  b: Uint8Array,
  start: number,
  end: number,
  broken: (what: string) => MillraceError,
): ResultColumn {
  const at = end - FIXED_BYTES;
  if (at <= start || b[at - 1] !== FIXED_BYTES) throw broken("a definition that is none");
  const wire = b[at + 6]!;
  const decimals = b[at + 9]!;
  return {
    wire,
    bytes: BYTES.get(wire) ?? 0,
    unsigned: (readUint16(b, at + 7) & UNSIGNED_FLAG) !== 0,
    digits: decimals <= FRACTION_DIGITS_MAX ? decimals : FRACTION_DIGITS_MAX,
  };
}

export function isTemporal(wire: number): boolean {
  return wire === Wire.date || wire === Wire.time || wire === Wire.datetime || wire === Wire.timestamp;
}
