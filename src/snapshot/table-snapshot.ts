import type { ChunkPlanner, ChunkRange, TableExtent } from "../core/chunk.ts";
import type { ChunkProgress } from "../core/record.ts";
import type { TableId, TableSchema } from "../core/table-schema.ts";
import { ChunkSize } from "./chunk-size.ts";
import { TableProgress } from "./table-progress.ts";

/** The whole of a table without a key, or of an empty one: what its only chunk reads. */
const WHOLE_TABLE: ChunkRange = { lower: null, upper: null };

export interface TableSnapshotOptions {
  readonly schema: TableSchema;
  readonly progress: ChunkProgress | null;
  readonly planner: ChunkPlanner;
  readonly chunkRows: number;
  readonly chunkBytesMax: number;
  readonly planned: (extent: TableExtent, chunksEstimate: number) => void;
}

/**
 * One table on its way through the snapshot: which ranges are left, and how large the next chunk is. The next range is
 * planned while the last one is being read, one at a time, so a large table costs no long list of chunks.
 */
export class TableSnapshot {
  readonly id: TableId;
  readonly keyless: boolean;
  readonly #options: TableSnapshotOptions;
  #progress: TableProgress | null = null;
  #size: ChunkSize;
  /** Of a table that is read as a whole: whether it is still to be begun. */
  #wholeOpen: boolean;
  #turn: Promise<unknown> = Promise.resolve();
  #ahead: Promise<ChunkRange | null> | null = null;
  /** Lanes that are planning or waiting for their turn to. */
  #taking = 0;
  /** Failures since the last chunk that was read. */
  failures = 0;
  /** Waits a while before it is tried again. */
  pausing = false;
  /** It is complete, or stopped. */
  ended = false;

  constructor(options: TableSnapshotOptions) {
    this.#options = options;
    this.id = options.schema.id;
    this.keyless = options.schema.key.length === 0;
    this.#wholeOpen = this.keyless;
    this.#size = this.#sized(0);
  }

  #sized(bytesPerRow: number): ChunkSize {
    const { chunkRows, chunkBytesMax } = this.#options;
    return new ChunkSize({ rowsMax: chunkRows, bytesMax: chunkBytesMax }, bytesPerRow);
  }

  get size(): ChunkSize {
    return this.#size;
  }

  /** Whether `take` may have something to read. */
  get inviting(): boolean {
    if (this.ended || this.pausing) return false;
    if (this.#wholeOpen) return this.#taking === 0;
    if (this.keyless) return false;
    if (this.#progress === null) return this.#taking === 0;
    return this.#ahead !== null || this.#progress.nextGap() !== null;
  }

  /** The next range to read; null: there is none now. */
  async take(schema: TableSchema, signal: AbortSignal): Promise<ChunkRange | null> {
    this.#taking++;
    const turn = this.#turn.then(
      () => this.#take(schema, signal),
      () => this.#take(schema, signal),
    );
    this.#turn = turn;
    try {
      return await turn;
    } finally {
      this.#taking--;
    }
  }

  async #take(schema: TableSchema, signal: AbortSignal): Promise<ChunkRange | null> {
    if (this.#progress === null && !(this.keyless && !this.#wholeOpen)) await this.#measure(schema, signal);
    if (this.#wholeOpen) {
      this.#wholeOpen = false;
      return WHOLE_TABLE;
    }
    const ahead = this.#ahead;
    this.#ahead = null;
    const range = (await ahead) ?? (await this.#plan(schema, signal));
    const more = this.#progress !== null && this.#progress.nextGap() !== null;
    if (range === null || !more) return range;
    this.#ahead = this.#plan(schema, signal);
    // Whoever takes it next hears of a failure.
    this.#ahead.catch(() => undefined);
    return range;
  }

  async #measure(schema: TableSchema, signal: AbortSignal): Promise<void> {
    const { planner, planned, progress } = this.#options;
    const extent = await planner.extent(schema, signal);
    this.#size = this.#sized(extent.bytesPerRowEstimate);
    planned(extent, this.keyless ? 1 : Math.max(1, Math.ceil(extent.rowsEstimate / this.#size.fullRows)));
    if (this.keyless) return;
    this.#progress = progress === null ? TableProgress.planned(extent.max) : TableProgress.from(progress);
    this.#wholeOpen = this.#progress.complete;
  }

  async #plan(schema: TableSchema, signal: AbortSignal): Promise<ChunkRange | null> {
    const progress = this.#progress;
    const gap = progress?.nextGap() ?? null;
    if (progress === null || gap === null) return null;
    progress.started(gap);
    try {
      const range = await this.#options.planner.next(schema, gap, this.#size.rows, signal);
      return range.upper === null ? gap : progress.shortened(gap, range.upper);
    } catch (error) {
      progress.failed(gap);
      throw error;
    }
  }

  /** The chunk ended at its cap: what is behind it is open again. The range that was read. */
  capped(range: ChunkRange, rest: ChunkRange): ChunkRange {
    if (this.#progress === null || rest.lower === null) return range;
    return this.#progress.shortened(range, rest.lower);
  }

  /** To be read again. */
  failed(range: ChunkRange): void {
    if (range === WHOLE_TABLE) this.#wholeOpen = true;
    else this.#progress?.failed(range);
  }

  /** The chunk has gone down the line. */
  done(range: ChunkRange, rows: number): { progress: ChunkProgress | null; rows: number; complete: boolean } {
    if (this.keyless || this.#progress === null) return { progress: null, rows, complete: true };
    if (range !== WHOLE_TABLE) this.#progress.done(range, rows);
    return { progress: this.#progress.toPart(), rows: this.#progress.rows, complete: this.#progress.complete };
  }
}
