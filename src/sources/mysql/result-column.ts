import type { MillraceError } from "../../core/errors.ts";
import { readUint16 } from "./binlog/fields.ts";
import { WireType } from "./binlog/wire-type.ts";

/** Bytes of a value, by its wire type; of all others a length comes first. */
const BYTES: ReadonlyMap<number, number> = new Map<number, number>([
  [WireType.tiny, 1],
  [WireType.short, 2],
  [WireType.year, 2],
  [WireType.int24, 4],
  [WireType.long, 4],
  [WireType.float, 4],
  [WireType.longlong, 8],
  [WireType.double, 8],
]);
const UNSIGNED_FLAG = 0x20;
const FRACTION_DIGITS_MAX = 6;
/** What is fixed of a definition: character set 2, length 4, type 1, flags 2, decimals 1, nothing 2; before it stands its length. */
const FIXED_BYTES = 12;

/** A column of a result, as its definition has it. */
export interface ResultColumn {
  /** `WireType`. */
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
  return wire === WireType.date || wire === WireType.time || wire === WireType.datetime || wire === WireType.timestamp;
}
