import type { ErrorCodeInfo } from "./error-code-info.ts";

export type SourceErrorCode =
  | "SOURCE_UNREACHABLE"
  | "SOURCE_AUTH"
  | "SOURCE_NO_DATABASE"
  | "SOURCE_BUSY"
  | "SOURCE_DISK_FULL"
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
  | "TABLE_NOT_SUPPORTED"
  | "TABLE_UNPUBLISHED"
  | "SCHEMA_CHANGED"
  | "DDL_UNCLEAR"
  | "SHAPE_UNKNOWN"
  | "DDL_IN_LARGE_TRANSACTION"
  | "ROLLBACK_IN_LARGE_TRANSACTION"
  | "XA_TOO_LARGE"
  | "XA_UNDECIDED"
  | "VALUE_UNREPRESENTABLE"
  | "DECODE_FAILED"
  | "LOG_NOT_UNDERSTOOD"
  | "PUBLICATION_MISMATCH"
  | "SERVER_ID_IN_USE"
  | "SLOT_IN_USE"
  | "SLOT_MISMATCH"
  | "SLOT_WAIT"
  | "START_NOT_IN_LOG"
  | "GTIDS_CHANGED"
  | "LOG_LOST"
  | "SOURCE_BEHIND";

/** Errors of the source: a part of the table in error-codes.ts. */
export const SOURCE_ERRORS: Readonly<Record<SourceErrorCode, ErrorCodeInfo>> = {
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
    action:
      "Check `username` and `password`, and which hosts the server lets that user in from (PostgreSQL: `pg_hba.conf`; MySQL: the host part of the user).",
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
  SOURCE_DISK_FULL: {
    exit: 1,
    retry: "timed",
    meaning:
      "The source's server has no space left for what it writes beside a statement of ours: a temporary file, or PostgreSQL's files of a transaction that it decodes. Nothing is lost.",
    action: "Make room on the server; it is tried again.",
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
    meaning:
      "A table of the source was locked by somebody else for longer than we wait (`lock.timeout`), that wait was ended as a deadlock, or the table was altered again and again just as we began to read it.",
    action:
      "Nothing, when the lock goes away; else end the session that holds it (PostgreSQL: `SELECT * FROM pg_locks WHERE NOT granted`; MySQL: `SHOW PROCESSLIST`).",
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
    action: "Use PostgreSQL 14, MySQL 8.0 or MariaDB 10.6, or newer.",
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
    action:
      "Check them: `database.schema.table` (MySQL: `database.table`), where `\\.` is the dot of a regular expression.",
  },
  TABLE_NO_IDENTITY: {
    exit: 3,
    retry: "manual",
    meaning:
      "The log does not say which row of this table an UPDATE or DELETE means: it has no key, and its changes do not have whole rows. On PostgreSQL, publishing it would also make those statements fail in the application.",
    action:
      "Give it a primary key, or have whole rows logged: REPLICA IDENTITY FULL on PostgreSQL, `binlog_row_image = FULL` on MySQL and MariaDB. Or leave it out with `tables.exclude`.",
  },
  TABLE_NOT_LOGGED: {
    exit: 3,
    retry: "manual",
    meaning: "Changes of this table are not in the log at all: it is unlogged, temporary or foreign.",
    action: "Leave it out with `tables.exclude`, or make it a logged table.",
  },
  TABLE_NOT_SUPPORTED: {
    exit: 3,
    retry: "manual",
    meaning:
      "The table has a column type, a character set or a storage engine that cannot be read exactly, so it is not read at all.",
    action: "Change what the message names, or leave the table out with `tables.exclude`.",
  },
  TABLE_UNPUBLISHED: {
    exit: 1,
    retry: "manual",
    meaning:
      "The table was dropped (and perhaps created again), renamed, or taken out of the publication. PostgreSQL does not log that; changes made since are lost to this table.",
    action:
      "Where the table exists, begin it anew with `millrace run FILE --resnapshot TABLE`; else leave it out with `tables.exclude`.",
  },
  SCHEMA_CHANGED: {
    exit: 1,
    retry: "manual",
    meaning:
      "A table changed its shape in a way that its target cannot follow (a column dropped, renamed or of another type, another key).",
    action: "Begin the table anew with `millrace run FILE --resnapshot TABLE`.",
  },
  DDL_UNCLEAR: {
    exit: 1,
    retry: "manual",
    meaning:
      "A statement altered a table in a way that is not understood, or added a column without telling which value the rows before it got.",
    action: "Begin the table anew with `millrace run FILE --resnapshot TABLE`.",
  },
  SHAPE_UNKNOWN: {
    exit: 1,
    retry: "manual",
    meaning:
      "The log does not name the columns of its rows (`binlog_row_metadata` is not FULL), and they are not those that the table must have by the statements before them: one was kept from the log (`sql_log_bin = 0`), or the server has another default than its log tells. Nothing was guessed: the table has stopped; the others go on.",
    action:
      "Set `binlog_row_metadata = FULL` at the source where you can; then begin the table anew with `millrace run FILE --resnapshot TABLE`.",
  },
  DDL_IN_LARGE_TRANSACTION: {
    exit: 1,
    retry: "manual",
    meaning:
      "A transaction altered a table after more rows of it had been passed on than are held back, so the new columns cannot be put before the transaction as they must be. The table has stopped; the others go on.",
    action:
      "Begin the table anew with `millrace run FILE --resnapshot TABLE`. Run large updates and ALTER TABLE in transactions of their own.",
  },
  ROLLBACK_IN_LARGE_TRANSACTION: {
    exit: 1,
    retry: "manual",
    meaning:
      "A transaction is in the log with rows that it rolled back (MariaDB writes those where a transaction made temporary tables, or went back to a savepoint after it had changed tables that cannot be rolled back), after more of them had been passed on than are held back. None of its rows was committed. The table has stopped; the others go on.",
    action:
      "Begin the table anew with `millrace run FILE --resnapshot TABLE`. Make temporary tables outside of large transactions.",
  },
  XA_TOO_LARGE: {
    exit: 1,
    retry: "manual",
    meaning:
      "Changes of XA transactions are kept in memory from their XA PREPARE to their outcome, 64 MiB of the log in all, and there were more. The table has stopped; the others go on.",
    action:
      "Commit or roll back the XA transaction, then begin the table anew with `millrace run FILE --resnapshot TABLE`. Use smaller XA transactions.",
  },
  XA_UNDECIDED: {
    exit: 1,
    retry: "timed",
    meaning:
      "A pipeline cannot begin while XA transactions are prepared and neither committed nor rolled back: their changes are in the log before its start, and their outcome will be behind it.",
    action: "Commit or roll back the XA transactions that the message names (`XA RECOVER` lists them).",
  },
  VALUE_UNREPRESENTABLE: {
    exit: 1,
    retry: "manual",
    meaning:
      "A column holds a value that its type in the sink cannot: NaN in a decimal, an infinite date or timestamp, a timestamp beyond the year 294,246, a day that there is not; or a key has a character that is the same as another one in UTF-8. The table has stopped; the others go on.",
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
  SERVER_ID_IN_USE: {
    exit: 3,
    retry: "manual",
    meaning: "Another replica of the MySQL server has the same id, and the server keeps only one of the two connected.",
    action: "End the other run of this pipeline, or give one of them another `server-id`.",
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
  START_NOT_IN_LOG: {
    exit: 3,
    retry: "manual",
    meaning:
      "The place where `scan.startup.mode` has the pipeline begin is not in the source's log: its files were purged, it is still to come, or it is inside a transaction.",
    action: "Name another place, or begin with `scan.startup.mode: initial`.",
  },
  GTIDS_CHANGED: {
    exit: 3,
    retry: "manual",
    meaning:
      "MySQL's GTIDs were switched on or off since the pipeline was begun. A position made of GTIDs means nothing without them, and with them the server does not send what it logged before.",
    action:
      "Set `gtid_mode` back to what it was; or begin anew with `millrace drop FILE` and `millrace run FILE`, which is the way to positions that survive a failover.",
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
};
