import { bit, type Column } from "../../core/column.ts";
import type { ColumnSet, FileColumn } from "../file-schema.ts";
import type { ColumnChunk } from "./column-chunk.ts";
import type { EncodedRowGroup, RowGroup } from "./encoding.ts";
import { PhysicalType } from "./physical-type.ts";
import { leavesOf } from "./schema-elements.ts";
import { ThriftWriter } from "./thrift-writer.ts";

/** The encoder takes nine times the memory of a large cell (see row-group.ts). One above this is not given to it. */
const ENCODED_CELL_BYTES_MAX = 4 << 20;

/** `PageType`, `Encoding` and `CompressionCodec` of parquet.thrift. */
const DATA_PAGE = 0;
const PLAIN = 0;
const RLE = 3;
const UNCOMPRESSED = 0;

/** A row group's columns that are written by ourselves, and what is left for the encoder. */
interface WideColumns {
  /** Places in the schema, ascending. */
  readonly places: readonly number[];
  readonly narrow: RowGroup;
}

/** Null: no cell is so large, as ever but rarely. Cells within a `row` go to the encoder, whatever their size. */
export function wideColumns(
  { schema, sets, options }: RowGroup,
  cellBytesMax: number = ENCODED_CELL_BYTES_MAX,
): WideColumns | null {
  const isWide = (column: FileColumn, i: number): boolean =>
    isVariable(column) && sets.some((set) => hasWide(set, i, cellBytesMax));
  const places = schema.flatMap((column, i) => (isWide(column, i) ? [i] : []));
  if (places.length === 0 || places.length === schema.length) return null;
  const narrow = <T>(all: readonly T[]): readonly T[] => all.filter((_, i) => !places.includes(i));
  const rest = sets.map(({ length, columns }) => ({ length, columns: narrow(columns) }));
  return { places, narrow: { schema: narrow(schema), sets: rest, options } };
}

function isVariable({ type: { kind } }: FileColumn): boolean {
  return kind === "text" || kind === "json" || kind === "bytes";
}

function hasWide({ length, columns }: ColumnSet, place: number, cellBytesMax: number): boolean {
  const { offsets } = (columns[place] as Column | null) ?? {};
  if (offsets === undefined || offsets === null) return false;
  if (offsets[length]! - offsets[0]! <= cellBytesMax) return false;
  for (let row = 0; row < length; row++) if (offsets[row + 1]! - offsets[row]! > cellBytesMax) return true;
  return false;
}

/**
 * The row group with those columns behind what the encoder has made of the others. Their cells stay where they are: they
 * are plain, uncompressed and without bounds, in pages that end with the first cell that fills them.
 */
export function withWideColumns(
  narrow: EncodedRowGroup,
  places: readonly number[],
  { schema, sets, options: { pageBytes } }: RowGroup,
): EncodedRowGroup {
  const wide: Uint8Array[] = [];
  const ours = new Map<number, ColumnChunk>();
  let end = narrow.bytes.length;
  for (const place of places) {
    const written = wideChunk(schema[place]!, sets, place, pageBytes, end);
    ours.set(place, written.chunk);
    wide.push(...written.pieces);
    end += written.chunk.compressedBytes;
  }
  const theirs = narrow.chunks.values();
  const chunks = schema.flatMap((column, i): readonly ColumnChunk[] => {
    const chunk = ours.get(i);
    return chunk === undefined ? leavesOf([column]).map(() => theirs.next().value!) : [chunk];
  });
  return { ...narrow, wide, chunks };
}

/** A cell, where it is not null. */
type Cell = Uint8Array | null;

function wideChunk(
  column: FileColumn,
  sets: readonly ColumnSet[],
  place: number,
  pageBytes: number,
  start: number,
): { readonly chunk: ColumnChunk; readonly pieces: readonly Uint8Array[] } {
  const cells = sets.flatMap((set) => cellsOf(set, place));
  const pages = pagesOf(cells, pageBytes).map((page) => pageOf(page, column.required));
  const pieces = pages.flat();
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  const chunk: ColumnChunk = {
    physical: PhysicalType.byteArray,
    encodings: [PLAIN, RLE],
    codec: UNCOMPRESSED,
    values: cells.length,
    uncompressedBytes: bytes,
    compressedBytes: bytes,
    dataPageOffset: start,
    dictionaryPageOffset: null,
    statistics: {
      nulls: cells.filter((cell) => cell === null).length,
      max: null,
      min: null,
      isMaxExact: null,
      isMinExact: null,
    },
    pageEncodings: [{ pageType: DATA_PAGE, encoding: PLAIN, pages: pages.length }],
  };
  return { chunk, pieces };
}

function cellsOf({ length, columns }: ColumnSet, place: number): readonly Cell[] {
  const column = columns[place] as Column | null;
  return Array.from({ length }, (_, row) => {
    if (column === null || (column.validity !== null && !bit(column.validity, row))) return null;
    return column.values.subarray(column.offsets![row], column.offsets![row + 1]);
  });
}

function pagesOf(cells: readonly Cell[], pageBytes: number): readonly (readonly Cell[])[] {
  const pages: Cell[][] = [];
  let room = 0;
  for (const cell of cells) {
    if (room <= 0) {
      pages.push([]);
      room = pageBytes;
    }
    pages.at(-1)!.push(cell);
    room -= 4 + (cell?.length ?? 0);
  }
  return pages;
}

/** A data page of version 1: its header, where there are nulls (definition levels), and the cells, each behind its length. */
function pageOf(cells: readonly Cell[], isRequired: boolean): readonly Uint8Array[] {
  const body: Uint8Array[] = isRequired ? [] : [definitionLevels(cells)];
  for (const cell of cells) {
    if (cell === null) continue;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, cell.length, true);
    body.push(length, cell);
  }
  const bytes = body.reduce((sum, { length }) => sum + length, 0);
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.int(1, DATA_PAGE);
    writer.int(2, bytes);
    writer.int(3, bytes);
    writer.structField(5, () => {
      writer.int(1, cells.length);
      writer.int(2, PLAIN);
      writer.int(3, RLE);
      writer.int(4, RLE);
    });
  });
  return [writer.finish(), ...body];
}

/** Runs of the one-bit levels, in the hybrid encoding of Encodings.md, behind its length. */
function definitionLevels(cells: readonly Cell[]): Uint8Array {
  const runs: number[] = [];
  for (let row = 0; row < cells.length;) {
    const isNull = cells[row] === null;
    let end = row;
    while (end < cells.length && (cells[end] === null) === isNull) end++;
    let header = (end - row) * 2;
    for (; header > 0x7f; header = Math.floor(header / 128)) runs.push((header % 128) | 0x80);
    runs.push(header, isNull ? 0 : 1);
    row = end;
  }
  const bytes = new Uint8Array(4 + runs.length);
  new DataView(bytes.buffer).setUint32(0, runs.length, true);
  bytes.set(runs, 4);
  return bytes;
}
