import type { ColumnSet, FileSchema } from "../file-schema.ts";
import type { ColumnChunk } from "./column-chunk.ts";
import type { ColumnEncoding } from "./column-encoding.ts";

export interface EncodeOptions {
  readonly compression: "zstd" | "snappy" | "none";
  /** Of a page's cells, before compression: about, since pages end between the pieces in which cells are written. */
  readonly pageBytes: number;
  /** A column's dictionary that becomes larger is given up, and the rest of the cells are written without one. */
  readonly dictionaryPageBytes: number;
}

/** Rows of a file, at least one. */
export interface RowGroup {
  readonly schema: FileSchema;
  readonly sets: readonly ColumnSet[];
  readonly options: EncodeOptions;
}

/** A row group as it goes to a worker: each leaf is a stream of its own in `buffer`, which has nothing else. */
export interface EncoderWork {
  readonly rows: number;
  readonly buffer: ArrayBuffer;
  readonly leaves: readonly LeafWork[];
  readonly options: EncodeOptions;
}

/** A leaf as an `ArrowStream` of one column. */
export interface LeafWork {
  /** For errors. */
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly encoding: ColumnEncoding;
  readonly hasNaN: boolean;
}

/** Rows of one row group, ready to be put into a file. */
export interface EncodedRowGroup {
  readonly rows: number;
  /** The column chunks, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Those of columns with cells too large for the encoder, behind `bytes`, in pieces that lie in the caller's memory. */
  readonly wide: readonly Uint8Array[];
  /** Where they are, and what is in them, in the order of the schema's leaves. */
  readonly chunks: readonly ColumnChunk[];
}
