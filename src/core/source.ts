import type { ChangeBatch } from "./change-batch.ts";
import type { ChunkPlanner } from "./chunk.ts";
import type { MillraceError } from "./errors.ts";
import type { Json } from "./json.ts";
import type { LogItem } from "./line.ts";
import type { NonFiniteSupport, UnrepresentablePolicy } from "./logical-type.ts";
import type { Cut, DurablePosition, Position } from "./position.ts";
import type { TableId, TableSchema } from "./table-schema.ts";

/** A matched table that this source can deliver. */
export interface TableOffer {
  readonly schema: TableSchema;
  /** The source's own identity of the table: one of the same name that was dropped and created again has another. */
  readonly object: string;
  /** Whether the log carries its changes already. False for a table that was followed before: changes of it are lost. */
  readonly logged: boolean;
  /** How its snapshot is read, for `plan`: `chunks of (id)`, `one scan under REPLICA IDENTITY FULL`. */
  readonly readBy: string;
  /** What the log will not carry, or only one path delivers: cascades, generated columns. For `plan` and the log. */
  readonly notes: readonly string[];
}

/** By the statistics of the source, which does not read the table for them. */
export interface TableSize {
  readonly rows: number;
  readonly bytes: number;
}

/** A matched table that cannot be right; the error's hint holds the statement that mends it. */
export interface TableRefusal {
  readonly table: TableId;
  readonly error: MillraceError;
}

export interface Inspection {
  readonly identity: Json;
  /** `PostgreSQL 18.1`. */
  readonly server: string;
  readonly offers: readonly TableOffer[];
  readonly refusals: readonly TableRefusal[];
  readonly notes: readonly string[];
  /** How the cut of a chunk is taken here, for `plan`: one sentence. */
  readonly cutMethod: string;
}

/** What a source keeps for us, for `status`. */
export interface SourceStatus {
  readonly identity: Json;
  /** The newest position of the log, and how many bytes of log are kept back for this pipeline. Null: not known. */
  readonly head: string | null;
  readonly retainedBytes: number | null;
  /** Named facts for people, in order: slot, `wal_status`, what is waited for. */
  readonly facts: readonly { readonly name: string; readonly value: string }[];
}

export interface LogRequest {
  /** Transactions that it has are not delivered again. */
  readonly from: Position;
  /** The tables to deliver, in the shape they had at `from`. Everything else in the log is passed over. */
  readonly tables: readonly TableSchema[];
  /** A batch closes at this many bytes. */
  readonly batchBytesMax: number;
  /** Whatever is open is flushed this often, and behind this many changes, at the next transaction boundary. */
  readonly flushIntervalMs: number;
  readonly flushRows: number;
}

/**
 * The one reader of the log. Items come in log order; within a transaction, order across tables is not kept, and
 * `progress` is the only boundary. It reads ahead within a byte bound and pauses the socket beyond it. Fails with a
 * `MillraceError` where the log is lost, not understood, or the connection breaks.
 */
export interface LogReader extends AsyncDisposable {
  items(signal: AbortSignal): AsyncIterable<LogItem>;
  /** Tells the source that it may forget the log up to there. Never moves backwards. */
  acknowledge(position: DurablePosition): void;
  /** Asks the source how far it has sent the log, so that a quiet one moves the position too. Cheap; may be repeated. */
  ping(): void;
  /** Makes a quiet log pass a bound that pings do not reach: takes an xid and rolls it back, for one. */
  nudge(signal: AbortSignal): Promise<void>;
  /** Ends the delivery of a table: from here on it costs nothing further. */
  dropTable(table: TableId): void;
}

/**
 * All that the rest of the house knows of a database (design §6). Calls are made in the order they stand here; those from `log` on
 * may overlap. `inspect`, `sizes` and `status` write nothing and need no `prepare`.
 */
export interface Source extends AsyncDisposable {
  /** Checks the server's settings and our privileges, matches the tables, and says how each would be read. */
  inspect(signal: AbortSignal): Promise<Inspection>;
  /** How large offered tables are: for `plan`, and for those that a run reads. Asking for thousands takes a while. */
  sizes(offers: readonly TableOffer[], signal: AbortSignal): Promise<ReadonlyMap<TableId, TableSize>>;
  status(signal: AbortSignal): Promise<SourceStatus>;
  /**
   * Makes the source ready for exactly these tables (publication, slot) and returns the start position: `resume` itself
   * where one is given, after checking that the source still has the log from there (`LOG_LOST`, `SOURCE_BEHIND`). What
   * was created is reported through `created`, a sentence each.
   */
  prepare(
    request: { readonly resume: Position | null; readonly tables: readonly TableSchema[] },
    created: (what: string) => void,
    signal: AbortSignal,
  ): Promise<Position>;
  /**
   * The tables that this run begins, with what reading the log of them takes beside their shape
   * (`TableSchema.definition`), as of a position at or behind the start. Called behind `prepare` and before any chunk is
   * opened. Rejects, to be tried again, where a table is not what `inspect` said any more.
   */
  define(tables: readonly TableSchema[], signal: AbortSignal): Promise<readonly TableSchema[]>;
  /**
   * Resolves when chunks may be planned and opened: every transaction that a cut could miss is visible, the ids given
   * (from the checkpoint) included. `waiting` gets what is waited for, when it changes.
   */
  settled(ids: readonly string[], waiting: (what: string) => void, signal: AbortSignal): Promise<void>;
  log(request: LogRequest): LogReader;
  readonly planner: ChunkPlanner;
  /** What is visible now, as a cut: for the once-a-second poll that settles the merge, and for *complete*. */
  visible(signal: AbortSignal): Promise<Cut>;
  /** The newest position of the log, as `--until caught-up` means it: a transaction committed before the call is in it. */
  head(signal: AbortSignal): Promise<Position>;
  /**
   * The rows that have the keys of `keys` (its key columns are read, nothing else), in any order, as a snapshot batch of
   * its schema. Keys without a row are simply missing.
   */
  selectByKey(keys: ChangeBatch, signal: AbortSignal): Promise<ChangeBatch>;
  parsePosition(json: Json): Position;
  parseCut(json: Json): Cut;
  /** Removes everything `prepare` ever made for this pipeline; says each. A log reader of ours is closed by then. */
  drop(removed: (what: string) => void, signal: AbortSignal): Promise<void>;
}

/** What a connector needs to know of the sink to make its rows: its type system, and what it asks for beside them. */
export interface ValueRules {
  readonly unrepresentable: UnrepresentablePolicy;
  readonly nonFinite: NonFiniteSupport;
  /** `ChangeBatch.before` is filled, as far as the log has it. */
  readonly beforeImages: boolean;
}
