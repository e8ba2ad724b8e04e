import { MillraceError } from "../../core/errors.ts";
import type { LogItem } from "../../core/line.ts";
import type { ValueRules } from "../../core/source.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import type { PgLsn, PgPosition, Xid64 } from "./position.ts";
import type { RelationMessage } from "./pgoutput.ts";

/**
 * What the catalog says to a relation of the log. `ignore`: none of ours. `same`: the known schema stands. `schema`:
 * columns were added, this is the next version. `stop`: this table of ours cannot go on.
 */
export type RelationAnswer =
  | { readonly kind: "ignore" }
  | { readonly kind: "same" }
  | { readonly kind: "schema"; readonly schema: TableSchema }
  | { readonly kind: "stop"; readonly table: TableId; readonly error: MillraceError };

export interface LogDecoderOptions {
  /** The tables to deliver, in the shape they had at `from`. */
  readonly tables: readonly TableSchema[];
  readonly from: PgPosition;
  /** Any xid of the time: `pg_current_xact_id()` when the log was opened. */
  readonly nearXid: Xid64;
  readonly batchBytesMax: number;
  readonly rules: ValueRules;
  /**
   * Asked before the first row of a relation in its present shape: once a relation after start, and when the Relation
   * message differs from the one before. Never for a message that says the same again. `known` is the decoder's schema
   * for it: of the table with that name, or of the one that the relation's OID was before; null: none.
   */
  readonly lookup: (relation: RelationMessage, known: TableSchema | null) => Promise<RelationAnswer>;
}

const todo = (): never => {
  throw new MillraceError("INTERNAL", "not written yet");
};

/** Turns pgoutput messages (protocol version 1, text values) into items of the line. */
export class LogDecoder {
  constructor(options: LogDecoderOptions) {
    todo();
    void options;
  }

  /** Between Begin and Commit. */
  get inTransaction(): boolean {
    return todo();
  }

  /** Bytes of rows in open batches and in items not yet taken. */
  get heldBytes(): number {
    return todo();
  }

  /** Items wait to be taken. */
  get hasItems(): boolean {
    return todo();
  }

  /**
   * One message (the payload of an XLogData message). Null: done. A promise: a lookup is under way, and the next message
   * may be given when it resolves. The bytes are not kept beyond the call in either case. Throws LOG_NOT_UNDERSTOOD.
   */
  decode(bytes: Uint8Array, start: number, end: number): Promise<void> | null {
    void [bytes, start, end];
    return todo();
  }

  /** The walsender has sent everything up to there: moves the position when no transaction is open. */
  keepalive(walEnd: PgLsn): void {
    todo();
    void walEnd;
  }

  /** Closes all batches and says how far the log is; inside a transaction, at its commit. */
  flush(): void {
    todo();
  }

  /** The items so far, in order. */
  take(): LogItem[] {
    return todo();
  }

  /** Delivers no more of the table; what is decoded of it already stays. */
  dropTable(table: TableId): void {
    todo();
    void table;
  }
}
