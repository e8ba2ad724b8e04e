/** When the engine may try again by itself: after a pause, after somebody acted, or not at all. */
export type Retry = "timed" | "manual" | "never";

interface ErrorCodeInfo {
  /** Process exit code: 1 failed, 2 bad usage or configuration, 3 source or sink refused. */
  readonly exit: 1 | 2 | 3;
  readonly retry: Retry;
  /** What it means, for an operator, and whether it is normal. */
  readonly meaning: string;
  /** What to do; the hint where the place that raises it knows nothing better. */
  readonly action: string;
}

export type ErrorCode =
  // the command and the pipeline file
  | "CONFIG_INVALID"
  | "USAGE"
  // the source
  | "SOURCE_UNREACHABLE"
  | "SOURCE_AUTH"
  | "SOURCE_NO_DATABASE"
  | "SOURCE_BUSY"
  | "SOURCE_CONNECTION_LOST"
  | "SOURCE_LOCK_TIMEOUT"
  | "SOURCE_STATEMENT_FAILED"
  | "SOURCE_VERSION"
  | "SOURCE_STANDBY"
  | "SOURCE_SETTING"
  | "SOURCE_PRIVILEGE"
  | "SOURCE_NO_TABLES"
  | "TABLE_NO_IDENTITY"
  | "TABLE_NOT_LOGGED"
  | "SCHEMA_CHANGED"
  | "DDL_UNCLEAR"
  | "DDL_IN_LARGE_TRANSACTION"
  | "VALUE_UNREPRESENTABLE"
  | "DECODE_FAILED"
  | "LOG_NOT_UNDERSTOOD"
  | "PUBLICATION_MISMATCH"
  | "SLOT_IN_USE"
  | "SLOT_MISMATCH"
  | "SLOT_WAIT"
  | "LOG_LOST"
  | "SOURCE_BEHIND"
  // the snapshot
  | "CHUNK_WORKER_LOST"
  | "CHUNK_WORKERS_FAILING"
  | "COMPLETE_TIMEOUT"
  // the checkpoint and recovery
  | "CHECKPOINT_LOCKED"
  | "CHECKPOINT_DAMAGED"
  | "CHECKPOINT_NEWER_FORMAT"
  | "CHECKPOINT_DISK_FULL"
  | "CHECKPOINT_UNWRITABLE"
  | "FENCED"
  | "RECORD_DAMAGED"
  | "RECOVERY_SINK_EMPTY"
  | "RECOVERY_SINK_BEHIND"
  | "RECOVERY_STORE_EMPTY"
  | "TABLES_CHANGED"
  | "TABLES_REFUSED"
  | "ALL_TABLES_STOPPED"
  | "SOURCE_CHANGED"
  // the sink
  | "SINK_LOCKED"
  | "SINK_UNOPENABLE"
  | "SINK_NOT_DUCKDB"
  | "SINK_NEWER_FORMAT"
  | "SINK_DISK_FULL"
  | "SINK_OUT_OF_MEMORY"
  | "SINK_TABLE_EXISTS"
  | "SINK_NAME_CLASH"
  | "SINK_DUPLICATE_KEY"
  | "SINK_DAMAGED"
  | "SINK_FAILED"
  | "SINK_CLOSED"
  // every room
  | "INTERNAL";

