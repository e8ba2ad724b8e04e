/**
 * What the DuckDB sink needs to know, normalised: the pipeline file's `sink` block after parsing. Path option: the
 * folder must exist; the file is created.
 */
export interface DuckdbOptions {
  /** `path`: the database file, absolute or relative to the working folder. */
  readonly path: string;
  /** `memory.limit`: DuckDB's own limit. The process needs about 200 MB beside it. */
  readonly memoryLimitBytes: number;
  /** `threads`: threads of DuckDB that bring changes into their tables. */
  readonly threads: number;
  /** `primary-key`: give the target tables a PRIMARY KEY. Its index must fit in memory. */
  readonly primaryKey: boolean;
}

const MIB = 1024 * 1024;

export const DUCKDB_DEFAULTS: Omit<DuckdbOptions, "path"> = {
  memoryLimitBytes: 144 * MIB,
  threads: 2,
  primaryKey: false,
};

/** How rows get into DuckDB: by the fast table function, or by the plain appender (see `feed.ts`). */
export type FeedKind = "table-function" | "appender";

/** Bounds that nobody has to set; tests set them low. */
export interface DuckdbTuning {
  readonly feed: FeedKind;
  /**
   * Accepted rows are handed to DuckDB when they pass one of these; at most twice as much is held. Below a row group of
   * DuckDB's (122,880): a statement's rows are then packed into full groups, and the file stays compact (measured).
   */
  readonly bufferRowsMax: number;
  readonly bufferBytesMax: number;
  /**
   * Changes of a table go into its target at once where that has fewer rows than this for each of them; 0: never. To look
   * for keys among so many costs about what the way through the change table does (measured, with random keys).
   */
  readonly searchedPerChange: number;
  /** The same of an epoch's last changes, for all of them: more rows are better searched by several threads. */
  readonly searchedAtEnd: number;
  /** The changes of a table that wait are folded into its target, within the epoch, when they pass one of these. */
  readonly changeRowsMax: number;
  readonly changeBytesMax: number;
}

export const DUCKDB_TUNING: DuckdbTuning = {
  feed: "table-function",
  bufferRowsMax: 65_536,
  bufferBytesMax: 16 * MIB,
  searchedPerChange: 40,
  searchedAtEnd: 4_000_000,
  changeRowsMax: 262_144,
  changeBytesMax: 32 * MIB,
};
