import { ArrowStream } from "../arrow/stream.ts";
import { columnEncoding } from "./column-encoding.ts";
import type { EncodeOptions, EncoderWork, LeafWork, RowGroup } from "./encoding.ts";
import { type LeafCells, leafCells } from "./leaf-cells.ts";
import { hasNaN } from "./nan.ts";

/** So that the buffers within a stream are as far from the memory's begin as Arrow wants them. */
const ALIGNMENT = 64;

interface LeafStream {
  readonly leaf: LeafCells;
  readonly stream: ArrowStream;
}

/**
 * A row group as Arrow streams, one a leaf, by reference until they are copied.
 *
 * One a leaf, because the encoder keeps all columns of a stream in memory as long as it has not written them: of a thousand
 * with ten rows it took 1.1 GB (measured: each writer of differences has a buffer of 1 MB). And because it can be told how
 * to write a column by its name alone, which those within a `row` have not.
 */
export class RowGroupStreams {
  readonly rows: number;
  /** Of all streams, with what is between them. */
  readonly bytes: number;
  readonly #options: EncodeOptions;
  readonly #streams: readonly LeafStream[];

  constructor({ schema, sets, options }: RowGroup) {
    this.#options = options;
    this.#streams = leafCells(schema, sets).map((leaf) => ({
      leaf,
      stream: new ArrowStream([leaf.column], leaf.sets),
    }));
    this.rows = sets.reduce((sum, { length }) => sum + length, 0);
    this.bytes = this.#streams.reduce((sum, { stream }) => sum + aligned(stream.bytes), 0);
  }

  /** Copies every cell into `buffer`, which is at least as long as the streams, whatever was in it. */
  copyTo(buffer: ArrayBuffer): EncoderWork {
    const target = new Uint8Array(buffer, 0, this.bytes).fill(0);
    const leaves: LeafWork[] = [];
    let start = 0;
    for (const { leaf, stream } of this.#streams) {
      const end = start + stream.bytes;
      stream.copyTo(target.subarray(start, end));
      const encoding = columnEncoding(leaf, this.#options.dictionaryPageBytes);
      leaves.push({ path: leaf.path, start, end, encoding, hasNaN: hasNaN(leaf) });
      start += aligned(stream.bytes);
    }
    return { rows: this.rows, buffer, leaves, options: this.#options };
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
