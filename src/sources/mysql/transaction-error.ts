import { MillraceError } from "../../core/errors.ts";
import type { TableId } from "../../core/table-schema.ts";

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
