import { MillraceError } from "../core/errors.ts";

/** What was staged for `key` is not there, and the object neither. */
export function stagedLost(key: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError("STORE_STAGED_LOST", `what was staged for ${key} is lost: ${why}`, {
    place: { file: key },
    ...(cause === undefined ? {} : { cause }),
  });
}
