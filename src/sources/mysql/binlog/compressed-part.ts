import { inflateRawSync, inflateSync } from "node:zlib";
import type { ColumnBuilder } from "../../../core/column-builder.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import type { Broken } from "./fields.ts";
import { appendCharsetText, type TextForm } from "../charset/charset.ts";

/** As large as `max_log_event_size`: no server inflates to more. */
const INFLATED_BYTES_MAX = 1 << 30;

/**
 * The part of an event that MariaDB has compressed (`sql/log_event.cc`, `binlog_buf_uncompress`): one byte with the
 * algorithm in bits 4–6 (0: zlib) and the number of length bytes in the lowest three, the length that it inflates to,
 * big endian, and the data.
 */
export function inflatedPart(b: Uint8Array, start: number, end: number, broken: Broken): Uint8Array {
  const first = b[start] ?? 0;
  const lengthBytes = first & 0x07;
  const dataStart = start + 1 + lengthBytes;
  if (end <= start || (first & 0xf0) !== 0x80 || lengthBytes < 1 || lengthBytes > 4 || dataStart > end)
    throw broken("a compressed part of a kind that is not known");
  let length = 0;
  for (let at = start + 1; at < dataStart; at++) length = length * 256 + b[at]!;
  if (length > INFLATED_BYTES_MAX) throw broken("a compressed part that is too large");
  const inflated = tryInflate(b.subarray(dataStart, end), length);
  if (inflated?.length !== length) throw broken("a compressed part that does not inflate");
  return inflated;
}

/**
 * A value of a COMPRESSED column of MariaDB (`sql/field_comp.cc`): nothing; or one byte and the data, where that is 0
 * the value itself; else bit 7 is set, bit 3 says that zlib's header is left out, and the lowest three bits count the
 * bytes of the length, big endian.
 */
export function appendCompressed(
  builder: ColumnBuilder,
  form: TextForm,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  const first = start === end ? 0 : b[start]!;
  if (first === 0) return appendCharsetText(builder, form, b, Math.min(start + 1, end), end);
  const dataStart = start + 1 + (first & 0x07);
  if ((first & 0xf0) !== 0x80 || dataStart > end) return Outcome.malformed;
  let length = 0;
  for (let at = start + 1; at < dataStart; at++) length = length * 256 + b[at]!;
  if (length > INFLATED_BYTES_MAX) return Outcome.malformed;
  const value = tryInflate(b.subarray(dataStart, end), length, (first & 0x08) !== 0);
  if (value?.length !== length) return Outcome.malformed;
  return appendCharsetText(builder, form, value, 0, length);
}

function tryInflate(data: Uint8Array, length: number, raw: boolean = false): Uint8Array | null {
  try {
    return (raw ? inflateRawSync : inflateSync)(data, { maxOutputLength: Math.max(length, 1) });
  } catch {
    return null;
  }
}
