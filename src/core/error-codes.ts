import type { ErrorCodeInfo } from "./error-code-info.ts";
import { CHECKPOINT_ERRORS, type CheckpointErrorCode } from "./checkpoint-errors.ts";
import { COMMAND_ERRORS, type CommandErrorCode } from "./command-errors.ts";
import { FORMAT_ERRORS, type FormatErrorCode } from "./format-errors.ts";
import { SINK_ERRORS, type SinkErrorCode } from "./sink-errors.ts";
import { SNAPSHOT_ERRORS, type SnapshotErrorCode } from "./snapshot-errors.ts";
import { SOURCE_ERRORS, type SourceErrorCode } from "./source-errors.ts";
import { STORE_ERRORS, type StoreErrorCode } from "./store-errors.ts";

export type ErrorCode =
  | CommandErrorCode
  | SourceErrorCode
  | SnapshotErrorCode
  | CheckpointErrorCode
  | SinkErrorCode
  | StoreErrorCode
  | FormatErrorCode
  | "INTERNAL";

/**
 * Every error code there is, from one table a room. docs/errors.md is generated from it (`npm run docs`), and a test fails when it
 * is stale.
 */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorCodeInfo>> = {
  ...COMMAND_ERRORS,
  ...SOURCE_ERRORS,
  ...SNAPSHOT_ERRORS,
  ...CHECKPOINT_ERRORS,
  ...SINK_ERRORS,
  ...STORE_ERRORS,
  ...FORMAT_ERRORS,
  INTERNAL: {
    exit: 1,
    retry: "never",
    meaning:
      "A defect in Millrace, or an error of the system that nothing here classifies yet. Nothing uncommitted was acknowledged to the source.",
    action: "Run again: it resumes from the last committed epoch. Report it with the log lines around it.",
  },
};
