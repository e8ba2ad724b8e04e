import type { ErrorCodeInfo } from "./error-code-info.ts";

export type FormatErrorCode = "PARQUET_ENCODE_FAILED" | "PARQUET_WORKER_LOST";

/** Errors of files that are made: a part of the table in error-codes.ts. */
export const FORMAT_ERRORS: Readonly<Record<FormatErrorCode, ErrorCodeInfo>> = {
  PARQUET_ENCODE_FAILED: {
    exit: 1,
    retry: "never",
    meaning:
      "A row group could not be made into Parquet: a text that is not UTF-8, a value that its column's type cannot hold, or the encoder has ended over it, most often for want of memory. Nothing of it was committed.",
    action:
      "Where the message speaks of memory or `unreachable`, make row groups smaller. Else leave the table out or give its column another type, and report it with the message.",
  },
  PARQUET_WORKER_LOST: {
    exit: 1,
    retry: "timed",
    meaning:
      "A thread that makes Parquet files ended with a row group at hand, most often for want of memory, or because the one before it had broken the encoder. The epoch is written again by another thread.",
    action: "Nothing, where it happens once. Else give the process more memory, or make row groups smaller.",
  },
};
