import type { ChangeBatch } from "./change-batch.ts";
import type { MillraceError } from "./errors.ts";
import type { Position, Transaction } from "./position.ts";
import type { TableId, TableSchema } from "./table-schema.ts";

/** Rows of one table. */
export interface RowsItem {
  readonly kind: "rows";
  readonly batch: ChangeBatch;
}

/**
 * The table was emptied. Later items of the same transaction come after it. `transaction` is null where the snapshot of a
 * table without a key is read again from its start, and the rows of the first try have to go.
 */
export interface TruncateItem {
  readonly kind: "truncate";
  readonly table: TableId;
  readonly transaction: Transaction | null;
}

/**
 * From here on the table's batches have this schema. Only columns were added; anything else arrives as a `stop`. It
 * stands before the first row of its transaction (a batch of the older version may still follow it), so it is always
 * between two transactions, and the engine ends the epoch before it. `transaction` is null where a chunk showed the new
 * columns first.
 */
export interface SchemaItem {
  readonly kind: "schema";
  readonly schema: TableSchema;
  readonly transaction: Transaction | null;
}

/** This table cannot go on; the rest of the line does. */
export interface StopItem {
  readonly kind: "stop";
  readonly table: TableId;
  readonly error: MillraceError;
}

/**
 * Everything up to `position` has been passed down the line, and it is a transaction boundary: a checkpoint may be
 * taken here and nowhere else. A log reader sends one at least every flush interval, on a quiet log with an unchanged
 * position, so that whoever waits for something else than a transaction gets a turn. `commitTimeMs` is that of the
 * last transaction, null before the first.
 */
export interface ProgressItem {
  readonly kind: "progress";
  readonly position: Position;
  readonly commitTimeMs: number | null;
}

/** What a log reader emits. */
export type LogItem = RowsItem | TruncateItem | SchemaItem | StopItem | ProgressItem;

/** All rows of a chunk have entered the line just before this. */
export interface ChunkEnteredItem {
  readonly kind: "chunk-entered";
  readonly table: TableId;
  readonly chunk: number;
}

/** What travels from the merge to the sink. */
export type LineItem = LogItem | ChunkEnteredItem;

export function itemBytes(item: LineItem): number {
  return item.kind === "rows" ? item.batch.bytes : 256;
}