/** Every error code there is. docs/errors.md is generated from this table (`npm run docs`), and a test fails when it is stale. */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorCodeInfo>> = {
  CONFIG_INVALID: {
    exit: 2,
    retry: "never",
    meaning:
      "The pipeline file cannot be used as it is. Every problem in it is listed, each with file, line and column.",
    action: "Mend the places named, then check with `millrace validate FILE`.",
  },
  USAGE: {
    exit: 2,
    retry: "never",
    meaning: "The command line is not one that millrace understands.",
    action: "See `millrace --help`.",
  },
  SOURCE_UNREACHABLE: {
    exit: 3,
    retry: "timed",
    meaning: "The source database did not answer: no such host, nothing listening there, or it is just starting.",
    action: "Check `hostname`, `port` and the network; a server that is starting is tried again.",
  },
  SOURCE_AUTH: {
    exit: 3,
    retry: "manual",
    meaning: "The source database refused the user name or the password, or allows no connection from here.",
    action: "Check `username` and `password`, and the server's `pg_hba.conf`.",
  },
  SOURCE_NO_DATABASE: {
    exit: 3,
    retry: "manual",
    meaning: "The server has no database of that name.",
    action: "Check the database part of `tables`.",
  },
  SOURCE_BUSY: {
    exit: 1,
    retry: "timed",
    meaning: "The source database has no connection, replication slot or WAL sender free for us at the moment.",
    action: "Raise the limit that the message names, or end what uses it up.",
  },
  SOURCE_CONNECTION_LOST: {
    exit: 1,
    retry: "timed",
    meaning:
      "The connection to the source broke, or fell silent. It is normal when the server restarts; what was not committed is read again.",
    action: "Nothing, when it happens rarely: it connects again by itself.",
  },
  SOURCE_LOCK_TIMEOUT: {
    exit: 1,
    retry: "timed",
    meaning: "A table of the source was locked by somebody else for longer than we wait (`lock.timeout`).",
    action:
      "Nothing, when the lock goes away; else end the session that holds it (`SELECT * FROM pg_locks WHERE NOT granted`).",
  },
  SOURCE_STATEMENT_FAILED: {
    exit: 1,
    retry: "never",
    meaning: "The source refused a statement of ours for a reason that nothing here classifies.",
    action: "Read the server's own message and its log.",
  },
  SOURCE_VERSION: {
    exit: 3,
    retry: "manual",
    meaning: "The server is older than what Millrace supports.",
    action: "Use PostgreSQL 14 or newer.",
  },
  SOURCE_STANDBY: {
    exit: 3,
    retry: "manual",
    meaning: "The server is a standby. What its snapshots contain cannot be told exactly, so rows could be lost.",
    action: "Connect to the primary.",
  },
  SOURCE_SETTING: {
    exit: 3,
    retry: "manual",
    meaning: "A setting of the source does not allow change data capture.",
    action: "Change the setting with the statement in the hint.",
  },
  SOURCE_PRIVILEGE: {
    exit: 3,
    retry: "manual",
    meaning: "The user of the pipeline lacks a privilege on the source.",
    action: "Have an administrator run the statement in the hint.",
  },
  SOURCE_NO_TABLES: {
    exit: 3,
    retry: "manual",
    meaning: "The patterns of `tables` match no table that exists.",
    action: "Check them: `database.schema.table`, where `\\.` is the dot of a regular expression.",
  },
  TABLE_NO_IDENTITY: {
    exit: 3,
    retry: "manual",
    meaning:
      "The log does not say which row of this table an UPDATE or DELETE means, and publishing it would make those statements fail in the application.",
    action: "Give it a primary key or REPLICA IDENTITY FULL, or leave it out with `tables.exclude`.",
  },
  TABLE_NOT_LOGGED: {
    exit: 3,
    retry: "manual",
    meaning: "Changes of this table are not in the log at all: it is unlogged, temporary or foreign.",
    action: "Leave it out with `tables.exclude`, or make it a logged table.",
  },
  SCHEMA_CHANGED: {
    exit: 1,
    retry: "manual",
    meaning:
      "A table changed its shape in a way that its target cannot follow (a column dropped, renamed or of another type, another key).",
    action: "Begin the table anew.",
  },
  DDL_UNCLEAR: {
    exit: 1,
    retry: "manual",
    meaning: "A column was added to a table, and the source no longer tells which value the rows before it got.",
    action: "Begin the table anew.",
  },
  DDL_IN_LARGE_TRANSACTION: {
    exit: 1,
    retry: "manual",
    meaning:
      "A transaction altered a table after more rows of it had been passed on than are held back, so the new columns cannot be put before the transaction as they must be. The table has stopped; the others go on.",
    action: "Begin the table anew. Run large updates and ALTER TABLE in transactions of their own.",
  },
  VALUE_UNREPRESENTABLE: {
    exit: 1,
    retry: "manual",
    meaning:
      "A column holds a value that its type in the sink cannot: NaN in a decimal, an infinite date or timestamp, a timestamp beyond the year 294,246. The table has stopped; the others go on.",
    action:
      "Correct the value at the source, or choose what such values become: `unrepresentable-values: null` or `text` in the source. Then begin the table anew.",
  },
  DECODE_FAILED: {
    exit: 1,
    retry: "never",
    meaning:
      "A value or row did not have the form that its type has on every server version Millrace was tested with. Nothing was guessed: the table has stopped instead.",
    action: "Report it with the server's version and the column's type.",
  },
  LOG_NOT_UNDERSTOOD: {
    exit: 1,
    retry: "never",
    meaning:
      "The log has a message that this version of Millrace does not know. Nothing is skipped: the pipeline has stopped with its position kept.",
    action: "Use a version of Millrace that supports this server's version, or report the message type.",
  },
  PUBLICATION_MISMATCH: {
    exit: 3,
    retry: "manual",
    meaning: "The publication exists, was not made by this pipeline, and does not deliver what is needed.",
    action: "Run the statement in the hint, or set another `publication.name`.",
  },
  SLOT_IN_USE: {
    exit: 3,
    retry: "manual",
    meaning:
      "Another process reads from the replication slot: another pipeline with the same `slot.name`, or an earlier run that still stops.",
    action: "End the other process, or set another `slot.name`.",
  },
  SLOT_MISMATCH: {
    exit: 3,
    retry: "manual",
    meaning: "The replication slot exists, but is not a pgoutput slot of this database.",
    action: "Set another `slot.name`.",
  },
  SLOT_WAIT: {
    exit: 1,
    retry: "timed",
    meaning: "The replication slot could not be made because transactions that were open before it did not end.",
    action: "End the transactions that the message names.",
  },
  LOG_LOST: {
    exit: 1,
    retry: "manual",
    meaning:
      "The source no longer has the log from the position where this pipeline stands: changes in between cannot be had any more.",
    action: "Run `millrace drop FILE`, then run the pipeline again from a new snapshot.",
  },
  SOURCE_BEHIND: {
    exit: 1,
    retry: "manual",
    meaning:
      "The source is at an earlier position than what was delivered from it: it was restored from a backup, or lost its last transactions in a failover.",
    action: "Check that it is the right server; then run `millrace drop FILE` and begin from a new snapshot.",
  },
  CHUNK_WORKER_LOST: {
    exit: 1,
    retry: "timed",
    meaning:
      "A worker that was reading a chunk of a snapshot ended in the middle of it, most often for want of memory. The chunk is read again by another one, a few times.",
    action: "Nothing, where it happens once. Else give the process more memory, or read fewer chunks at a time.",
  },
  CHUNK_WORKERS_FAILING: {
    exit: 1,
    retry: "never",
    meaning: "The workers that read chunks of the snapshot died again and again, so no more of them are started.",
    action:
      "Look in the log for what they died of. It is most often memory: give the process more, or read fewer chunks at a time, then run again; finished chunks are not read again.",
  },
  COMPLETE_TIMEOUT: {
    exit: 1,
    retry: "manual",
    meaning:
      "A row moved to another key and the log did not carry all of its values, so they are asked of the source once the transaction is visible there. It did not become visible in time: a commit that waits for a synchronous standby, for instance. The table was stopped; the others go on.",
    action:
      "See what the transaction named in the message waits for on the source. Then begin the table anew, or raise the timeout where such waits are normal.",
  },
  CHECKPOINT_LOCKED: {
    exit: 1,
    retry: "manual",
    meaning:
      "Another living process has this pipeline's checkpoint folder: the same pipeline runs twice, or two pipeline files share one name and store.",
    action:
      "Stop the process named, or give this pipeline another name. A lock of a process that died is taken over by itself.",
  },
  CHECKPOINT_DAMAGED: {
    exit: 1,
    retry: "manual",
    meaning:
      "A file of the checkpoint store is missing, incomplete or changed, and it is not just the newest one (which is passed over with a warning). Nothing was changed.",
    action:
      "Restore the file from a backup; or move the folder of the pipeline's checkpoint away and run with `--recover-from sink`, which restores the checkpoint from the sink's own copy.",
  },
  CHECKPOINT_NEWER_FORMAT: {
    exit: 1,
    retry: "never",
    meaning:
      "The checkpoint was written by a newer version of Millrace, whose format this one does not know. Nothing was changed.",
    action: "Run the newer version.",
  },
  CHECKPOINT_DISK_FULL: {
    exit: 1,
    retry: "manual",
    meaning: "The disk of the checkpoint store is full. The last stored epoch is still there and whole.",
    action: "Free some space, then run again: it resumes from the last committed epoch.",
  },
  CHECKPOINT_UNWRITABLE: {
    exit: 1,
    retry: "manual",
    meaning: "The checkpoint store cannot be read or written: permissions, a read-only file system, or a failing disk.",
    action: "Make `pipeline.checkpoint.store` a folder that the user who runs Millrace may read and write.",
  },
  FENCED: {
    exit: 1,
    retry: "never",
    meaning:
      "Another process runs this pipeline and has gone on from where this one stood. This one changed nothing more. Normal after a takeover; a sign of two running copies otherwise.",
    action: "Run one copy of the pipeline.",
  },
  RECORD_DAMAGED: {
    exit: 1,
    retry: "never",
    meaning:
      "A part of the pipeline's record, as the sink or the checkpoint store keeps it, is not what Millrace writes. Nothing was changed.",
    action: "Restore the sink or the checkpoint from a backup, or begin anew after `millrace drop FILE`.",
  },
  RECOVERY_SINK_EMPTY: {
    exit: 1,
    retry: "manual",
    meaning:
      "The sink knows nothing of this pipeline although the checkpoint store does: the target was deleted or replaced, or the pipeline file points to another one.",
    action:
      "Point `sink` to the old target or restore it; or begin anew with `millrace drop FILE` and `millrace run FILE`.",
  },
  RECOVERY_SINK_BEHIND: {
    exit: 1,
    retry: "manual",
    meaning:
      "The sink stands at an older epoch than one it is known to have committed: it was restored from a backup, or replaced by an older copy. The source may have forgotten the log since.",
    action:
      "Restore the newer target; or run with `--recover-from sink`, which goes on from the sink's epoch where the source still has the log from there; or begin anew after `millrace drop FILE`.",
  },
  RECOVERY_STORE_EMPTY: {
    exit: 1,
    retry: "manual",
    meaning:
      "The sink holds epochs of this pipeline but the checkpoint store holds nothing: the store was deleted, `pipeline.checkpoint.store` points elsewhere, or another pipeline of this name writes to this sink.",
    action:
      "Set `pipeline.checkpoint.store` back; or, if no other pipeline of this name writes to the sink, run with `--recover-from sink`, which restores the checkpoint from the sink's own copy.",
  },
  TABLES_REFUSED: {
    exit: 3,
    retry: "manual",
    meaning: "Several matched tables cannot be read as they are. Each is named, with what is missing.",
    action: "Run the statements named, or leave the tables out with `tables.exclude`.",
  },
  ALL_TABLES_STOPPED: {
    exit: 1,
    retry: "manual",
    meaning: "No table of the pipeline is left that could go on. The source is acknowledged up to the last epoch.",
    action:
      "`millrace status FILE` says why each has stopped. Mend the cause, then begin a table anew with `millrace run FILE --resnapshot TABLE`.",
  },
  SOURCE_CHANGED: {
    exit: 3,
    retry: "manual",
    meaning:
      "The server is not the one that the pipeline's position belongs to: another system identifier, timeline, database or slot. Its log says nothing about what was delivered.",
    action:
      "Point the pipeline at the source it was begun on; or begin anew with `millrace drop FILE` and `millrace run FILE`.",
  },
  TABLES_CHANGED: {
    exit: 1,
    retry: "manual",
    meaning:
      "What the pipeline file and the source say of a table is not what it was begun with: another key, target name or policy for values.",
    action: "Undo the change; or begin anew with `millrace drop FILE` and `millrace run FILE`.",
  },
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
    meaning: "The DuckDB file was written by a newer DuckDB, or by a newer Millrace, than this one can read.",
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
      "DuckDB reached its memory limit. Changes at random keys all over a large table need about 8 bytes for each of the table's rows that cannot be written out; a PRIMARY KEY needs its whole index.",
    action:
      "Raise `sink.memory-limit` (about 8 bytes a row of the largest table, and 100 MB), or leave `primary-key` off.",
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
    meaning: "Two source names become one in the sink: DuckDB does not tell names apart that differ only in case.",
    action: "Leave one of the two out of the pipeline, or rename it in the source.",
  },
  SINK_DUPLICATE_KEY: {
    exit: 3,
    retry: "never",
    meaning: "A row's key is in the target already although it should not be: the target was changed by somebody else.",
    action: "Begin the table anew, or run without `primary-key` after finding out who writes to the target.",
  },
  SINK_DAMAGED: {
    exit: 3,
    retry: "never",
    meaning:
      "The sink's own records are not as they were left, or the target table is gone or changed, or the database file is damaged.",
    action: "Restore the file from a backup, or remove it and begin anew with `millrace drop FILE`.",
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
  INTERNAL: {
    exit: 1,
    retry: "never",
    meaning:
      "A defect in Millrace, or an error of the system that nothing here classifies yet. Nothing uncommitted was acknowledged to the source.",
    action: "Run again: it resumes from the last committed epoch. Report it with the log lines around it.",
  },
};
