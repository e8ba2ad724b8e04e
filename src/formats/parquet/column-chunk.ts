import type { Leaf } from "./schema-elements.ts";
import type { ThriftReader } from "./thrift-reader.ts";
import { ThriftType } from "./thrift-type.ts";
import type { ThriftWriter } from "./thrift-writer.ts";

/**
 * What a footer says of one column's cells in one row group: `ColumnMetaData` of parquet.thrift, less what we leave out
 * (page indexes, bloom filters, histograms of sizes). Offsets count from where the row group's bytes begin.
 */
export interface ColumnChunk {
  readonly physical: number;
  readonly encodings: readonly number[];
  readonly codec: number;
  /** Nulls too. */
  readonly values: number;
  readonly uncompressedBytes: number;
  readonly compressedBytes: number;
  readonly dataPageOffset: number;
  readonly dictionaryPageOffset: number | null;
  readonly statistics: ChunkStatistics | null;
  readonly pageEncodings: readonly PageEncoding[];
}

/** `Statistics`, without the fields of old whose order was that of signed bytes whatever the type. */
export interface ChunkStatistics {
  readonly nulls: number | null;
  /** Plain encoded; null where there is none, as of nulls alone. */
  readonly max: Uint8Array | null;
  readonly min: Uint8Array | null;
  /** false: cut off, so that it only bounds the values. */
  readonly isMaxExact: boolean | null;
  readonly isMinExact: boolean | null;
}

/** `PageEncodingStats`: how many pages of a type have an encoding. Readers look whether all have a dictionary. */
export interface PageEncoding {
  readonly pageType: number;
  readonly encoding: number;
  readonly pages: number;
}

export function firstPage({ dictionaryPageOffset, dataPageOffset }: ColumnChunk): number {
  return dictionaryPageOffset ?? dataPageOffset;
}

export function unbounded({ nulls }: ChunkStatistics): ChunkStatistics {
  return { nulls, max: null, min: null, isMaxExact: null, isMinExact: null };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** `ColumnChunk` with its `ColumnMetaData`; offsets as they stand there. */
export function readChunk(reader: ThriftReader, type: number): ColumnChunk {
  const chunk: Mutable<ColumnChunk> & { encodings: number[]; pageEncodings: PageEncoding[] } = {
    physical: -1,
    encodings: [],
    codec: -1,
    values: -1,
    uncompressedBytes: -1,
    compressedBytes: -1,
    dataPageOffset: -1,
    dictionaryPageOffset: null,
    statistics: null,
    pageEncodings: [],
  };
  const metadata = {
    1: (type: number) => (chunk.physical = reader.int(type)),
    2: (type: number) => reader.list(type, (element) => chunk.encodings.push(reader.int(element))),
    4: (type: number) => (chunk.codec = reader.int(type)),
    5: (type: number) => (chunk.values = reader.int(type)),
    6: (type: number) => (chunk.uncompressedBytes = reader.int(type)),
    7: (type: number) => (chunk.compressedBytes = reader.int(type)),
    9: (type: number) => (chunk.dataPageOffset = reader.int(type)),
    11: (type: number) => (chunk.dictionaryPageOffset = reader.int(type)),
    12: (type: number) => (chunk.statistics = readStatistics(reader, type)),
    13: (type: number) => reader.list(type, (element) => chunk.pageEncodings.push(readPageEncoding(reader, element))),
  };
  reader.struct(type, { 3: (type) => reader.struct(type, metadata) });
  return chunk;
}

function readStatistics(reader: ThriftReader, type: number): ChunkStatistics {
  const statistics: Mutable<ChunkStatistics> = {
    nulls: null,
    max: null,
    min: null,
    isMaxExact: null,
    isMinExact: null,
  };
  reader.struct(type, {
    3: (type) => (statistics.nulls = reader.int(type)),
    5: (type) => (statistics.max = reader.binary(type)),
    6: (type) => (statistics.min = reader.binary(type)),
    7: (type) => (statistics.isMaxExact = reader.bool(type)),
    8: (type) => (statistics.isMinExact = reader.bool(type)),
  });
  return statistics;
}

function readPageEncoding(reader: ThriftReader, type: number): PageEncoding {
  const read: Mutable<PageEncoding> = { pageType: -1, encoding: -1, pages: -1 };
  reader.struct(type, {
    1: (type) => (read.pageType = reader.int(type)),
    2: (type) => (read.encoding = reader.int(type)),
    3: (type) => (read.pages = reader.int(type)),
  });
  return read;
}

/** Of a row group whose bytes begin at `start` of the file. */
export function writeChunk(writer: ThriftWriter, chunk: ColumnChunk, { path }: Leaf, start: number): void {
  const { dictionaryPageOffset, statistics } = chunk;
  // As the specification asks where the metadata stands in the footer alone.
  writer.long(2, 0);
  writer.structField(3, () => {
    writer.int(1, chunk.physical);
    writer.listField(2, ThriftType.i32, chunk.encodings, (encoding) => writer.intElement(encoding));
    writer.listField(3, ThriftType.binary, path, (name) => writer.textElement(name));
    writer.int(4, chunk.codec);
    writer.long(5, chunk.values);
    writer.long(6, chunk.uncompressedBytes);
    writer.long(7, chunk.compressedBytes);
    writer.long(9, start + chunk.dataPageOffset);
    writer.long(11, dictionaryPageOffset === null ? null : start + dictionaryPageOffset);
    if (statistics !== null) writer.structField(12, () => writeStatistics(writer, statistics));
    writer.listField(13, ThriftType.struct, chunk.pageEncodings, ({ pageType, encoding, pages }) =>
      writer.struct(() => {
        writer.int(1, pageType);
        writer.int(2, encoding);
        writer.int(3, pages);
      }),
    );
  });
}

function writeStatistics(writer: ThriftWriter, { nulls, max, min, isMaxExact, isMinExact }: ChunkStatistics): void {
  writer.long(3, nulls);
  writer.binary(5, max);
  writer.binary(6, min);
  writer.bool(7, isMaxExact);
  writer.bool(8, isMinExact);
}
