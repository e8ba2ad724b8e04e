import { crc32 } from "node:zlib";
import { z } from "zod";
import { snapshotBatch, type ChangeBatch } from "../core/change-batch.ts";
import { bitmapBytes, type Column } from "../core/column.ts";
import { MillraceError } from "../core/errors.ts";
import { fixedWidth, type LogicalType } from "../core/logical-type.ts";
import type { TableSchema } from "../core/table-schema.ts";

/** The version is in it: another one is another file. */
const MAGIC = new TextEncoder().encode("mrbatch1");
const HEADER_LENGTH_AT = 8;
const CRC_AT = 12;
const HEADER_AT = 16;
const SPACE = 0x20;
const PADDING = new Uint8Array(8);

/** Bytes of a column's buffers, as they lie in the file one behind the other; null: the column has no such buffer. */
interface ColumnSizes {
  readonly values: number;
  readonly offsets: number | null;
  readonly validity: number | null;
  readonly absent: number | null;
}

const size = z.int().nonnegative();
const headerSchema = z.object({
  rows: size,
  schema: z.custom<TableSchema>((schema) => typeof schema === "object" && schema !== null && "columns" in schema),
  columns: z.array(
    z.object({ values: size, offsets: size.nullable(), validity: size.nullable(), absent: size.nullable() }),
  ),
});

/**
 * A batch of a snapshot as the bytes of a file, for a process that reads it once: eight bytes that name the form; the length of
 * the header and a CRC-32 of everything else, four bytes each, little endian; the header, JSON with the schema and how many
 * bytes each buffer has, with spaces behind it; then the buffers themselves, column by column, each from a multiple of eight
 * on. So they are read in place. Cells and nothing else of the buffers are in it, and no object is made per row. The pieces
 * are those buffers themselves: nothing is copied, and they must stay as they are until the file is written.
 */
export function encodeBatch(batch: ChangeBatch): readonly Uint8Array[] {
  if (batch.origin !== "snapshot") throw new MillraceError("INTERNAL", "only batches of a snapshot become files");
  const { schema, length, columns } = batch;
  const buffers = columns.map(usedBuffers);
  const sizes = buffers.map(({ values, offsets, validity, absent }): ColumnSizes => {
    return {
      values: values.byteLength,
      offsets: offsets?.byteLength ?? null,
      validity: validity?.byteLength ?? null,
      absent: absent?.byteLength ?? null,
    };
  });
  const header = new TextEncoder().encode(JSON.stringify({ rows: length, schema, columns: sizes }));
  const headerBytes = padded(header.byteLength);
  const head = new Uint8Array(HEADER_AT + headerBytes).fill(SPACE);
  head.set(MAGIC);
  head.set(header, HEADER_AT);
  const view = new DataView(head.buffer);
  view.setUint32(HEADER_LENGTH_AT, headerBytes, true);
  const body: Uint8Array[] = [];
  for (const { values, offsets, validity, absent } of buffers)
    for (const bytes of [values, offsets, validity, absent])
      if (bytes !== null && bytes.byteLength > 0) {
        body.push(bytes);
        const gap = padded(bytes.byteLength) - bytes.byteLength;
        if (gap > 0) body.push(PADDING.subarray(0, gap));
      }
  view.setUint32(
    CRC_AT,
    body.reduce((crc, bytes) => crc32(bytes, crc), checksum(head)),
    true,
  );
  return [head, ...body];
}

function padded(bytes: number): number {
  return (bytes + 7) & ~7;
}

function bodyBytes(sizes: readonly ColumnSizes[]): number {
  let bytes = 0;
  for (const { values, offsets, validity, absent } of sizes)
    bytes += padded(values) + padded(offsets ?? 0) + padded(validity ?? 0) + padded(absent ?? 0);
  return bytes;
}

function checksum(file: Uint8Array): number {
  return crc32(file.subarray(HEADER_AT), crc32(file.subarray(0, CRC_AT)));
}

interface UsedBuffers {
  readonly values: Uint8Array;
  readonly offsets: Uint8Array | null;
  readonly validity: Uint8Array | null;
  readonly absent: Uint8Array | null;
}

