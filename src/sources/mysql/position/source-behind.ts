import { MillraceError } from "../../../core/errors.ts";
import type { LogPosition } from "../position.ts";

export const LOG_RESET =
  "Its binlog was reset (RESET BINARY LOGS), or it was restored from a backup. Check that it is the right server; then run `millrace drop FILE` and begin from a new snapshot.";

export function behind(what: string, position: LogPosition, hint?: string): MillraceError {
  return new MillraceError("SOURCE_BEHIND", `the server does not have what was delivered already: ${what}`, {
    place: { position: position.toString() },
    ...(hint === undefined ? {} : { hint }),
  });
}
