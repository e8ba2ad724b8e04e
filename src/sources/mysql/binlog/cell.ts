import type { ColumnBuilder } from "../../../core/column-builder.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import { Magnitude } from "../../../decoding/decimal128.ts";
import { appendBinlogDecimal, appendDecimalText } from "./decimal.ts";
import { readUint16, readUint32 } from "./fields.ts";
import { binaryJsonText } from "./json.ts";
import {
  appendBinlogDate,
  appendBinlogDatetime,
  appendBinlogTime,
  appendBinlogTimestamp,
  appendOldDatetime,
  appendOldTime,
  appendOldTimestamp,
} from "./temporal.ts";
import { appendCharsetText, appendString, type TextForm } from "../charset/charset.ts";
import { appendCompressed } from "./compressed-part.ts";
import { appendInet, appendMariadbUuid } from "./mariadb-address.ts";

/** One small integer per way of decoding: what the hot loop switches on. */
export const CellForm = {
  bool: 0,
  int16: 1,
  int32: 2,
  int64: 3,
  bigint: 4,
  bigintUnsigned: 5,
  float32: 6,
  float64: 7,
  decimal: 8,
  decimalText: 9,
  bit: 10,
  year: 11,
  date: 12,
  time: 13,
  datetime: 14,
  timestamp: 15,
  text: 16,
  bytes: 17,
  padded: 18,
  enum: 19,
  set: 20,
  json: 21,
  uuid: 22,
  inet: 23,
  oldTime: 24,
  oldDatetime: 25,
  oldTimestamp: 26,
  compressed: 27,
} as const;
export type CellForm = (typeof CellForm)[keyof typeof CellForm];

/** How the values of one column become cells: resolved once, from the table map and the schema (`cell-plan.ts`). */
export interface CellPlan {
  readonly form: CellForm;
  /** Of an integer: its bytes. */
  readonly width: number;
  readonly unsigned: boolean;
  readonly precision: number;
  /** Of a decimal; of a time, the digits of its fraction. */
  readonly scale: number;
  /** Of a decimal: `decimalGroups`. */
  readonly groups: Uint8Array;
  /** A temporal value goes into text. */
  readonly asText: boolean;
  /** Of BINARY: the bytes that every value has. */
  readonly length: number;
  readonly textForm: TextForm;
  /** Of ENUM and SET, in UTF-8. */
  readonly members: readonly Uint8Array[];
}

const NO_TEXT = new Uint8Array(0);
const COMMA = 0x2c;
const magnitude = new Magnitude();

/**
 * Appends the value at `[start, end)`, which is as long as its column's type says (`RowImages` sees to that). Hot: once
 * a cell of the log.
 */
export function appendBinlogCell(
  builder: ColumnBuilder,
  plan: CellPlan,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  switch (plan.form) {
    case CellForm.int64:
    case CellForm.int32:
    case CellForm.int16:
      return appendInt(builder, plan, b, start);
    case CellForm.bigint:
      return append64(builder, readUint32(b, start + 4), readUint32(b, start));
    case CellForm.text:
      return appendCharsetText(builder, plan.textForm, b, start, end);
    case CellForm.decimal:
      return appendBinlogDecimal(builder, plan.precision, plan.groups, b, start);
    case CellForm.datetime:
      return appendBinlogDatetime(builder, plan.asText, plan.scale, b, start);
    case CellForm.timestamp:
      return appendBinlogTimestamp(builder, plan.asText, plan.scale, b, start);
    case CellForm.date:
      return appendBinlogDate(builder, plan.asText, b, start);
    case CellForm.time:
      return appendBinlogTime(builder, plan.asText, plan.scale, b, start);
    case CellForm.float64:
      return append64(builder, readUint32(b, start + 4), readUint32(b, start));
    case CellForm.float32:
      builder.reserve();
      builder.int32[builder.row] = readUint32(b, start);
      builder.next();
      return Outcome.done;
    case CellForm.bool:
      // tinyint(1) holds any number of a byte, and no boolean says which.
      if (b[start]! > 1) return Outcome.unrepresentable;
      builder.appendBool(b[start] === 1);
      return Outcome.done;
    case CellForm.bytes:
      builder.appendBytes(b, start, end);
      return Outcome.done;
    default:
      return appendRarer(builder, plan, b, start, end);
  }
}