/** Buffers are longer than their rows need, those from a pool up to twice. */
function usedBuffers({ type, length, values, offsets, validity, absent }: Column): UsedBuffers {
  const bitmaps = { validity: usedBitmap(validity, length), absent: usedBitmap(absent, length) };
  if (offsets === null) return { values: values.subarray(0, fixedBytes(type, length)), offsets: null, ...bitmaps };
  const [first, end] = [offsets[0] ?? 0, offsets[length] ?? 0];
  const used = first === 0 ? offsets.subarray(0, length + 1) : offsets.slice(0, length + 1).map((at) => at - first);
  return {
    values: values.subarray(first, end),
    offsets: new Uint8Array(used.buffer, used.byteOffset, used.byteLength),
    ...bitmaps,
  };
}

function usedBitmap(bitmap: Uint8Array | null, rows: number): Uint8Array | null {
  if (bitmap === null) return null;
  const bytes = bitmapBytes(rows);
  if (bitmap.byteLength >= bytes) return bitmap.subarray(0, bytes);
  const whole = new Uint8Array(bytes);
  whole.set(bitmap);
  return whole;
}

/** Of the values of a type without offsets. */
function fixedBytes(type: LogicalType, rows: number): number {
  return type.kind === "bool" ? bitmapBytes(rows) : rows * fixedWidth(type);
}

/** What `encodeBatch` has made, with the bytes as its buffers. Fails with `STAGED_CHUNK_UNREADABLE` where they are not whole. */
export function decodeBatch(bytes: Uint8Array): ChangeBatch {
  const file = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  if (file.byteLength < HEADER_AT || MAGIC.some((byte, i) => file[i] !== byte))
    throw damaged("it does not begin as one");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(CRC_AT, true) !== checksum(file)) throw damaged("its checksum does not match");
  const headerEnd = HEADER_AT + view.getUint32(HEADER_LENGTH_AT, true);
  const parsed = headerSchema.safeParse(jsonOrNull(file.subarray(HEADER_AT, headerEnd)));
  if (!parsed.success) throw damaged("its header is not understood");
  const { rows, schema, columns: sizes } = parsed.data;
  if (sizes.length !== schema.columns.length) throw damaged("it has other columns than its schema");
  if (headerEnd + bodyBytes(sizes) !== file.byteLength) throw damaged("it has another length than its header says");
  const cursor = { file, at: headerEnd };
  const columns = sizes.map((of, i) => takeColumn(cursor, schema.columns[i]!.type, rows, of));
  return snapshotBatch(schema, columns, rows);
}

interface Cursor {
  readonly file: Uint8Array;
  at: number;
}

function takeColumn(cursor: Cursor, type: LogicalType, rows: number, sizes: ColumnSizes): Column {
  const hasOffsets = fixedWidth(type) < 0;
  const bitmap = bitmapBytes(rows);
  const fits =
    sizes.offsets === (hasOffsets ? (rows + 1) * 4 : null) &&
    (hasOffsets || sizes.values === fixedBytes(type, rows)) &&
    [null, bitmap].includes(sizes.validity) &&
    [null, bitmap].includes(sizes.absent);
  if (!fits) throw damaged("the buffers of a column are not those of its type");
  const values = take(cursor, sizes.values);
  const offsetBytes = sizes.offsets === null ? null : take(cursor, sizes.offsets);
  const offsets =
    offsetBytes === null
      ? null
      : new Int32Array(offsetBytes.buffer, offsetBytes.byteOffset, offsetBytes.byteLength / 4);
  if (offsets !== null && (offsets[0] !== 0 || offsets[rows] !== sizes.values))
    throw damaged("the offsets of a column do not fit its values");
  const validity = sizes.validity === null ? null : take(cursor, sizes.validity);
  const absent = sizes.absent === null ? null : take(cursor, sizes.absent);
  return { type, length: rows, values, offsets, validity, absent };
}

function take(cursor: Cursor, bytes: number): Uint8Array {
  const taken = cursor.file.subarray(cursor.at, cursor.at + bytes);
  cursor.at += padded(bytes);
  return taken;
}

function jsonOrNull(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function damaged(why: string): MillraceError {
  return new MillraceError("STAGED_CHUNK_UNREADABLE", `a batch that a worker has staged is damaged: ${why}`);
}
