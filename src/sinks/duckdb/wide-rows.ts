import type { ChangeBatch } from "../../core/change-batch.ts";
import type { TableId } from "../../core/table-schema.ts";
import type { DuckdbSession } from "./session.ts";
import type { StateTables, TableRow } from "./state.ts";

/** DuckDB commits, checkpoints and reads this many neighbouring rows at a time, all their values in memory. */
const VECTOR_ROWS = 2048;

/** What they may take of the memory limit: they are there several times over while they are committed. */
const LIMIT_SHARE = 4;

/** Rows that are wide weigh so many times their bytes until they are committed, so that epochs of them are short. */
const WIDE_WEIGHT = 8;

interface TableWidth {
  /** Of the rows counted at present, 2,048 at most. */
  rows: number;
  bytes: number;
  /** Bytes of a row where the most were found. 0: they were never wide. */
  widest: number;
}

/**
 * Knows the tables of which 2,048 rows do not fit into DuckDB's memory limit, and keeps the file usable with them
 * (docs/adr/0007): epochs are short, and a checkpoint leaves row groups as short as it finds them. That is remembered in
 * the file, since a checkpoint must not put together what an earlier run has written.
 */
export class WideRows {
  readonly #session: DuckdbSession;
  readonly #state: StateTables;
  readonly #vectorBytesMax: number;
  readonly #widths = new Map<TableId, TableWidth>();
  /** Found in the open epoch, and not yet saved. */
  readonly #found = new Set<TableId>();
  #compacting = false;

  constructor(session: DuckdbSession, state: StateTables, memoryLimitBytes: number) {
    this.#session = session;
    this.#state = state;
    this.#vectorBytesMax = memoryLimitBytes / LIMIT_SHARE;
  }

  /** After the file was opened: all its tables, whosoever they are. */
  async recall(rows: readonly TableRow[]): Promise<void> {
    if (rows.some(({ rowBytes }) => rowBytes * VECTOR_ROWS > this.#vectorBytesMax)) return;
    await this.#session.compact(true);
    this.#compacting = true;
  }

  begin({ id, rowBytes }: TableRow): void {
    this.#widths.set(id, { rows: 0, bytes: 0, widest: rowBytes });
  }

  /** Notes a batch, and says what it weighs against the bound of an epoch. */
  weigh({ schema, bytes, length }: ChangeBatch): number {
    const width = this.#widths.get(schema.id);
    if (width === undefined) return bytes;
    width.rows += length;
    width.bytes += bytes;
    const rowBytes = Math.ceil(width.bytes / width.rows);
    const full = width.bytes > this.#vectorBytesMax;
    if (full || width.rows >= VECTOR_ROWS) width.rows = width.bytes = 0;
    // Twice: it is an estimate, and not worth a write each time it changes.
    if (full && rowBytes * VECTOR_ROWS > this.#vectorBytesMax && rowBytes > 2 * width.widest) {
      width.widest = rowBytes;
      this.#found.add(schema.id);
    }
    return (bytes / length) * VECTOR_ROWS > this.#vectorBytesMax ? bytes * WIDE_WEIGHT : bytes;
  }

  /** Before a commit, in its transaction: the checkpoint that may follow must know. */
  async save(): Promise<void> {
    if (this.#found.size === 0) return;
    if (this.#compacting) await this.#session.compact(false);
    this.#compacting = false;
    for (const id of this.#found)
      await this.#state.saveTable({ ...this.#state.mine(id), rowBytes: this.#widths.get(id)!.widest });
    this.#found.clear();
  }
}
