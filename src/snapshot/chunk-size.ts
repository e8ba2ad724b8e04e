/** Planned to be filled so far: a chunk that just reaches its cap leaves a few rows behind, which cost a chunk of their own. */
const FILLED = 0.8;

/** The first chunks are smaller: the sink has work at once, and rows that are wider than estimated do less. */
const FIRST_SHARE = 1 / 4;

/** How many rows the next chunk of a table is planned with: by the bytes it may have, as far as rows are known to be wide. */
export class ChunkSize {
  readonly #rowsMax: number;
  readonly #bytesMax: number;
  #bytesPerRow: number;
  #share = FIRST_SHARE;

  constructor(limits: { readonly rowsMax: number; readonly bytesMax: number }, bytesPerRowEstimate: number) {
    this.#rowsMax = limits.rowsMax;
    this.#bytesMax = limits.bytesMax;
    this.#bytesPerRow = Math.max(1, bytesPerRowEstimate);
  }

  get rows(): number {
    return Math.max(1, Math.floor(this.fullRows * this.#share));
  }

  /** What most chunks will have, as far as it is known. */
  get fullRows(): number {
    const byBytes = (this.#bytesMax * FILLED) / this.#bytesPerRow;
    return Math.max(1, Math.min(this.#rowsMax, byBytes));
  }

  /** Half of the way to what was measured, so that one odd chunk does not make the next one odd. */
  read(rows: number, bytes: number): void {
    if (rows > 0) this.#bytesPerRow = Math.max(1, (this.#bytesPerRow + bytes / rows) / 2);
    this.#share = Math.min(1, this.#share * 2);
  }

  /** The log changed more while it was read than the merge could note. */
  abandoned(): void {
    this.#share /= 2;
  }
}
