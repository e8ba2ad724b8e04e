import type { ColumnSet, FileSchema } from "../file-schema.ts";
import type { ColumnChunk } from "./column-chunk.ts";
import { columnEncodings, type ColumnEncodings } from "./column-encoding.ts";
import { nanLeaves } from "./nan-leaves.ts";

export interface EncodeOptions {
  readonly compression: "zstd" | "snappy" | "none";
  /** Of a page's cells, before compression: about, since pages end between the pieces in which cells are written. */
  readonly pageBytes: number;
  /** A column's dictionary that becomes larger is given up, and the rest of the cells are written without one. */
  readonly dictionaryPageBytes: number;
}

/** What the cells of a row group say about how to write it. */
export interface RowGroupTraits {
  readonly encodings: ColumnEncodings;
  /** Of these leaves no bounds are kept. */
  readonly nanLeaves: readonly number[];
}

export function rowGroupTraits(
  schema: FileSchema,
  sets: readonly ColumnSet[],
  { dictionaryPageBytes }: EncodeOptions,
): RowGroupTraits {
  return { encodings: columnEncodings(schema, sets, dictionaryPageBytes), nanLeaves: nanLeaves(schema, sets) };
}

/** Rows of one row group, ready to be put into a file. */
export interface EncodedRowGroup {
  readonly rows: number;
  /** The column chunks, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where they are in `bytes`, and what is in them. */
  readonly chunks: readonly ColumnChunk[];
}
