import { MillraceError } from "../../core/errors.ts";
import type { FileSchema } from "../file-schema.ts";
import { type ColumnChunk, firstPage, readChunk, writeChunk } from "./column-chunk.ts";
import { type Leaf, writeSchema } from "./schema-elements.ts";
import { ThriftReader } from "./thrift-reader.ts";
import { ThriftType } from "./thrift-type.ts";
import { ThriftWriter } from "./thrift-writer.ts";

/** Begins a file and ends it. */
export const MAGIC: Uint8Array = Uint8Array.of(0x50, 0x41, 0x52, 0x31);
/** Behind the footer: its length and the magic. */
export const TAIL_BYTES = 8;
/** Readers look who wrote a file, for known defects, and want it in this form. */
const CREATED_BY = "millrace version 0.1.0";
/** `FileMetaData.version`; 2 would say no more. */
const VERSION = 1;
/** It has 16 bits, and need not be there. */
const ORDINAL_MAX = 0x7fff;

/** `RowGroup` of parquet.thrift, less what can be had from its chunks. */
export interface RowGroupPart {
  readonly rows: number;
  readonly chunks: readonly ColumnChunk[];
}

function broken(what: string): MillraceError {
  return new MillraceError("PARQUET_ENCODE_FAILED", `the encoder's file is not understood: ${what}`);
}

/**
 * The one row group of a whole file. Offsets are those in the file; every chunk lies between the magic and the footer, and
 * begins where the one before it ends.
 */
export function readRowGroup(file: Uint8Array): RowGroupPart {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < MAGIC.length + TAIL_BYTES) throw broken(`it has ${file.length} bytes`);
  const end = file.length - TAIL_BYTES;
  const start = end - view.getUint32(end, true);
  if (start < MAGIC.length) throw broken("its footer is longer than itself");
  const rowGroups: RowGroupPart[] = [];
  const reader = new ThriftReader(file.subarray(start, end));
  reader.struct(ThriftType.struct, {
    4: (type) => reader.list(type, (element) => rowGroups.push(readPart(reader, element))),
  });
  const [rowGroup] = rowGroups;
  if (rowGroup === undefined || rowGroups.length > 1) throw broken(`it has ${rowGroups.length} row groups`);
  checkLayout(rowGroup, start);
  return rowGroup;
}

function readPart(reader: ThriftReader, type: number): RowGroupPart {
  const chunks: ColumnChunk[] = [];
  let rows = -1;
  reader.struct(type, {
    1: (type) => reader.list(type, (element) => chunks.push(readChunk(reader, element))),
    3: (type) => (rows = reader.int(type)),
  });
  return { rows, chunks };
}

function checkLayout({ rows, chunks }: RowGroupPart, footer: number): void {
  let at = MAGIC.length;
  for (const [i, chunk] of chunks.entries()) {
    const { physical, codec, values, compressedBytes, uncompressedBytes, dataPageOffset } = chunk;
    if (Math.min(physical, codec, values, uncompressedBytes) < 0) throw broken(`column ${i} is not described`);
    if (firstPage(chunk) !== at || compressedBytes < 0 || dataPageOffset < at || dataPageOffset > at + compressedBytes)
      throw broken(`column ${i} does not begin where the one before it ends`);
    at += compressedBytes;
  }
  if (rows < 0 || at > footer) throw broken("its columns reach into its footer");
}

/** `RowGroup`, for a row group whose bytes begin at `start` and which is the file's `ordinal`th. */
export function rowGroupBytes(
  { rows, chunks }: RowGroupPart,
  leaves: readonly Leaf[],
  start: number,
  ordinal: number,
): Uint8Array {
  const writer = new ThriftWriter();
  const sum = (bytes: (chunk: ColumnChunk) => number): number =>
    chunks.reduce((total, chunk) => total + bytes(chunk), 0);
  writer.struct(() => {
    writer.listField(1, ThriftType.struct, [...chunks.entries()], ([i, chunk]) =>
      writer.struct(() => writeChunk(writer, chunk, leaves[i]!, start)),
    );
    writer.long(
      2,
      sum((chunk) => chunk.uncompressedBytes),
    );
    writer.long(3, rows);
    writer.long(5, start);
    writer.long(
      6,
      sum((chunk) => chunk.compressedBytes),
    );
    writer.short(7, ordinal > ORDINAL_MAX ? null : ordinal);
  });
  return writer.finish();
}

export interface FooterParts {
  readonly schema: FileSchema;
  readonly rows: number;
  /** Of `rowGroupBytes`, in order. */
  readonly rowGroups: readonly Uint8Array[];
  readonly leaves: number;
  readonly metadata: ReadonlyMap<string, string>;
}

/** `FileMetaData`. */
export function footerBytes({ schema, rows, rowGroups, leaves, metadata }: FooterParts): Uint8Array {
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.int(1, VERSION);
    writeSchema(writer, 2, schema);
    writer.long(3, rows);
    writer.listField(4, ThriftType.struct, rowGroups, (bytes) => writer.raw(bytes));
    writer.listField(5, ThriftType.struct, [...metadata], ([key, value]) =>
      writer.struct(() => {
        writer.text(1, key);
        writer.text(2, value);
      }),
    );
    writer.text(6, CREATED_BY);
    // Of every leaf `TYPE_ORDER`: without it the bounds in the statistics count for nothing.
    writer.listField(7, ThriftType.struct, Array.from({ length: leaves }), () =>
      writer.struct(() => writer.structField(1, () => undefined)),
    );
  });
  return writer.finish();
}
