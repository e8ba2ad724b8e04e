import type { BinlogFormat } from "./format.ts";

/** Events that are not read from the log itself, one after the other: of a compressed transaction, or kept ones. */
export interface LoggedEvents {
  /** What describes them; null: the log's own. */
  readonly format: BinlogFormat | null;
  /** The present one is `bytes[start, end)`, without a checksum. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Whether there is a next one, which is then the present one. */
  next(): boolean;
}
