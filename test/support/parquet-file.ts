import type { ColumnSet, FileSchema } from "../../src/formats/file-schema.ts";
import type { EncodedRowGroup, EncodeOptions, EncoderWork, RowGroup } from "../../src/formats/parquet/encoding.ts";
import { ParquetFile } from "../../src/formats/parquet/file.ts";
import { encodeRowGroup } from "../../src/formats/parquet/row-group.ts";
import { RowGroupStreams } from "../../src/formats/parquet/row-group-streams.ts";

export const ENCODE_OPTIONS: EncodeOptions = { compression: "zstd", pageBytes: 1 << 20, dictionaryPageBytes: 1 << 20 };

export function encoderWork(rowGroup: RowGroup): EncoderWork {
  const streams = new RowGroupStreams(rowGroup);
  return streams.copyTo(new ArrayBuffer(streams.bytes));
}

/** A whole file, each list of sets a row group of it, encoded in this thread. */
export function parquetFile(
  schema: FileSchema,
  rowGroups: readonly (readonly ColumnSet[])[],
  options: EncodeOptions = ENCODE_OPTIONS,
  metadata: ReadonlyMap<string, string> = new Map(),
): Buffer {
  const encoded = rowGroups.map((sets) => encodeRowGroup(encoderWork({ schema, sets, options })));
  return fileOf(schema, encoded, metadata);
}

export function fileOf(
  schema: FileSchema,
  rowGroups: readonly EncodedRowGroup[],
  metadata: ReadonlyMap<string, string> = new Map(),
): Buffer {
  const file = new ParquetFile(schema);
  const parts = [file.begin(), ...rowGroups.flatMap((rowGroup) => file.add(rowGroup))];
  return Buffer.concat([...parts, file.end(metadata)]);
}
