import { ArrowStream } from "../../src/formats/arrow/stream.ts";
import type { ColumnSet, FileSchema } from "../../src/formats/file-schema.ts";
import { ParquetFile } from "../../src/formats/parquet/file.ts";
import { type EncodeOptions, rowGroupTraits } from "../../src/formats/parquet/encoding.ts";
import { encodeRowGroup } from "../../src/formats/parquet/row-group.ts";

export const ENCODE_OPTIONS: EncodeOptions = { compression: "zstd", pageBytes: 1 << 20, dictionaryPageBytes: 1 << 20 };

/** A whole file, each list of sets a row group of it, encoded in this thread. */
export function parquetFile(
  schema: FileSchema,
  rowGroups: readonly (readonly ColumnSet[])[],
  options: EncodeOptions = ENCODE_OPTIONS,
  metadata: ReadonlyMap<string, string> = new Map(),
): Buffer {
  const file = new ParquetFile(schema);
  const parts = [file.begin()];
  for (const sets of rowGroups) {
    const traits = rowGroupTraits(schema, sets, options);
    parts.push(file.add(encodeRowGroup(new ArrowStream(schema, sets).copy(), traits, options)));
  }
  parts.push(file.end(metadata));
  return Buffer.concat(parts);
}
