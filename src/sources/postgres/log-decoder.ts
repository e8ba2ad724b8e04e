import { MillraceError } from "../../core/errors.ts";
import type { LogItem } from "../../core/line.ts";
import type { ValueRules } from "../../core/source.ts";
import { tableId, type TableId, type TableSchema } from "../../core/table-schema.ts";
import { LogOutput } from "../../decoding/log-output.ts";
import { type LogRelation, sameBytes } from "./log-relation.ts";
import {
  MessageCode,
  readInt32,
  readInt64,
  readRelation,
  readTruncate,
  type RelationMessage,
  TupleCells,
  TupleCode,
} from "./pgoutput.ts";
import { formatLsn, type PgLsn, pgLsn, PgPosition, PgTransaction, widenXid, type Xid64 } from "./position.ts";
import { relationMismatch, RowWriter } from "./row-writer.ts";
import { TableLog } from "../../decoding/table-log.ts";
import { valueError } from "../../decoding/value-error.ts";

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
  readonly flushRows: number;
  readonly rules: ValueRules;
  /**
   * Asked before the first row of a relation in its present shape: once a relation after start, and when the Relation
   * message differs from the one before. For one that says the same again, only where that may hide another key.
   * `known` is the decoder's schema for it: of the table that the relation's OID was before, or of the one with that
   * name; null: none. `xid`: the transaction that the change is of.
   */
  readonly lookup: (relation: RelationMessage, known: TableSchema | null, xid: Xid64) => Promise<RelationAnswer>;
}

/** The transaction between Begin and Commit. `made` when its first row of interest comes. */
interface OpenTransaction {
  readonly skipped: boolean;
  readonly xid: Xid64;
  readonly commitLsn: PgLsn;
  readonly commitTimeMs: number;
  made: PgTransaction | null;
}

type Told = Extract<LogRelation, { kind: "told" }>;
type Delivered = Extract<LogRelation, { kind: "delivered" }>;

const BEGIN_BYTES = 21;
const COMMIT_BYTES = 26;
const EPOCH_MS = 946_684_800_000;

/**
 * Turns pgoutput messages (protocol version 1, text values) into items of the line. Not restartable after an error:
 * the log is then read again from the last position.
 */
export class LogDecoder {
  readonly #options: LogDecoderOptions;
  readonly #output: LogOutput;
  readonly #tables = new Map<TableId, TableLog>();
  readonly #relations = new Map<number, LogRelation>();
  /** The relation of the last change: nearly always that of the next one too. */
  #last: LogRelation | null = null;
  #lastOid = -1;
  #transaction: OpenTransaction | null = null;
  #nearXid: Xid64;
  #position: PgPosition;
  readonly #row = new TupleCells();
  readonly #oldRow = new TupleCells();

  constructor(options: LogDecoderOptions) {
    this.#options = options;
    this.#output = new LogOutput(options.from, options);
    this.#nearXid = options.nearXid;
    this.#position = options.from;
    for (const schema of options.tables) this.#tables.set(schema.id, new TableLog(schema));
  }

  /** Between Begin and Commit. */
  get inTransaction(): boolean {
    return this.#transaction !== null;
  }

