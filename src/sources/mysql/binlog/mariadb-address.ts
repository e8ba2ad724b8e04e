import type { ColumnBuilder } from "../../../core/column-builder.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import { appendString } from "../charset/charset.ts";

const UUID_BYTES = 16;

/** MariaDB's UUID: a BINARY(16), in the order that it is written, zeros at its end left out. */
export function appendMariadbUuid(builder: ColumnBuilder, b: Uint8Array, start: number, end: number): Outcome {
  const length = end - start;
  if (length > UUID_BYTES) return Outcome.malformed;
  builder.reserve();
  const target = builder.row * UUID_BYTES;
  for (let i = 0; i < UUID_BYTES; i++) builder.bytes[target + i] = i < length ? b[start + i]! : 0;
  builder.next();
  return Outcome.done;
}

/** MariaDB's INET4 and INET6: an address of 4 or 16 bytes, zeros at its end left out, as the server prints it. */
export function appendInet(builder: ColumnBuilder, length: number, b: Uint8Array, start: number, end: number): Outcome {
  if (end - start > length) return Outcome.malformed;
  const bytes = Array.from({ length }, (_, i) => (start + i < end ? b[start + i]! : 0));
  appendString(builder, length === 4 ? bytes.join(".") : inet6Text(bytes));
  return Outcome.done;
}

/**
 * As `inet_ntop`: the longest run of zero groups, be it one, becomes `::`; the last four bytes in dots where only they
 * are there.
 */
function inet6Text(bytes: readonly number[]): string {
  const words = Array.from({ length: 8 }, (_, i) => bytes[2 * i]! * 256 + bytes[2 * i + 1]!);
  let [gap, gapLength] = [-1, 0];
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && words[i + length] === 0) length++;
    if (length > gapLength) [gap, gapLength] = [i, length];
  }
  const dotted = gap === 0 && (gapLength === 6 || (gapLength === 5 && words[5] === 0xffff));
  let text = "";
  for (let i = 0; i < (dotted ? 6 : 8); i++) {
    if (i === gap) {
      text += "::";
      i += gapLength - 1;
    } else text += `${text === "" || text.endsWith(":") ? "" : ":"}${words[i]!.toString(16)}`;
  }
  return dotted ? `${text}${text.endsWith(":") ? "" : ":"}${bytes.slice(12).join(".")}` : text;
}
