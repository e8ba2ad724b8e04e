import type { ColumnBuilder } from "../core/column-builder.ts";
import { Outcome } from "./cell-type.ts";

export const NOT_HEX = 255;
/** What a hex digit means, by its character's code; `NOT_HEX`: it is none. */
export const HEX_DIGITS: Uint8Array = new Uint8Array(256).fill(NOT_HEX);
for (let i = 0; i < 16; i++) {
  const lower = i.toString(16);
  HEX_DIGITS[lower.charCodeAt(0)] = HEX_DIGITS[lower.toUpperCase().charCodeAt(0)] = i;
}
const DASH = 0x2d;
/** Where the sixteen bytes of a uuid stand in its text. */
const UUID_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** `123e4567-e89b-12d3-a456-426614174000`, in digits of either case. Hot. */
export function appendTextUuid(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  if (end - start !== 36) return Outcome.malformed;
  for (let i = 8; i <= 23; i += 5) if (b[start + i] !== DASH) return Outcome.malformed;
  builder.reserve();
  const target = builder.row * 16;
  for (let i = 0; i < 16; i++) {
    const at = start + UUID_AT[i]!;
    const high = HEX_DIGITS[b[at]!]!;
    const low = HEX_DIGITS[b[at + 1]!]!;
    if (high === NOT_HEX || low === NOT_HEX) return Outcome.malformed;
    builder.bytes[target + i] = (high << 4) | low;
  }
  builder.next();
  return Outcome.done;
}
