import { MillraceError } from "../../../core/errors.ts";
import type { TableId } from "../../../core/table-schema.ts";
import { eventName } from "./event.ts";

/** Of a set of GTIDs in a message. */
const POSITION_CHARS_MAX = 200;

/** `position`: of the present transaction, or what was read before it. */
export function notUnderstood(what: string, position: string, eventType: number, hint?: string): MillraceError {
  const at = position.slice(0, POSITION_CHARS_MAX) || "the start";
  return new MillraceError("LOG_NOT_UNDERSTOOD", `the log has ${what}, at ${at} in event ${eventName(eventType)}`, {
    place: { position: at },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Ends the attempt, with what was passed on of the transaction; the next one begins with the table stopped. */
export function largeRollback(table: TableId, position: string): MillraceError {
  return new MillraceError(
    "ROLLBACK_IN_LARGE_TRANSACTION",
    `the transaction at ${position} was rolled back after more changes of ${table} than are held back`,
    { place: { table, position } },
  );
}

export function largeXa(table: TableId, xid: string, position: string): MillraceError {
  return new MillraceError(
    "XA_TOO_LARGE",
    `the XA transaction ${xid}, prepared at ${position}, has more changes of ${table} than are kept until its outcome`,
    { place: { table, position } },
  );
}

/** Its rows cannot be had any more. */
export function unreadXa(xid: string, position: string): MillraceError {
  return new MillraceError(
    "LOG_LOST",
    `the XA transaction ${xid}, committed at ${position}, was prepared before what has been read of the log`,
    { place: { position } },
  );
}
