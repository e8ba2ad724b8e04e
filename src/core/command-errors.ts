import type { ErrorCodeInfo } from "./error-code-info.ts";

export type CommandErrorCode = "CONFIG_INVALID" | "USAGE";

/** Errors of the command and the pipeline file: a part of the table in error-codes.ts. */
export const COMMAND_ERRORS: Readonly<Record<CommandErrorCode, ErrorCodeInfo>> = {
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
};
