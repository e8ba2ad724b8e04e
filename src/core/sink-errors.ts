import type { ErrorCodeInfo } from "./error-code-info.ts";

export type SinkErrorCode =
  | "SINK_LOCKED"
  | "SINK_UNOPENABLE"
  | "SINK_NOT_DUCKDB"
  | "SINK_NEWER_FORMAT"
  | "SINK_DISK_FULL"
  | "SINK_OUT_OF_MEMORY"
  | "SINK_TABLE_EXISTS"
  | "SINK_NAME_CLASH"
  | "SINK_PARTITION"
  | "SINK_DUPLICATE_KEY"
  | "SINK_STAGED_LOST"
  | "SINK_FILES_LOST"
  | "SINK_DAMAGED"
  | "SINK_FAILED"
  | "SINK_CLOSED";

/** Errors of the sink: a part of the table in error-codes.ts. */
export const SINK_ERRORS: Readonly<Record<SinkErrorCode, ErrorCodeInfo>> = {
  SINK_LOCKED: {
    exit: 3,
    retry: "manual",
    meaning:
      "Another process has the DuckDB file open. DuckDB lets one process in at a time, and nobody else, not even to read, while it writes.",
    action: "Close the other program (a DuckDB shell, a notebook, another millrace), then run again.",
  },
  SINK_UNOPENABLE: {
    exit: 3,
    retry: "manual",
    meaning: "The DuckDB file cannot be opened or created: its folder is missing, or the permissions do not allow it.",
    action: "Create the folder, or give this user the right to read and write the file and its folder.",
  },
  SINK_NOT_DUCKDB: {
    exit: 3,
    retry: "manual",
    meaning: "The file that `sink.path` names exists and is no DuckDB database. It was not touched.",
    action: "Name another file, or move this one away.",
  },
  SINK_NEWER_FORMAT: {
    exit: 3,
    retry: "never",
    meaning:
      "The sink was written to by a newer Millrace, or its DuckDB file by a newer DuckDB, than this one can read.",
    action: "Run the version that wrote it, or a newer one.",
  },
  SINK_DISK_FULL: {
    exit: 3,
    retry: "manual",
    meaning:
      "The disk under the DuckDB file or its temporary files is full. The epoch that was being written is not in the file.",
    action: "Make room, then run again: it resumes from the last committed epoch.",
  },
  SINK_OUT_OF_MEMORY: {
    exit: 3,
    retry: "manual",
    meaning:
      "DuckDB reached its memory limit. Changes at random keys all over a large table need about 8 bytes for each of the table's rows that cannot be written out; a PRIMARY KEY needs its whole index; a transaction must fit as a whole where its rows are wide (1 MB, say), about three times over; and one that changes many tables needs about 0.6 MB for each of them.",
    action:
      "Raise `memory.limit` of the sink: about 8 bytes a row of the largest table and 100 MB, or three times the bytes of the largest transaction of wide rows, or 0.6 MB for each table that one transaction changes, where that is more. Leave `primary-key` off.",
  },
  SINK_TABLE_EXISTS: {
    exit: 3,
    retry: "manual",
    meaning: "A table of the target's name exists already, and this pipeline did not make it. It was not touched.",
    action: "Rename or drop that table, or choose another file.",
  },
  SINK_NAME_CLASH: {
    exit: 3,
    retry: "manual",
    meaning:
      "Two source names become one in the sink (DuckDB does not tell names apart that differ only in case), or a column has the name of one that the sink needs for itself, as `_op` in Parquet files.",
    action: "Leave one of the two, or the table, out of the pipeline, or rename it in the source.",
  },
  SINK_PARTITION: {
    exit: 3,
    retry: "manual",
    meaning:
      "A table cannot be parted as `partition.by` says: it has no such column, or one of a type that this does not go with.",
    action:
      "Give `partition.by` as a mapping, in which a pattern of this table stands before the others with what goes for it, or leave the table out of the pipeline.",
  },
  SINK_DUPLICATE_KEY: {
    exit: 3,
    retry: "never",
    meaning: "A row's key is in the target already although it should not be: the target was changed by somebody else.",
    action: "Begin the table anew, or run without `primary-key` after finding out who writes to the target.",
  },
  SINK_STAGED_LOST: {
    exit: 3,
    retry: "timed",
    meaning:
      "What was staged for an epoch is gone before the epoch was decided: somebody removed it, or the store has let the upload expire. Nothing of the epoch was visible, and it is written anew from the source.",
    action:
      "Nothing, where it happens once. Else find out who removes unfinished uploads, or the folder `.staged`, while the pipeline runs.",
  },
  SINK_FILES_LOST: {
    exit: 3,
    retry: "never",
    meaning:
      "Files of an epoch that was decided were staged, and are gone before they could be made visible: somebody removed them, or the store has let the upload expire while the pipeline was down. The epoch's other files may be visible already.",
    action:
      "Put the folder or bucket back to a state that has them, or begin anew with `millrace drop FILE`: the tables' history stays, and their next one begins with a snapshot.",
  },
  SINK_DAMAGED: {
    exit: 3,
    retry: "never",
    meaning:
      "The sink's own records are not as they were left, or the target table is gone or changed, or the database file is damaged, or a folder or bucket was emptied or put back while the pipeline ran.",
    action:
      "Restore the file, folder or bucket from a backup, or move it away and begin anew with `millrace drop FILE`.",
  },
  SINK_FAILED: {
    exit: 1,
    retry: "manual",
    meaning:
      "The sink's database answered with an error that has no code of its own. Nothing of the epoch was committed.",
    action: "Run again: it resumes from the last committed epoch. Report it where it comes again.",
  },
  SINK_CLOSED: {
    exit: 1,
    retry: "never",
    meaning:
      "The sink was closed while it was working. Normal when a pipeline is stopped at once; the epoch is written anew.",
    action: "Run again: it resumes from the last committed epoch.",
  },
};
