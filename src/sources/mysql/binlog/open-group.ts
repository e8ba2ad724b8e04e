import type { GroupStart } from "./gtid.ts";
import type { FileTransaction } from "../position/file-position.ts";
import type { Savepoints } from "./savepoints.ts";
import type { XaEvents } from "./xa-events.ts";

/** The transaction of the log between its GTID and its end. */
export interface OpenGroup extends Omit<GroupStart, "transaction"> {
  readonly transaction: GroupStart["transaction"] | FileTransaction;
  readonly skipped: boolean;
  /** Rows may come. */
  begun: boolean;
  /** A statement of it was delivered. */
  touched: boolean;
  readonly savepoints: Savepoints;
  /** Its events are kept, for the outcome of the XA transaction that they are of. */
  xa: XaEvents | null;
}
