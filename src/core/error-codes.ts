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
  // every room
  | "INTERNAL";

/** Every error code there is. docs/errors.md is generated from this table (`npm run docs`), and a test fails when it is stale. */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorCodeInfo>> = {
  CONFIG_INVALID: {
    exit: 2,
    retry: "never",
    meaning: "The pipeline file cannot be used as it is. Every problem in it is listed, each with file, line and column.",
    action: "Mend the places named, then check with `millrace validate FILE`.",
  },
  USAGE: {
    exit: 2,
    retry: "never",
    meaning: "The command line is not one that millrace understands.",
    action: "See `millrace --help`.",
  },
  INTERNAL: {
    exit: 1,
    retry: "never",
    meaning:
      "A defect in Millrace, or an error of the system that nothing here classifies yet. Nothing uncommitted was acknowledged to the source.",
    action: "Run again: it resumes from the last committed epoch. Report it with the log lines around it.",
  },
};
