import type { ErrorCodeInfo } from "./error-code-info.ts";

export type CheckpointErrorCode =
  | "CHECKPOINT_LOCKED"
  | "CHECKPOINT_DAMAGED"
  | "CHECKPOINT_NEWER_FORMAT"
  | "CHECKPOINT_DISK_FULL"
  | "CHECKPOINT_UNWRITABLE"
  | "CHECKPOINT_UNREACHABLE"
  | "CHECKPOINT_DENIED"
  | "CHECKPOINT_REDIS_FULL"
  | "CHECKPOINT_BEHIND"
  | "CHECKPOINT_FAILED"
  | "FENCED"
  | "OVERTAKEN"
  | "RECORD_DAMAGED"
  | "RECOVERY_SINK_EMPTY"
  | "RECOVERY_SINK_BEHIND"
  | "RECOVERY_STORE_EMPTY"
  | "STATE_EXISTS"
  | "STATE_FILE_INVALID"
  | "TABLE_RESET"
  | "TABLES_CHANGED"
  | "TABLES_REFUSED"
  | "ALL_TABLES_STOPPED"
  | "SOURCE_CHANGED";

/** Errors of the checkpoint and recovery: a part of the table in error-codes.ts. */
export const CHECKPOINT_ERRORS: Readonly<Record<CheckpointErrorCode, ErrorCodeInfo>> = {
  CHECKPOINT_LOCKED: {
    exit: 1,
    retry: "manual",
    meaning:
      "Another living process has this pipeline's checkpoint: the same pipeline runs twice, or two pipeline files share one name and store.",
    action:
      "Stop the process named, or give this pipeline another name. A lock of a process that died is taken over by itself.",
  },
  CHECKPOINT_DAMAGED: {
    exit: 1,
    retry: "manual",
    meaning:
      "A file of the checkpoint store is missing, incomplete or changed, and it is not just the newest one (which is passed over with a warning); or keys of it in Redis are. Nothing was changed.",
    action: "Restore it from a backup; or restore it from the sink's own copy with `millrace state adopt FILE`.",
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
  CHECKPOINT_UNREACHABLE: {
    exit: 3,
    retry: "timed",
    meaning:
      "The Redis of the checkpoint store does not answer, or cannot be written to for a while: it restarts, loads its data, fails over, or is a replica. Nothing is acknowledged to the source meanwhile.",
    action:
      "A running pipeline waits for it. Where it stays so, check `pipeline.checkpoint.store` and the network from this machine.",
  },
  CHECKPOINT_DENIED: {
    exit: 3,
    retry: "manual",
    meaning:
      "The Redis of the checkpoint store does not know this user or password, or does not let it do what is needed.",
    action:
      "Check user and password in `pipeline.checkpoint.store`. The user needs `~millrace:*` and the commands eval, multi, exec, hgetall, hset, hdel, hget, hmget, hlen, get, set, del, unlink, exists, hincrby, rename, persist, pexpire, pttl and type; on a cluster `cluster`, too.",
  },
  CHECKPOINT_REDIS_FULL: {
    exit: 3,
    retry: "timed",
    meaning:
      "The Redis of the checkpoint store is out of memory or cannot write its own files, and takes no writes. What it holds is whole.",
    action: "A running pipeline waits for it. Give it memory (`maxmemory`) or room on its disk.",
  },
  CHECKPOINT_BEHIND: {
    exit: 1,
    retry: "timed",
    meaning:
      "Redis does not hold what this run had put into it: it lost its last second, failed over to a replica that lagged, or was emptied. Nothing of the epoch under way was committed.",
    action: "Nothing: the run recovers, from the sink's own copy where it can.",
  },
  CHECKPOINT_FAILED: {
    exit: 1,
    retry: "manual",
    meaning:
      "The checkpoint store answered with an error that has no code of its own. Nothing of the epoch was committed.",
    action: "Run again: it resumes from the last committed epoch. Report it where it comes again.",
  },
  FENCED: {
    exit: 1,
    retry: "never",
    meaning:
      "Another process runs this pipeline and has gone on from where this one stood. This one changed nothing more. Normal after a takeover; a sign of two running copies otherwise.",
    action: "Run one copy of the pipeline.",
  },
  OVERTAKEN: {
    exit: 1,
    retry: "timed",
    meaning:
      "While this run was starting, the one before it committed an epoch that it had under way: it was paused, or cut off, and went on. The start is repeated at once; one that was overtaken a hundred times is up against a run that goes on all the time.",
    action: "Nothing, where the run recovers from there. Where it ends: stop the other run.",
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
      "Restore the newer target; or take the sink's epoch for the truth with `millrace state adopt FILE`: the next run goes on from it where the source still has the log from there; or begin anew after `millrace drop FILE`.",
  },
  RECOVERY_STORE_EMPTY: {
    exit: 1,
    retry: "manual",
    meaning:
      "The sink holds epochs of this pipeline but the checkpoint store holds nothing: the store was deleted or emptied, `pipeline.checkpoint.store` points elsewhere, or another pipeline of this name writes to this sink.",
    action:
      "Set `pipeline.checkpoint.store` back; or, if no other pipeline of this name writes to the sink, restore the checkpoint from the sink's own copy with `millrace state adopt FILE`; or begin anew after `millrace drop FILE`.",
  },
  STATE_EXISTS: {
    exit: 1,
    retry: "manual",
    meaning: "A state is to be imported into a checkpoint store that holds one of this pipeline already.",
    action: "Take that away first, with `millrace drop FILE`, or name another `pipeline.checkpoint.store`.",
  },
  STATE_FILE_INVALID: {
    exit: 2,
    retry: "never",
    meaning:
      "The file is not one that `millrace state export` has written, is of a newer version, was changed since, or holds another pipeline's state.",
    action: "Export the state again, from the store that the pipeline ran with last.",
  },
  TABLE_RESET: {
    exit: 1,
    retry: "manual",
    meaning: "`millrace state reset` was asked to begin this table anew. Its rows stay in the sink until then.",
    action: "`millrace run FILE` reads the table again.",
  },
  TABLES_CHANGED: {
    exit: 1,
    retry: "manual",
    meaning:
      "What the pipeline file and the source say of a table is not what it was begun with: another key, target name or policy for values.",
    action: "Undo the change; or begin these tables anew with `millrace run FILE --resnapshot TABLE`, once for each.",
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
};