  /** The tables that are delivered still, in the shape that they have at this place of the log. */
  get delivered(): readonly TableSchema[] {
    return [...this.#tables.values()].filter((table) => !table.ended).map((table) => table.schema);
  }

  /** Bytes of rows in open batches and in items not yet taken (never less than there are, at most about twice). */
  get heldBytes(): number {
    return this.#output.heldBytes;
  }

  /** The items so far, in order. */
  take(): LogItem[] {
    return this.#output.take();
  }

  /** Closes all batches and says how far the log is; inside a transaction, at its commit. */
  flush(): void {
    this.#output.flush();
  }

  /** The walsender has sent everything up to there: moves the position when no transaction is open. */
  keepalive(walEnd: PgLsn): void {
    if (this.#transaction === null) this.#output.moveTo(this.#reached(walEnd));
  }

  /** Delivers no more of the table; what is decoded of it already stays. */
  dropTable(table: TableId): void {
    const log = this.#tables.get(table);
    if (log !== undefined) log.ended = true;
  }

  /**
   * One message (the payload of an XLogData message). Null: done. A promise: a lookup is under way, and the next message
   * may be given when it resolves. The bytes are not kept beyond the call in either case. Throws LOG_NOT_UNDERSTOOD.
   */
  decode(bytes: Uint8Array, start: number, end: number): Promise<void> | null {
    if (start >= end) throw this.#broken("an empty message");
    switch (bytes[start]) {
      case MessageCode.insert:
      case MessageCode.update:
      case MessageCode.delete:
        return this.#change(bytes, start, end);
      case MessageCode.begin:
        this.#begin(bytes, start, end);
        return null;
      case MessageCode.commit:
        this.#commit(bytes, start, end);
        return null;
      case MessageCode.relation:
        this.#relation(bytes, start + 1, end);
        return null;
      case MessageCode.truncate:
        return this.#truncate(readTruncate(bytes, start + 1, end, this.#broken));
      case MessageCode.origin: // where a replicated transaction came from
      case MessageCode.type: // the name of a type: the catalog says more
      case MessageCode.message: // pg_logical_emit_message, of an application for its own readers
        return null;
      default:
        throw this.#broken(`a message of type 0x${bytes[start]!.toString(16)}`);
    }
  }

  #begin(b: Uint8Array, start: number, end: number): void {
    if (this.#transaction !== null || end - start !== BEGIN_BYTES) throw this.#broken("a Begin out of place");
    const commitLsn = pgLsn(BigInt.asUintN(64, readInt64(b, start + 1)));
    const commitTimeMs = Math.floor(Number(readInt64(b, start + 9)) / 1000) + EPOCH_MS;
    const xid = widenXid(readInt32(b, start + 17) >>> 0, this.#nearXid);
    this.#nearXid = xid;
    const skipped = commitLsn < this.#options.from.lsn;
    this.#transaction = { skipped, xid, commitLsn, commitTimeMs, made: null };
    this.#output.begin();
  }

  #commit(b: Uint8Array, start: number, end: number): void {
    const transaction = this.#transaction;
    if (transaction === null || end - start !== COMMIT_BYTES) throw this.#broken("a Commit out of place");
    const endLsn = pgLsn(BigInt.asUintN(64, readInt64(b, start + 10)));
    this.#transaction = null;
    this.#output.commit(this.#reached(endLsn), transaction.skipped ? null : transaction.commitTimeMs);
  }

  /** Never backwards: transactions that are passed over are sent again from before `from`. */
  #reached(lsn: PgLsn): PgPosition {
    if (lsn > this.#position.lsn) this.#position = new PgPosition(lsn);
    return this.#position;
  }

  #relation(b: Uint8Array, start: number, end: number): void {
    const message = readRelation(b, start, end, this.#broken);
    const known = this.#relations.get(message.oid);
    if (known !== undefined && sameBytes(known.bytes, b, start, end) && !mayHideKey(known)) return;
    const before = known === undefined || known.kind === "ignored" ? null : known.table;
    const table = before ?? this.#tables.get(tableId(message.namespace, message.name)) ?? null;
    this.#relations.set(message.oid, { kind: "told", message, bytes: b.slice(start, end), table });
    this.#lastOid = -1;
  }

  #change(b: Uint8Array, start: number, end: number): Promise<void> | null {
    const transaction = this.#transaction;
    if (transaction === null) throw this.#broken("a change outside a transaction");
    if (transaction.skipped) return null;
    if (end - start < 6) throw this.#broken("a change that ends too early");
    const oid = readInt32(b, start + 1) >>> 0;
    const relation = oid === this.#lastOid ? this.#last! : this.#find(oid);
    if (relation.kind === "delivered") {
      if (!relation.table.ended) this.#decodeChange(relation, transaction, b, start, end);
      return null;
    }
    if (relation.kind === "ignored") return null;
    return this.#changeResolved(relation, transaction, Uint8Array.from(b.subarray(start, end)));
  }

  async #changeResolved(first: Told, transaction: OpenTransaction, message: Uint8Array): Promise<void> {
    await this.#resolve(first, transaction);
    await this.#change(message, 0, message.length);
  }

