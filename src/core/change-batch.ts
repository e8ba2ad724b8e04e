import { columnBytes, type Column } from "./column.ts";
import type { Transaction } from "./position.ts";
import type { TableSchema } from "./table-schema.ts";

/**
 * What a row does to its table.
 *
 * - `upsert` — a snapshot row: replaces whatever the table has under its key.
 * - `insert`, `update` — a row of the log with its new values. One without absent cells is written whether its key exists
 *   or not: the merge drops a chunk's row because such an update brings the whole row. An update with absent cells
 *   changes the known ones, and where its key does not exist it is nothing (its chunk will bring it).
 * - `delete` — only the key columns are known (all columns where the table has no key); the others are absent.
 * - `moved` — the insert half of an update that changed the key, or has new values that are not known (its delete half
 *   comes just before it). Absent cells of it are fetched by *complete* before a sink sees it, where it is an `insert`. One
 *   that is gone by then reaches only a sink that is a log.
 *
 * Values are stored in `ChangeBatch.ops`, one byte a row.
 */
export const Op = { upsert: 0, insert: 1, update: 2, delete: 3, moved: 4 } as const;
export type Op = (typeof Op)[keyof typeof Op];

/** Rows `firstRow` up to the next run's belong to this transaction. */
export interface Run {
  readonly firstRow: number;
  readonly transaction: Transaction;
}

/**
 * Consecutive changes of one table under one schema version, over any number of transactions (design §3). Between the
 * decoder and the sink rows exist in this form alone. Immutable and owned by whoever it was handed to; its buffers may
 * be moved to another thread only by that owner. The order across tables exists only at `progress` items of the line.
 */
export interface ChangeBatch {
  readonly schema: TableSchema;
  readonly origin: "snapshot" | "log";
  readonly length: number;
  /** As many as `schema.columns`, each `length` long. */
  readonly columns: readonly Column[];
  /**
   * The rows as they were, in as many columns of the same types and length: of an `update` the row before it, of a `delete`
   * the row that was, though `columns` have no more of that than identifies it. A cell that the log does not give is absent;
   * so is all of a row that had none, an `insert` or a `moved`. Null: the sink did not ask (`SinkTraits.beforeImages`), or
   * none has come, as in every snapshot. One that was cut from a larger batch may have nothing but absent cells.
   */
  readonly before: readonly Column[] | null;
  /** One `Op` a row; null: all rows are `upsert`. Null exactly when the origin is `snapshot`. */
  readonly ops: Uint8Array | null;
  /** Ascending by `firstRow`, the first at 0; empty for a snapshot batch. */
  readonly runs: readonly Run[];
  /** Bytes it keeps alive, for the bounds of queues and windows. */
  readonly bytes: number;
  /**
   * Its buffers can be used again: its last owner calls this, once, and touches the batch no more, nor any other that
   * shares its columns. Not to call it costs memory alone.
   */
  readonly recycle?: () => void;
}

/** What a batch and each of its columns take beside their buffers: most of it where a thousand tables have a row each. */
const OBJECT_BYTES = 640;

/** Whole rows of a snapshot. */
export function snapshotBatch(schema: TableSchema, columns: readonly Column[], length: number): ChangeBatch {
  return {
    schema,
    origin: "snapshot",
    length,
    columns,
    before: null,
    ops: null,
    runs: [],
    bytes: batchBytes(columns, null),
  };
}

export function batchBytes(
  columns: readonly Column[],
  ops: Uint8Array | null,
  before: readonly Column[] | null = null,
): number {
  const bytes = OBJECT_BYTES + (ops?.byteLength ?? 0) + columnsBytes(columns);
  return before === null ? bytes : bytes + columnsBytes(before);
}

function columnsBytes(columns: readonly Column[]): number {
  let bytes = 0;
  for (const column of columns) bytes += OBJECT_BYTES + columnBytes(column);
  return bytes;
}
