import type { ErrorCodeInfo } from "./error-code-info.ts";

export type StoreErrorCode =
  | "STORE_UNREACHABLE"
  | "STORE_BUSY"
  | "STORE_MISSING"
  | "STORE_REGION"
  | "STORE_CREDENTIALS"
  | "STORE_DENIED"
  | "STORE_FULL"
  | "STORE_CONDITION"
  | "STORE_UNSUPPORTED"
  | "STORE_STAGED_LOST"
  | "STORE_FAILED";

/** Errors of folders and object stores: a part of the table in error-codes.ts. */
export const STORE_ERRORS: Readonly<Record<StoreErrorCode, ErrorCodeInfo>> = {
  STORE_UNREACHABLE: {
    exit: 3,
    retry: "timed",
    meaning:
      "The object store did not answer, broke connections off, or answered with errors of its own (500, 502, 504), for longer than a request is repeated. Normal for a while when it restarts or the network is down.",
    action: "It is tried again by itself. Where it stays so, check the endpoint and the network from this machine.",
  },
  STORE_BUSY: {
    exit: 3,
    retry: "timed",
    meaning: "The object store asks for fewer requests (503 SlowDown, 429) for longer than a request is repeated.",
    action:
      "It is tried again by itself. Where it stays so, write fewer and larger files: a longer checkpoint interval, fewer partitions.",
  },
  STORE_MISSING: {
    exit: 3,
    retry: "manual",
    meaning:
      "The bucket does not exist, or the folder that should hold ours. Neither is made: a name with a mistake in it would be another place.",
    action: "Create the bucket or the folder, or correct its name.",
  },
  STORE_REGION: {
    exit: 3,
    retry: "manual",
    meaning: "The bucket is in another region than the one that was asked, or no region is set at all.",
    action: "Set the bucket's own region.",
  },
  STORE_CREDENTIALS: {
    exit: 3,
    retry: "manual",
    meaning:
      "The object store does not know these credentials, or they have expired and cannot be renewed, or none were found.",
    action:
      "Check access key and secret; without them the AWS client's usual places are searched: environment, profile, role of the machine.",
  },
  STORE_DENIED: {
    exit: 3,
    retry: "manual",
    meaning:
      "The user is known, but may not do this: permissions of the folder, a read-only file system, or the bucket's policy.",
    action:
      "Give this user the right to read, write and delete in the folder; on S3 GetObject, PutObject, DeleteObject, AbortMultipartUpload and ListMultipartUploadParts under the prefix, and ListBucket and ListBucketMultipartUploads on the bucket.",
  },
  STORE_FULL: {
    exit: 3,
    retry: "manual",
    meaning: "The disk or the quota of the store is full. What was being written is not visible to anybody.",
    action: "Make room, then run again: it resumes from the last committed epoch.",
  },
  STORE_CONDITION: {
    exit: 1,
    retry: "never",
    meaning:
      "An object that should have been written only where nothing had changed was changed by somebody else: another process writes to the same place.",
    action: "Find out who else writes there. Two pipelines need two places.",
  },
  STORE_UNSUPPORTED: {
    exit: 3,
    retry: "manual",
    meaning: "The object store or the file system cannot do what is needed of it.",
    action: "Use another one, or a newer version of it.",
  },
  STORE_STAGED_LOST: {
    exit: 1,
    retry: "never",
    meaning:
      "A file that was written and is to be made visible is neither there nor in the store's staging: somebody or a lifecycle rule has removed it.",
    action:
      "Restore the staged files, or begin the tables anew. Let no lifecycle rule abort multipart uploads that are younger than a week, and nobody clean the `.staged` folder.",
  },
  STORE_FAILED: {
    exit: 1,
    retry: "manual",
    meaning: "The store answered with an error that has no code of its own. Nothing of the epoch was committed.",
    action: "Run again: it resumes from the last committed epoch. Report it where it comes again.",
  },
};