  #find(oid: number): LogRelation {
    const relation = this.#relations.get(oid);
    if (relation === undefined) throw this.#broken("a change of a relation that it has not described");
    this.#last = relation;
    this.#lastOid = oid;
    return relation;
  }

  #decodeChange(relation: Delivered, open: OpenTransaction, b: Uint8Array, start: number, end: number): void {
    const code = b[start];
    let at = start + 5;
    let tuple = b[at++];
    const hasOld = tuple === TupleCode.key || tuple === TupleCode.old;
    if (hasOld) {
      at = this.#tuple(this.#oldRow, relation, b, at, end);
      if (code !== MessageCode.delete) tuple = b[at++];
    }
    const hasNew = tuple === TupleCode.new;
    if (hasNew) at = this.#tuple(this.#row, relation, b, at, end);
    if (at !== end || hasNew === (code === MessageCode.delete) || (hasOld && code === MessageCode.insert))
      throw this.#broken("a change of a form that is not known");

    const { table, writer } = relation;
    const batch = this.#output.batch(table);
    const transaction = this.#made(open);
    const written =
      code === MessageCode.insert
        ? writer.insert(batch, this.#row, b, transaction)
        : code === MessageCode.update
          ? writer.update(batch, this.#row, hasOld ? this.#oldRow : null, b, transaction)
          : writer.delete(batch, this.#oldRow, b, transaction);
    if (written)
      this.#output.grew(table, (end - start + writer.rowBytes * (hasOld && hasNew ? 2 : 1)) * writer.copies, 1);
    else {
      const at = formatLsn(open.commitLsn);
      this.#output.stop(table, transaction, valueError(writer.failedOutcome, table.schema, writer.failedColumn, at));
    }
  }

  #tuple(cells: TupleCells, relation: Delivered, b: Uint8Array, start: number, end: number): number {
    const at = cells.read(b, start, end);
    if (at < 0 || cells.count !== relation.message.columns.length)
      throw this.#broken(`a row of ${relation.table.schema.id} of a form that is not known`);
    return at;
  }

  #made(open: OpenTransaction): PgTransaction {
    open.made ??= new PgTransaction(open.xid, open.commitLsn, open.commitTimeMs);
    return open.made;
  }

  #truncate(oids: readonly number[]): Promise<void> | null {
    const transaction = this.#transaction;
    if (transaction === null) throw this.#broken("a truncate outside a transaction");
    if (transaction.skipped) return null;
    for (const [i, oid] of oids.entries()) {
      const relation = this.#find(oid);
      if (relation.kind === "told") return this.#truncateResolved(relation, transaction, oids.slice(i));
      if (relation.kind === "delivered" && !relation.table.ended)
        this.#output.truncate(relation.table, this.#made(transaction));
    }
    return null;
  }

  async #truncateResolved(first: Told, transaction: OpenTransaction, oids: readonly number[]): Promise<void> {
    await this.#resolve(first, transaction);
    await this.#truncate(oids);
  }

  /** Asks the catalog about a relation whose first change has come, and follows its answer. */
  async #resolve(relation: Told, open: OpenTransaction): Promise<void> {
    const { message, bytes } = relation;
    const answer = await this.#options.lookup(message, relation.table?.schema ?? null, open.xid);
    this.#lastOid = -1;
    this.#relations.set(message.oid, { kind: "ignored", message, bytes });
    if (answer.kind === "ignore") return;
    if (answer.kind === "stop") {
      const table = this.#tables.get(answer.table);
      if (table !== undefined && !table.ended) this.#output.stop(table, this.#made(open), answer.error);
      return;
    }
    const table = relation.table ?? (answer.kind === "schema" ? this.#tables.get(answer.schema.id) : undefined);
    if (table === undefined)
      throw new MillraceError("INTERNAL", `no table is known for relation ${message.namespace}.${message.name}`);
    if (!table.ended) this.#deliver(relation, table, answer.kind === "schema" ? answer.schema : table.schema, open);
  }

  #deliver(relation: Told, table: TableLog, schema: TableSchema, open: OpenTransaction): void {
    const { message, bytes } = relation;
    const mismatch = relationMismatch(message, schema);
    if (mismatch !== null) return this.#output.stop(table, this.#made(open), mismatch);
    if (schema !== table.schema && !this.#output.changeSchema(table, schema, this.#made(open)))
      return this.#output.stop(table, this.#made(open), largeTransaction(table, formatLsn(open.commitLsn)));
    const writer = new RowWriter(message, schema, this.#options.rules);
    this.#relations.set(message.oid, { kind: "delivered", message, bytes, table, writer });
  }

  /** Law 2: what is not understood stops the pipeline. */
  readonly #broken = (what: string): MillraceError => {
    const position = formatLsn(this.#transaction?.commitLsn ?? this.#position.lsn);
    return new MillraceError("LOG_NOT_UNDERSTOOD", `the log has ${what} at ${position}`, { place: { position } });
  };
}

/**
 * Under REPLICA IDENTITY FULL every column is flagged as key, whatever the primary key is. The message comes again only
 * after something has changed at the table.
 */
function mayHideKey(relation: LogRelation): boolean {
  if (relation.kind !== "delivered" || relation.message.replicaIdentity !== "f") return false;
  return relation.table.schema.key.length > 0;
}

function largeTransaction({ schema }: TableLog, position: string): MillraceError {
  return new MillraceError(
    "DDL_IN_LARGE_TRANSACTION",
    `the transaction at ${position} adds columns to ${schema.id} after more changes than are held back`,
    { place: { table: schema.id, position } },
  );
}
