import type { ChangeBatch } from "../../core/change-batch.ts";
import { MillraceError } from "../../core/errors.ts";
import type { TableId } from "../../core/table-schema.ts";
import { DUCKDB_DEFAULTS } from "./config.ts";
import type { DuckdbSession } from "./session.ts";

/** What DuckDB sets aside for a column of a table that gets rows, few as they are. */
const COLUMN_BYTES = 2048 * 8;

/** And for a table of which rows are deleted. */
const DELETES_BYTES = 256 << 10;

/** What all of it may take of the memory limit between two epochs. */
const LIMIT_SHARE = 3;

/**
 * Knows what DuckDB holds in memory for each table that gets rows or loses some, however few, until the next checkpoint; it
 * cannot be written out before (docs/adr/0016). So epochs that touch many tables are short, and a checkpoint follows where
 * enough of them were touched.
 */
export class OpenTables {
  readonly #session: DuckdbSession;
  readonly #heldMax: number;
  readonly #weight: number;
  /** By the open epoch, and since the last checkpoint that was asked for; DuckDB's own ones come in between. */
  readonly #epoch = new Held();
  readonly #held = new Held();

  constructor(session: DuckdbSession, memoryLimitBytes: number) {
    this.#session = session;
    this.#heldMax = memoryLimitBytes / LIMIT_SHARE;
    this.#weight = DUCKDB_DEFAULTS.memoryLimitBytes / memoryLimitBytes;
  }

  /** Notes a batch, and says what it adds to the weight of the epoch beside its rows: the more, the less memory there is. */
  weigh(batch: ChangeBatch): number {
    this.#held.add(batch);
    return this.#epoch.add(batch) * this.#weight;
  }

  /** Names the tables as what an epoch has no memory for, where it is them. */
  explain(error: unknown): unknown {
    const { tables, bytes } = this.#epoch;
    if (!(error instanceof MillraceError) || error.code !== "SINK_OUT_OF_MEMORY" || bytes < this.#heldMax) return error;
    const what = `${error.message} The epoch, or one transaction that it ends with, changes ${tables} tables, and maybe more.`;
    return new MillraceError(error.code, what, {
      hint: "Raise `memory.limit` of the sink to 100 MB and 0.6 MB for each table that one transaction changes.",
      cause: error,
    });
  }

  /** Behind a commit. */
  async epochEnded(): Promise<void> {
    this.#epoch.clear();
    if (this.#held.bytes > this.#heldMax && (await this.#session.checkpoint())) this.#held.clear();
  }
}

class Held {
  bytes = 0;
  readonly #written = new Set<TableId>();
  readonly #changed = new Set<TableId>();

  get tables(): number {
    return this.#written.size;
  }

  add({ schema, origin }: ChangeBatch): number {
    const written = this.#written.has(schema.id) ? 0 : schema.columns.length * COLUMN_BYTES;
    const changed = origin === "snapshot" || this.#changed.has(schema.id) ? 0 : DELETES_BYTES;
    this.#written.add(schema.id);
    if (changed > 0) this.#changed.add(schema.id);
    this.bytes += written + changed;
    return written + changed;
  }

  clear(): void {
    this.bytes = 0;
    this.#written.clear();
    this.#changed.clear();
  }
}
