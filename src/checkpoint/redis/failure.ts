import type { ErrorCode } from "../../core/error-codes.ts";
import { MillraceError } from "../../core/errors.ts";

/** Replies of a server that will answer otherwise in a while, by their first word. */
const PASSING: Readonly<Record<string, ErrorCode>> = {
  LOADING: "CHECKPOINT_UNREACHABLE",
  MASTERDOWN: "CHECKPOINT_UNREACHABLE",
  READONLY: "CHECKPOINT_UNREACHABLE",
  CLUSTERDOWN: "CHECKPOINT_UNREACHABLE",
  TRYAGAIN: "CHECKPOINT_UNREACHABLE",
  BUSY: "CHECKPOINT_UNREACHABLE",
  NOREPLICAS: "CHECKPOINT_UNREACHABLE",
  OOM: "CHECKPOINT_REDIS_FULL",
  MISCONF: "CHECKPOINT_REDIS_FULL",
};

/** And those that stay, unless somebody does something. */
const LASTING: Readonly<Record<string, ErrorCode>> = {
  NOAUTH: "CHECKPOINT_DENIED",
  WRONGPASS: "CHECKPOINT_DENIED",
  NOPERM: "CHECKPOINT_DENIED",
  WRONGTYPE: "CHECKPOINT_DAMAGED",
};

/** A failed command, as an error that an operator can act on. Where it is worth trying again, its `retry` is `timed`. */
export function redisFailure(error: unknown, place: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  // A server's own answer. What went wrong in a script has `ERR` before it, or the word itself.
  if (name === "ReplyError") return replyFailure(message, place, error);
  return new MillraceError("CHECKPOINT_UNREACHABLE", `${place} cannot be reached: ${message}`, { cause: error });
}

function replyFailure(message: string, place: string, cause: unknown): MillraceError {
  const word = /^(?:-?ERR )?-?([A-Z]+)\b/.exec(message)?.[1] ?? "";
  // A password where there is none, from before users had names.
  const denied = /AUTH|invalid (username|password)/i.test(message) ? "CHECKPOINT_DENIED" : undefined;
  const code = PASSING[word] ?? LASTING[word] ?? denied ?? "CHECKPOINT_FAILED";
  return new MillraceError(code, `${place} answered: ${message}`, { cause });
}
