import type { TableLog } from "../../../decoding/table-log.ts";
import type { BinlogRowWriter } from "./row-writer.ts";
import type { CopiedRows } from "./copied-rows.ts";
import type { TableMap } from "./table-map.ts";

/**
 * A table of the log, as a table map has described it. `told`: the catalog has not been asked yet; it is when a first
 * row comes, since the map may stand in a transaction that is passed over. `bytes`: the map from behind its table id.
 */
export type LoggedTable =
  | { readonly kind: "ignored"; readonly bytes: Uint8Array }
  /** A copy of the table that a tool is making; `rows` is a text where they cannot be read. */
  | { readonly kind: "copy"; readonly bytes: Uint8Array; readonly table: TableLog; readonly rows: CopiedRows | string }
  | { readonly kind: "told"; readonly bytes: Uint8Array; readonly map: TableMap; readonly table: TableLog }
  | {
      readonly kind: "delivered";
      readonly bytes: Uint8Array;
      readonly table: TableLog;
      readonly writer: BinlogRowWriter;
    };

export function sameBytes(known: Uint8Array, b: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== b[start + i]) return false;
  return true;
}
