import type { ColumnBuilder } from "../../core/column-builder.ts";
import { CellCode, Outcome, type CellType } from "../../decoding/cell-type.ts";
import { appendTextDate, appendTextTime, appendTextTimestamp } from "./text-date-time.ts";
import { appendTextDecimal, appendTextFloat, appendTextInt, appendTextInt64 } from "../../decoding/text-number.ts";
import { appendTextUuid, HEX_DIGITS, NOT_HEX } from "../../decoding/text-uuid.ts";

/**
 * Appends one value in PostgreSQL's text form, as its type's output function prints it in a session with our settings
 * (ISO dates, UTC, hex bytea, shortest floats). Anything else is malformed, never a guess. Hot: once a cell of the log.
 */
export function appendText(builder: ColumnBuilder, type: CellType, b: Uint8Array, start: number, end: number): Outcome {
  switch (type.code) {
    case CellCode.int64:
      return appendTextInt64(builder, b, start, end);
    case CellCode.int32:
      return appendTextInt(builder, 32, b, start, end);
    case CellCode.text:
      builder.appendBytes(b, start, end);
      return Outcome.done;
    case CellCode.decimal:
      return appendTextDecimal(builder, type, b, start, end);
    case CellCode.timestamp:
      return appendTextTimestamp(builder, type, b, start, end);
    case CellCode.float64:
      return appendTextFloat(builder, 64, b, start, end);
    case CellCode.bool:
      if (end - start !== 1 || (b[start] !== 0x74 && b[start] !== 0x66)) return Outcome.malformed;
      builder.appendBool(b[start] === 0x74);
      return Outcome.done;
    case CellCode.date:
      return appendTextDate(builder, type, b, start, end);
    case CellCode.time:
      return appendTextTime(builder, b, start, end);
    case CellCode.uuid:
      return appendTextUuid(builder, b, start, end);
    case CellCode.bytes:
      return appendTextBytes(builder, b, start, end);
    case CellCode.int16:
      return appendTextInt(builder, 16, b, start, end);
    case CellCode.float32:
      return appendTextFloat(builder, 32, b, start, end);
  }
}

/** `\x` and two hex digits a byte. */
function appendTextBytes(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  const length = (end - start - 2) / 2;
  if (length < 0 || !Number.isInteger(length) || b[start] !== 0x5c || b[start + 1] !== 0x78) return Outcome.malformed;
  builder.reserve();
  const target = builder.makeRoom(length);
  const bytes = builder.bytes;
  for (let i = 0, at = start + 2; i < length; i++, at += 2) {
    const high = HEX_DIGITS[b[at]!]!;
    const low = HEX_DIGITS[b[at + 1]!]!;
    if (high === NOT_HEX || low === NOT_HEX) return Outcome.malformed;
    bytes[target + i] = (high << 4) | low;
  }
  builder.endBytes(length);
  return Outcome.done;
}
