import type { ChangeBatch } from "./change-batch.ts";
import type { Json } from "./json.ts";
import type { TableId, TableSchema } from "./table-schema.ts";

/** A key as the database renders it, one text per key column. Compared for equality alone, never for order (design §5). */
export type KeyBound = readonly string[];

/**
 * Keys above `lower` (exclusive; null: from the least) up to `upper` (inclusive; null: no end, used for tables without
 * a key). A whole table's range ends at the key maximum at planning time: rows above it come by the log.
 */
export interface ChunkRange {
  readonly lower: KeyBound | null;
  readonly upper: KeyBound | null;
}

/** Leave to read one chunk once. A result under any other grant is thrown away unread. */
export interface ChunkGrant {
  readonly chunk: number;
  readonly attempt: number;
  /** Of the run that granted it: what an earlier process granted is void. */
  readonly token: number;
}

/** What a worker gets to read. Plain data: it crosses threads and, later, processes. */
export interface ChunkRequest {
  readonly grant: ChunkGrant;
  readonly schema: TableSchema;
  readonly range: ChunkRange;
  /** The chunk ends behind this many rows or bytes, and the rest comes back as `ChunkOutcome.rest`. */
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/** How a chunk ended, when all its batches have been handed over. */
export interface ChunkOutcome {
  readonly grant: ChunkGrant;
  /** The shape it read, which may have columns that the request's did not. Other keys or types void the plan. */
  readonly schema: TableSchema;
  readonly rows: number;
  readonly bytes: number;
  /** What of the range was not read because a cap was reached; null: all of it was. */
  readonly rest: ChunkRange | null;
}

/**
 * Reads chunks, one at a time, each in a short consistent transaction of its own.
 *
 * `opened` is called once, before the first row, with the serialized cut. `batch` takes the rows as they come: the next
 * is read when it resolves, which is the back-pressure. Rejects with a `MillraceError` where the chunk could not be read
 * (`retry: "timed"` where another attempt makes sense), and after an abort.
 */
export interface ChunkReader extends AsyncDisposable {
  read(
    request: ChunkRequest,
    on: { opened(cut: Json): void; batch(batch: ChangeBatch): Promise<void> },
    signal: AbortSignal,
  ): Promise<ChunkOutcome>;
}

/** What is known of a table's size before it is read. Estimates come from the server's statistics. */
export interface TableExtent {
  readonly table: TableId;
  readonly rowsEstimate: number;
  readonly bytesPerRowEstimate: number;
  /** The largest key; null: the table is empty (or has no key). */
  readonly max: KeyBound | null;
}

/**
 * Cuts a table into chunks, lazily. Neither call reads more of the table than a page of its key index, however large it
 * is. Not before the source's `settled`.
 */
export interface ChunkPlanner {
  extent(schema: TableSchema, signal: AbortSignal): Promise<TableExtent>;
  /** The first chunk of `gap`, of about `rows` rows: its lower end is the gap's, its upper end at most the gap's. */
  next(schema: TableSchema, gap: ChunkRange, rows: number, signal: AbortSignal): Promise<ChunkRange>;
}
