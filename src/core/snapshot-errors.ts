import type { ErrorCodeInfo } from "./error-code-info.ts";

export type SnapshotErrorCode =
  | "CHUNK_WORKER_LOST"
  | "CHUNK_WORKERS_FAILING"
  | "COMPLETE_TIMEOUT"
  | "SNAPSHOT_UNSURE"
  | "SPILL_UNWRITABLE"
  | "STAGED_CHUNK_UNREADABLE"
  | "STAGING_FAILED";

/** Errors of the snapshot: a part of the table in error-codes.ts. */
export const SNAPSHOT_ERRORS: Readonly<Record<SnapshotErrorCode, ErrorCodeInfo>> = {
  CHUNK_WORKER_LOST: {
    exit: 1,
    retry: "timed",
    meaning:
      "A worker that was reading a chunk of a snapshot ended in the middle of it, most often for want of memory; or workers of other processes did, several of them, one after the other, or the queue has lost the chunk. It is read again, a few times.",
    action:
      "Nothing, where it happens once. Else give the process more memory, or read fewer chunks at a time; of `millrace worker`, look at what its processes ended with.",
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
      "A row was moved to another key, or changed, and the log did not carry all of its new values, so they are asked of the source once the transaction is visible there. It did not become visible in time: a commit that waits for a synchronous standby, for instance. The table was stopped; the others go on.",
    action:
      "See what the transaction named in the message waits for on the source. Then begin the table anew, or raise the timeout where such waits are normal.",
  },
  SNAPSHOT_UNSURE: {
    exit: 1,
    retry: "manual",
    meaning:
      "A table without a key is read in one go, from a moment of which it must be known which changes came before it. MySQL does not tell that of transactions that are being committed just then, and the table was written to at every moment that was tried. It has stopped; the others go on.",
    action:
      "Give the table a primary key, or begin it anew when less is written to it: `millrace run FILE --resnapshot TABLE`.",
  },
  SPILL_UNWRITABLE: {
    exit: 1,
    retry: "manual",
    meaning:
      "While a table without a key is read, its changes wait in a file beside the checkpoint. That file cannot be written: a full disk, or permissions. The table stops alone, with nothing lost that was committed.",
    action: "Make room there, then begin the table anew with `millrace run FILE --resnapshot TABLE`.",
  },
  STAGED_CHUNK_UNREADABLE: {
    exit: 1,
    retry: "timed",
    meaning:
      "A chunk that a worker of another process has read is not in `pipeline.staging` as that worker has left it: a file of it is gone, or damaged. The chunk is read again.",
    action:
      "Where it comes again: `pipeline.staging` must be one and the same place for the run and for every worker (a shared folder, a bucket), and nothing else may remove files there.",
  },
  STAGING_FAILED: {
    exit: 3,
    retry: "timed",
    meaning:
      "The place where workers of other processes leave the chunks that they have read, `pipeline.staging`, cannot be used from here: the message names what the store said. The chunk is read again, and a worker that cannot stage rests for a while.",
    action:
      "See to it that this machine reaches the place, that it is the same for the run and for all workers, and that they may write, read, list and delete there.",
  },
};
