import {
  Compression,
  EnabledStatistics,
  Encoding,
  Table,
  wasmMemory,
  writeParquet,
  WriterPropertiesBuilder,
  type WriterProperties,
} from "parquet-wasm";
import { MillraceError } from "../../core/errors.ts";
import { type ColumnChunk, unbounded } from "./column-chunk.ts";
import type { ColumnEncodings } from "./column-encoding.ts";
import type { EncodedRowGroup, EncodeOptions, RowGroupTraits } from "./encoding.ts";
import { MAGIC, readRowGroup } from "./footer.ts";

/** All rows in one. */
const ROWS_MAX = 2 ** 31 - 1;

const COMPRESSION: Readonly<Record<EncodeOptions["compression"], Compression>> = {
  zstd: Compression.ZSTD,
  snappy: Compression.SNAPPY,
  none: Compression.UNCOMPRESSED,
};

/**
 * Makes one row group of an `ArrowStream`. parquet-wasm makes a whole file of it, of which the column chunks are taken and
 * the footer is read: a file of any length is put together of such row groups while only one of them is in memory.
 *
 * The encoder's memory never shrinks. It grows to three times a row group of many cells (the stream, its cells, and what
 * becomes of them; measured: 46 MB of 16, 175 MB of 64), and to nine times a single cell of 64 MB, whose page, compressed
 * page and bounds are each a copy that doubles as it grows (580 MB). So callers bound their row groups by bytes, and
 * `encoderBytes` says when to begin with a new instance. After a `BrokenEncoder` there must be one.
 */
export function encodeRowGroup(stream: Uint8Array, traits: RowGroupTraits, options: EncodeOptions): EncodedRowGroup {
  const file = encoded(() => {
    const table = Table.fromIPCStream(stream);
    // Takes both over, and frees them whether it succeeds or not.
    return writeParquet(table, writerProperties(traits.encodings, options));
  });
  const { rows, chunks } = readRowGroup(file);
  const end = chunks.reduce((at, { compressedBytes }) => at + compressedBytes, MAGIC.length);
  return {
    rows,
    bytes: (file as Uint8Array<ArrayBuffer>).subarray(MAGIC.length, end),
    chunks: chunks.map((chunk, leaf) => asKept(chunk, traits.nanLeaves.includes(leaf))),
  };
}

/** What the encoder takes of this process's memory. */
export function encoderBytes(): number {
  const { buffer } = wasmMemory() as { readonly buffer: ArrayBuffer };
  return buffer.byteLength;
}

/** The encoder has ended in the middle of its work, and its memory is in no state to go on with. */
export class BrokenEncoder extends MillraceError {}

function encoded(encode: () => Uint8Array): Uint8Array {
  try {
    return encode();
  } catch (error) {
    const { name, message } = error as Error;
    const what = `a row group could not be made into Parquet: ${message}`;
    // A panic of Rust's, for want of memory too, is an instruction that traps; everything else is an `Error`.
    if (name === "RuntimeError") throw new BrokenEncoder("PARQUET_ENCODE_FAILED", what, { cause: error });
    throw new MillraceError("PARQUET_ENCODE_FAILED", what, { cause: error });
  }
}

/** Each call of the builder takes it over and gives back another. */
function writerProperties(encodings: ColumnEncodings, options: EncodeOptions): WriterProperties {
  let builder = new WriterPropertiesBuilder()
    .setCompression(COMPRESSION[options.compression])
    .setDataPageSizeLimit(options.pageBytes)
    .setDictionaryPageSizeLimit(options.dictionaryPageBytes)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(ROWS_MAX)
    .setDictionaryEnabled(encodings.nested === "dictionary");
  for (const [i, encoding] of encodings.columns.entries()) {
    builder = builder.setColumnDictionaryEnabled(String(i), encoding === "dictionary");
    if (encoding === "delta") builder = builder.setColumnEncoding(String(i), Encoding.DELTA_BINARY_PACKED);
  }
  return builder.build();
}

function asKept(chunk: ColumnChunk, isUnbounded: boolean): ColumnChunk {
  const { dataPageOffset, dictionaryPageOffset, statistics } = chunk;
  return {
    ...chunk,
    dataPageOffset: dataPageOffset - MAGIC.length,
    dictionaryPageOffset: dictionaryPageOffset === null ? null : dictionaryPageOffset - MAGIC.length,
    statistics: isUnbounded && statistics !== null ? unbounded(statistics) : statistics,
  };
}
