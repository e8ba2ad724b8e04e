import type { RelationMessage } from "./pgoutput.ts";
import type { RowWriter } from "./row-writer.ts";
import type { TableLog } from "../../decoding/table-log.ts";

/**
 * A relation of the log in its present shape. `told`: the catalog has not been asked yet; it is when a first row comes,
 * since the Relation message may stand in a transaction that is passed over.
 */
export type LogRelation =
  | {
      readonly kind: "told";
      readonly message: RelationMessage;
      readonly bytes: Uint8Array;
      readonly table: TableLog | null;
    }
  | { readonly kind: "ignored"; readonly message: RelationMessage; readonly bytes: Uint8Array }
  | {
      readonly kind: "delivered";
      readonly message: RelationMessage;
      readonly bytes: Uint8Array;
      readonly table: TableLog;
      readonly writer: RowWriter;
    };

export function sameBytes(known: Uint8Array, b: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== b[start + i]) return false;
  return true;
}
