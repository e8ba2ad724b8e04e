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
import { type ColumnChunk, firstPage, unbounded } from "./column-chunk.ts";
import type { ColumnEncoding } from "./column-encoding.ts";
import type { EncodedRowGroup, EncodeOptions, EncoderWork, LeafWork } from "./encoding.ts";
import { readRowGroup } from "./footer.ts";

/** All rows in one. */
const ROWS_MAX = 2 ** 31 - 1;

const COMPRESSION: Readonly<Record<EncodeOptions["compression"], Compression>> = {
  zstd: Compression.ZSTD,
  snappy: Compression.SNAPPY,
  none: Compression.UNCOMPRESSED,
};

/** The chunk with the offsets of the file that it is in. */
interface EncodedLeaf {
  readonly file: Uint8Array;
  readonly chunk: ColumnChunk;
}

/**
 * Makes one row group, leaf by leaf. parquet-wasm makes a whole file of a stream, of which the column chunk is taken and the
 * footer is read: a file of any length is put together of such row groups while only one of them is in memory.
 *
 * The encoder's memory never shrinks. It grows to three times the largest leaf (its stream, its cells, and what becomes of
 * them; measured: 46 MB for 16), and to nine times a single cell of 64 MB, whose page, compressed page and bounds are each a
 * copy that doubles as it grows (580 MB). So callers bound their row groups by bytes, and `encoderBytes` says when to begin
 * with a new instance. After a `BrokenEncoder` there must be one.
 */
export function encodeRowGroup({ rows, buffer, leaves, options }: EncoderWork): EncodedRowGroup {
  const encoded = leaves.map((leaf) => {
    const file = encodedLeaf(new Uint8Array(buffer, leaf.start, leaf.end - leaf.start), leaf, options);
    const read = readRowGroup(file);
    if (read.rows !== rows || read.chunks.length !== 1)
      throw new MillraceError(
        "INTERNAL",
        `of column ${leaf.path} of ${rows} rows the encoder made ${read.chunks.length} of ${read.rows}`,
      );
    return { file, chunk: read.chunks[0]! };
  });
  return { rows, wide: [], ...joined(encoded, leaves) };
}

function joined(
  encoded: readonly EncodedLeaf[],
  leaves: readonly LeafWork[],
): Pick<EncodedRowGroup, "bytes" | "chunks"> {
  const bytes = new Uint8Array(encoded.reduce((sum, { chunk }) => sum + chunk.compressedBytes, 0));
  const chunks: ColumnChunk[] = [];
  let at = 0;
  for (const [i, { file, chunk }] of encoded.entries()) {
    const first = firstPage(chunk);
    bytes.set(file.subarray(first, first + chunk.compressedBytes), at);
    chunks.push(asKept(chunk, at - first, leaves[i]!.hasNaN));
    at += chunk.compressedBytes;
  }
  return { bytes, chunks };
}

function asKept(chunk: ColumnChunk, moved: number, isUnbounded: boolean): ColumnChunk {
  const { dataPageOffset, dictionaryPageOffset, statistics } = chunk;
  return {
    ...chunk,
    dataPageOffset: dataPageOffset + moved,
    dictionaryPageOffset: dictionaryPageOffset === null ? null : dictionaryPageOffset + moved,
    statistics: isUnbounded && statistics !== null ? unbounded(statistics) : statistics,
  };
}

/** What the encoder takes of this process's memory. */
export function encoderBytes(): number {
  const { buffer } = wasmMemory() as { readonly buffer: ArrayBuffer };
  return buffer.byteLength;
}

/** The encoder has ended in the middle of its work, and its memory is in no state to go on with. */
export class BrokenEncoder extends MillraceError {}

function encodedLeaf(stream: Uint8Array, { path, encoding }: LeafWork, options: EncodeOptions): Uint8Array {
  try {
    const table = Table.fromIPCStream(stream);
    // Takes both over, and frees them whether it succeeds or not.
    return writeParquet(table, writerProperties(encoding, options));
  } catch (error) {
    const { name, message } = error as Error;
    const what = `the cells of column ${path} could not be made into Parquet: ${message}`;
    // A panic of Rust's, for want of memory too, is an instruction that traps; everything else is an `Error`.
    if (name === "RuntimeError") throw new BrokenEncoder("PARQUET_ENCODE_FAILED", what, { cause: error });
    throw new MillraceError("PARQUET_ENCODE_FAILED", what, { cause: error });
  }
}

/** Each call of the builder takes it over and gives back another. */
function writerProperties(encoding: ColumnEncoding, options: EncodeOptions): WriterProperties {
  const builder = new WriterPropertiesBuilder()
    .setCompression(COMPRESSION[options.compression])
    .setDataPageSizeLimit(options.pageBytes)
    .setDictionaryPageSizeLimit(options.dictionaryPageBytes)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(ROWS_MAX)
    .setDictionaryEnabled(encoding === "dictionary");
  return (encoding === "delta" ? builder.setEncoding(Encoding.DELTA_BINARY_PACKED) : builder).build();
}