function appendRarer(builder: ColumnBuilder, plan: CellPlan, b: Uint8Array, start: number, end: number): Outcome {
  switch (plan.form) {
    case CellForm.bit:
      builder.appendBool((b[start]! & 1) === 1);
      return Outcome.done;
    case CellForm.year:
      builder.reserve();
      builder.int16[builder.row] = b[start] === 0 ? 0 : 1900 + b[start]!;
      builder.next();
      return Outcome.done;
    case CellForm.bigintUnsigned:
      return appendUnsigned(builder, readUint32(b, start + 4), readUint32(b, start));
    case CellForm.padded:
      return appendPadded(builder, plan.length, b, start, end);
    case CellForm.enum:
      return appendMember(builder, plan, b, start);
    case CellForm.set:
      return appendMembers(builder, plan, b, start);
    case CellForm.json: {
      const text = binaryJsonText(b, start, end);
      if (text === null) return Outcome.malformed;
      appendString(builder, text);
      return Outcome.done;
    }
    case CellForm.decimalText:
      return appendDecimalText(builder, plan.precision, plan.scale, b, start);
    case CellForm.uuid:
      return appendMariadbUuid(builder, b, start, end);
    case CellForm.inet:
      return appendInet(builder, plan.length, b, start, end);
    case CellForm.oldTime:
      return appendOldTime(builder, plan.asText, b, start);
    case CellForm.oldDatetime:
      return appendOldDatetime(builder, plan.asText, b, start);
    case CellForm.oldTimestamp:
      return appendOldTimestamp(builder, plan.asText, b, start);
    case CellForm.compressed:
      return appendCompressed(builder, plan.textForm, b, start, end);
    default:
      return Outcome.malformed;
  }
}

/** Up to four bytes, into an integer of at least as many bits. */
function readInt(b: Uint8Array, at: number, width: number, unsigned: boolean): number {
  switch (width) {
    case 1:
      return unsigned ? b[at]! : (b[at]! << 24) >> 24;
    case 2:
      return unsigned ? readUint16(b, at) : (readUint16(b, at) << 16) >> 16;
    case 3: {
      const value = readUint16(b, at) | (b[at + 2]! << 16);
      return unsigned ? value : (value << 8) >> 8;
    }
    default:
      return unsigned ? readUint32(b, at) : readUint32(b, at) | 0;
  }
}

function appendInt(builder: ColumnBuilder, plan: CellPlan, b: Uint8Array, start: number): Outcome {
  const value = readInt(b, start, plan.width, plan.unsigned);
  if (plan.form === CellForm.int64) return append64(builder, value < 0 ? -1 : 0, value);
  builder.reserve();
  if (plan.form === CellForm.int32) builder.int32[builder.row] = value;
  else builder.int16[builder.row] = value;
  builder.next();
  return Outcome.done;
}

function append64(builder: ColumnBuilder, high: number, low: number): Outcome {
  builder.reserve();
  const at = builder.row * 2;
  builder.int32[at] = low;
  builder.int32[at + 1] = high;
  builder.next();
  return Outcome.done;
}

function appendUnsigned(builder: ColumnBuilder, high: number, low: number): Outcome {
  magnitude.reset();
  magnitude.multiplyAdd(1, high);
  magnitude.multiplyAdd(65_536, 0);
  magnitude.multiplyAdd(65_536, low);
  magnitude.append(builder, false);
  return Outcome.done;
}

/** BINARY(n): the log leaves out the zeros at the end. */
function appendPadded(builder: ColumnBuilder, length: number, b: Uint8Array, start: number, end: number): Outcome {
  if (end - start > length) return Outcome.malformed;
  builder.reserve();
  const at = builder.makeRoom(length);
  const target = builder.bytes;
  for (let i = 0; i < length; i++) target[at + i] = start + i < end ? b[start + i]! : 0;
  builder.endBytes(length);
  return Outcome.done;
}

/** ENUM: the member's number from 1; 0 is the empty text that stands for what was none. */
function appendMember(builder: ColumnBuilder, plan: CellPlan, b: Uint8Array, start: number): Outcome {
  const index = plan.width === 1 ? b[start]! : readUint16(b, start);
  const member = index === 0 ? NO_TEXT : plan.members[index - 1];
  if (member === undefined) return Outcome.malformed;
  builder.appendBytes(member, 0, member.length);
  return Outcome.done;
}

/** SET: a bit a member, lowest first; as text they are joined by commas. */
function appendMembers(builder: ColumnBuilder, plan: CellPlan, b: Uint8Array, start: number): Outcome {
  const { members, width } = plan;
  let bytes = 0;
  for (let i = 0; i < width * 8; i++)
    if (((b[start + (i >> 3)]! >> (i & 7)) & 1) === 1) {
      const member = members[i];
      if (member === undefined) return Outcome.malformed;
      bytes += member.length + 1;
    }
  builder.reserve();
  const first = builder.makeRoom(bytes);
  let at = first;
  for (let i = 0; i < members.length; i++)
    if (((b[start + (i >> 3)]! >> (i & 7)) & 1) === 1) {
      if (at > first) builder.bytes[at++] = COMMA;
      builder.bytes.set(members[i]!, at);
      at += members[i]!.length;
    }
  builder.endBytes(at - first);
  return Outcome.done;
}
