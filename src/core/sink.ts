import type { ChangeBatch } from "./change-batch.ts";
import type { MillraceError } from "./errors.ts";
import type { Json } from "./json.ts";
import type { NonFiniteSupport } from "./logical-type.ts";
import type { Transaction } from "./position.ts";
import type { CommittedRecord, EpochRecord } from "./record.ts";
import type { TableId, TableSchema } from "./table-schema.ts";

/** How `beginTable` treats what the target holds: it must not exist yet, or it is emptied. */
export type BeginMode = "create" | "truncate";

/**
 * What the engine asks of a sink (design §4, §6). `test/conformance/sink.ts` runs over every one.
 *
 * An **epoch** is everything between two `commit`s. All calls come from one caller, one at a time; only `close` may come
 * while another is under way, and then that other rejects. Order within an epoch: `beginTable` and `applySchema` come
 * first, before any row of the epoch (the engine ends an epoch for them); then `write`, `truncate` and `endSnapshot` in
 * line order; then `prepare` and `commit`.
 *
 * - *Accepted*: `write` resolves when the sink has taken the batch over and wants more. That is the back-pressure; it
 *   says nothing about durability. The batch's buffers belong to the sink from the call on.
 * - *Durable*: `commit` resolves when every accepted change of the epoch, and the record, are on disk together, and a
 *   reader sees all of them or none. It rejects where they are not; the epoch is then lost as a whole, and the engine
 *   closes the sink and recovers. Where it cannot know (the connection broke while committing), it rejects as well, and
 *   `open` tells what became of it.
 * - *Staged*: a sink whose changes cannot be made visible in one transaction (files) makes them durable and invisible in
 *   `prepare`, which returns a **committable** that names them. It goes into the record as its part `staged`, so into the
 *   checkpoint store before anything becomes visible. `commit` decides the epoch, by one write that succeeds as a whole or
 *   not at all, and then makes visible what was staged. From that write on the epoch can only be finished, never undone:
 *   where `commit` fails behind it, the next `open` finishes it. Of a **transactional** sink the committable is null.
 * - Committing a staged epoch **again** is harmless: the same record, by the same run or by one that found it in the store
 *   (then under a token of its own, with all parts that changed). Where what was staged is gone and nothing of it became
 *   visible, `commit` rejects with `SINK_STAGED_LOST` and changes nothing: the epoch is written anew from the source. Where it
 *   is gone behind the decision, `commit` or `open` rejects with `SINK_FILES_LOST`, which no repetition mends.
 * - An **empty epoch** (no rows) still commits its record: it moves the position.
 * - A commit checks, inside its own transaction, that the sink's last epoch is the one before the record's and that its
 *   token is not above the record's; otherwise it rejects with `FENCED` and changes nothing.
 *
 * **Rows.** A sink that is a *table* folds an epoch's changes per key: the last one wins, partial updates are laid over
 * what is there. A snapshot row (`Op.upsert`) replaces what the log may have delivered under its key before. An update of
 * absent cells leaves the target's values, and is nothing where the key does not exist. A `delete` without a row is
 * nothing. For a table without a key, a delete removes exactly one identical row, and an update arrives as delete and
 * insert. A sink that is a *log* keeps every change, in an order that never goes back, so that these rules give the same
 * rows when its reader follows them; that a table was emptied or begun anew is a change, too, and so is a row that moved and was
 * gone before its unknown cells could be asked for: an `insert` with absent cells, whose delete follows. A batch may be of an older schema version than the table's last (columns added since are then taken to have
 * their `existingRowsDefault` in inserted rows, and are left alone by updates).
 */
export interface Sink {
  readonly kind: "table" | "log";
  /** Opens the target and reports its last committed record, null where this pipeline never wrote to it. */
  open(pipeline: string, signal: AbortSignal): Promise<CommittedRecord | null>;
  /**
   * Begins a table's incarnation: creates the target, or empties it. `create` on a target that exists, and was not made
   * by this pipeline, is `SINK_TABLE_EXISTS`. From here until `endSnapshot` its rows are not the state of one moment. A
   * staged sink does so with the epoch, as everything else.
   */
  beginTable(schema: TableSchema, incarnation: number, mode: BeginMode): Promise<void>;
  /**
   * The last incarnation that was begun of each of the pipeline's tables, whether or not an epoch was committed since: behind
   * `open`. One that is ahead of the record was emptied by a run that ended before its first epoch.
   */
  begun(): ReadonlyMap<TableId, number>;
  /** Adds the columns that the schema has and the target has not. Repeating it is harmless. */
  applySchema(schema: TableSchema): Promise<void>;
  write(batch: ChangeBatch): Promise<void>;
  /** Empties the table. `transaction` is null where no transaction of the log did: a snapshot begins anew (`TruncateItem`). */
  truncate(table: TableId, transaction: Transaction | null): Promise<void>;
  /** The table's snapshot is complete with this epoch: what was kept for it can go. */
  endSnapshot(table: TableId): Promise<void>;
  /**
   * Everything accepted becomes durable, and none of it visible. Returns the committable, plain JSON that another process
   * can `commit`; null: the sink is transactional, and there is nothing to do before `commit`.
   */
  prepare(): Promise<Json>;
  commit(record: EpochRecord): Promise<void>;
  /**
   * Takes the pipeline's record away, in place of `open`: the next run begins anew. What was delivered stays, and stays
   * known as made by this pipeline, whose next run may begin it anew. A target that is not there is not made.
   */
  forget(pipeline: string, signal: AbortSignal): Promise<void>;
  /**
   * What accepted rows that are not committed weigh: their bytes, or more where the sink needs more memory to commit them
   * (wide rows in DuckDB), or less where it keeps them elsewhere (staged files); 0 when there are none. The engine ends an
   * epoch early by it.
   */
  pendingBytes(): number;
  /** Ends it: what is not committed is gone. Idempotent, and never rejects for what was lost by it. */
  close(): Promise<void>;
}

/** What a sink's type can do, known before it is opened: for `plan` and for the source's types. */
export interface SinkTraits {
  readonly kind: "table" | "log";
  readonly nonFinite: NonFiniteSupport;
  /** It wants `ChangeBatch.before`: about twice the work and memory of an update. */
  readonly beforeImages: boolean;
  /** False: it keeps no record over a restart, so the checkpoint store alone says where a run goes on. */
  readonly remembers: boolean;
  /** The guarantee, in a sentence, for `plan` and the docs. */
  readonly guarantee: string;
  /** Why the sink cannot take a table of this shape, whatever it holds: then the table is refused. Null: it can. */
  problem(this: void, schema: TableSchema): MillraceError | null;
  /** The target's name of a source table, by the sink's documented rule. */
  targetName(schema: TableSchema): string;
}
