import { MillraceError } from "../../core/errors.ts";
import type { LogItem } from "../../core/line.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import { LogOutput, type RowsMark } from "../../decoding/log-output.ts";
import { TableLog } from "../../decoding/table-log.ts";
import {
  checkedEnd,
  checkLength,
  eventName,
  EventType,
  HEADER_BYTES,
  isIgnorable,
  PASSED_OVER,
} from "./binlog-event.ts";
import { BinlogFormat } from "./binlog-format.ts";
import { GTID_READERS, type GroupStart } from "./binlog-gtid.ts";
import { parseStatement, type Statement } from "./ddl-statement.ts";
import { FilePosition, FileTransaction } from "./file-position.ts";
import { LogPlace } from "./log-place.ts";
import { LogTables, type LogTablesOptions } from "./log-tables.ts";
import type { Flavour, LogPosition } from "./position.ts";
import { MariadbPosition, MariadbTransaction, MysqlPosition, MysqlTransaction } from "./position.ts";
import { readStatement } from "./query-event.ts";
import { ROWS_EVENTS } from "./rows-event.ts";
import { Savepoints } from "./savepoints.ts";
import { tableChanges } from "./table-change.ts";
import { TransactionPayload } from "./transaction-payload.ts";

export type { TableAnswer } from "./log-tables.ts";

export interface BinlogDecoderOptions extends Pick<LogTablesOptions, "rules" | "lookup" | "charsets"> {
  readonly flavour: Flavour;
  /** The tables to deliver, in the shape they had at `from`. */
  readonly tables: readonly TableSchema[];
  /** Transactions that it has are passed over. */
  readonly from: LogPosition;
  readonly batchBytesMax: number;
  readonly flushRows: number;
}

const NO_ROWS: RowsMark = new Map();
/** Of a set of GTIDs in a message. */
const POSITION_CHARS_MAX = 200;

/** The transaction between its GTID and its end. */
interface OpenGroup extends Omit<GroupStart, "transaction"> {
  readonly transaction: GroupStart["transaction"] | FileTransaction;
  readonly skipped: boolean;
  /** Rows may come. */
  begun: boolean;
  /** A statement of it was delivered. */
  touched: boolean;
  readonly savepoints: Savepoints;
}

/**
 * Turns the events of a binlog into items of the line. Not restartable after an error: the log is then read again from
 * the last position.
 */
export class BinlogDecoder {
  readonly #options: BinlogDecoderOptions;
  readonly #output: LogOutput;
  readonly #tables = new Map<TableId, TableLog>();
  readonly #logged: LogTables;
  #format: BinlogFormat | null = null;
  #open: OpenGroup | null = null;
  #position: LogPosition;
  /** Where positions are places in the log's files. */
  readonly #place: LogPlace | null;
  #payload: TransactionPayload | null = null;
  /** Of the present event, for messages. */
  #type = 0;

  constructor(options: BinlogDecoderOptions) {
    this.#options = options;
    this.#output = new LogOutput(options.from, options);
    this.#position = options.from;
    this.#place = options.from instanceof FilePosition ? new LogPlace() : null;
    for (const schema of options.tables) this.#tables.set(schema.id, new TableLog(schema));
    this.#logged = new LogTables({ ...options, tables: this.#tables, output: this.#output, broken: this.#broken });
  }

  /** Everything whose end has been decoded, and what `from` had. */
  get position(): LogPosition {
    return this.#position;
  }

  /** Bytes of rows in open batches and in items not yet taken (never less than there are, at most about twice). */
  get heldBytes(): number {
    return this.#output.heldBytes;
  }

  /** A compressed transaction has more than is held at once: `decodeMore` goes on with it when the items were taken. */
  get hasMore(): boolean {
    return this.#payload !== null;
  }

  /** The items so far, in order. */
  take(): LogItem[] {
    return this.#output.take();
  }

  /** Closes all batches and says how far the log is; inside a transaction, at its commit. */
  flush(): void {
    this.#output.flush();
  }

  /** Delivers no more of the table; what is decoded of it already stays. */
  dropTable(table: TableId): void {
    const log = this.#tables.get(table);
    if (log !== undefined) log.ended = true;
  }

  /**
   * One event, from its header to the end of its checksum. Null: done. A promise: a lookup is under way, and the next
   * event may be given when it resolves. The bytes have to stay until then, and while `hasMore`. Where that is true before
   * the call, all of it is decoded first. Throws LOG_NOT_UNDERSTOOD.
   */
  decode(bytes: Uint8Array, start: number, end: number): Promise<void> | null {
    if (this.#payload !== null) return this.#decodeBehind(bytes, start, end);
    this.#place?.see(bytes, start, end);
    const looking = this.#event(bytes, start, end, this.#format?.checksums === true);
    if (this.#place !== null && this.#open === null) this.#moveTo(this.#place);
    return looking;
  }

  /** No transaction is open: what the log has between them moves a place in its files on, too. */
  #moveTo(place: LogPlace): void {
    const { from } = this.#options;
    const position = from instanceof FilePosition ? new FilePosition(from.server, place.boundary()) : from;
    if (this.#position.covers(position)) return;
    this.#position = position;
    this.#output.moveTo(position);
  }

  async #decodeBehind(bytes: Uint8Array, start: number, end: number): Promise<void> {
    while (this.#payload !== null) await this.decodeMore();
    await this.decode(bytes, start, end);
  }

  /** Goes on with a compressed transaction, as `decode` does. */
  decodeMore(): Promise<void> | null {
    const payload = this.#payload;
    while (payload?.next() === true) {
      const looking = this.#event(payload.bytes, payload.start, payload.end, false);
      if (looking !== null) return this.#moreAfter(looking);
      if (this.#output.hasItems && this.#output.heldBytes > this.#options.batchBytesMax) return null;
    }
    this.#payload = null;
    return null;
  }

  async #moreAfter(looking: Promise<void>): Promise<void> {
    await looking;
    await this.decodeMore();
  }

  #event(b: Uint8Array, start: number, end: number, checksum: boolean): Promise<void> | null {
    this.#type = b[start + 4] ?? 0;
    checkLength(b, start, end, this.#broken);
    const type = this.#type;
    const bodyEnd = checksum && type !== EventType.formatDescription ? checkedEnd(b, start, end, this.#broken) : end;
    const rows = ROWS_EVENTS.get(type);
    if (rows !== undefined) {
      const open = this.#rowsAllowed();
      if (open.skipped) return null;
      return this.#logged.rows(rows, b, start, bodyEnd, this.#postHeader(type), open.transaction);
    }
    switch (type) {
      case EventType.tableMap:
        if (!this.#rowsAllowed().skipped) this.#logged.tableMap(b, start, bodyEnd, this.#postHeader(type));
        return null;
      case EventType.xid:
        this.#rowsAllowed();
        this.#commit();
        return null;
      case EventType.query:
      case EventType.queryCompressed:
        this.#statement(b, start, bodyEnd, type === EventType.queryCompressed);
        return null;
      case EventType.transactionPayload:
        return this.#compressed(b, start, bodyEnd);
      case EventType.formatDescription:
        this.#formatDescription(b, start, end);
        return null;
      case EventType.rotate:
        this.#logged.forget();
        return null;
      case EventType.xaPrepare:
        this.#xaPrepared();
        return null;
      case EventType.anonymousGtid:
        if (this.#place === null)
          throw this.#broken("a transaction without a GTID", "Switch GTIDs on at the source (`gtid_mode = ON`).");
        return this.#other(type, b, start, bodyEnd);
      case EventType.incident:
        throw this.#broken("an incident: the server says that changes are missing from it");
      default:
        return this.#other(type, b, start, bodyEnd);
    }
  }

  #other(type: number, b: Uint8Array, start: number, bodyEnd: number): null {
    const readGroup = GTID_READERS.get(type);
    if (readGroup !== undefined) this.#begin(readGroup(b, start, bodyEnd, this.#broken));
    else if (!PASSED_OVER.has(type) && !isIgnorable(b, start)) throw this.#broken("an event that is not known");
    return null;
  }

  #postHeader(type: number): number {
    const bytes = this.#format?.postHeaderBytes(type) ?? -1;
    if (bytes < 0) throw this.#broken("an event that its format description does not have");
    return bytes;
  }

  #formatDescription(b: Uint8Array, start: number, end: number): void {
    if (end - start < HEADER_BYTES + 4) throw this.#broken("an event that ends too early");
    this.#format = BinlogFormat.read(b, start, end, this.#broken);
    this.#logged.forget();
    const open = this.#open;
    if (open === null) return;
    // The server went down while it wrote a transaction, which is not in its tables either.
    if (open.touched) throw this.#broken("a new file within a statement's transaction");
    this.#undo(open, NO_ROWS);
    this.#open = null;
    this.#output.commit(this.#position, null);
  }

  #compressed(b: Uint8Array, start: number, end: number): Promise<void> | null {
    if (this.#payload !== null) throw this.#broken("compressed events within such");
    if (this.#open === null) throw this.#broken("compressed events outside a transaction");
    if (this.#open.skipped) {
      // All of the transaction but its GTID is in it.
      this.#commit();
      return null;
    }
    this.#payload = new TransactionPayload(b, start, end, this.#broken);
    return this.decodeMore();
  }

  #begin(group: GroupStart): void {
    if (this.#open !== null) throw this.#broken("a GTID within a transaction");
    const isMysql = group.transaction instanceof MysqlTransaction;
    if (isMysql !== (this.#options.flavour === "mysql")) throw this.#broken("a GTID of another kind of server");
    const { commitTimeMs } = group.transaction;
    const transaction =
      this.#place === null ? group.transaction : new FileTransaction(this.#place.file, this.#place.start, commitTimeMs);
    const skipped = this.#options.from.has(transaction);
    if (group.xa && !skipped) throw this.#xaBroken();
    this.#open = { ...group, transaction, skipped, touched: false, savepoints: new Savepoints() };
    this.#output.begin();
  }

  #group(): OpenGroup {
    if (this.#open === null) throw this.#broken("a change outside a transaction");
    return this.#open;
  }

  #rowsAllowed(): OpenGroup {
    const open = this.#group();
    if (!open.begun) throw this.#broken("a change before the beginning of its transaction");
    return open;
  }

  #commit(): void {
    const { transaction, skipped } = this.#group();
    this.#open = null;
    if (this.#place !== null) this.#moveTo(this.#place);
    else if (!skipped) this.#position = reached(this.#position, transaction);
    this.#output.commit(this.#position, skipped ? null : transaction.commitTimeMs);
  }

  #xaPrepared(): void {
    if (!this.#group().skipped) throw this.#xaBroken();
    this.#commit();
  }

  #xaBroken(): MillraceError {
    return this.#broken(
      "an XA transaction, which this version does not follow",
      "Keep XA transactions from the tables of this server, or leave the server to a later version of Millrace.",
    );
  }

  #statement(b: Uint8Array, start: number, end: number, compressed: boolean): void {
    const open = this.#group();
    const logged = readStatement(b, start, end, compressed, this.#broken);
    const runsComment = (version: number, forMariadb: boolean): boolean =>
      this.#format?.runsComment(this.#options.flavour, version, forMariadb) ?? true;
    const statement = parseStatement(logged.sql, { ...logged, runsComment });
    switch (statement.kind) {
      case "begin":
        open.begun = true;
        return;
      case "commit":
        return this.#commit();
      case "rollback":
        this.#undo(open, NO_ROWS);
        return this.#commit();
      case "savepoint":
        if (!open.skipped) open.savepoints.set(statement.name, this.#output.mark(open.transaction));
        return;
      case "rollback-to":
        return this.#backTo(open, statement.name);
      case "release":
        return;
      case "xa":
        return this.#xaStatement(open, logged.sql);
      case "dml":
        if (!open.skipped) throw this.#broken("a change as a statement and not as rows", "Set `binlog_format = ROW`.");
        return this.#endAlone(open);
      default:
        this.#definition(open, statement, logged.sql, logged.database);
    }
  }

  #backTo(open: OpenGroup, name: string): void {
    if (open.skipped) return;
    const mark = open.savepoints.backTo(name);
    if (mark === null) throw this.#broken("a savepoint that was gone back to, and which one it is cannot be told");
    this.#undo(open, mark);
  }

  /** MariaDB logs what it undoes where a transaction made temporary tables, or changed others that cannot be undone. */
  #undo({ transaction }: OpenGroup, mark: RowsMark): void {
    const table = this.#output.undo(mark, transaction);
    if (table !== null) throw largeRollback(table, transaction.id);
  }

  /** XA START and XA END stand around rows, which XA_PREPARE ends; the others are transactions of their own. */
  #xaStatement(open: OpenGroup, sql: string): void {
    if (!open.skipped) throw this.#xaBroken();
    if (/^\s*xa\s+(?:commit|rollback)\b/i.test(sql)) this.#commit();
    else open.begun = true;
  }

  #definition(
    open: OpenGroup,
    statement: Extract<Statement, { kind: "ddl" | "unclear" }>,
    sql: string,
    database: string,
  ): void {
    const { transaction, skipped, announced } = open;
    if (!skipped && !announced)
      for (const change of tableChanges(statement, sql, database, this.#tables)) {
        if (change.table.ended) continue;
        open.touched = true;
        if (change.kind === "truncate") this.#output.truncate(change.table, transaction);
        else this.#output.stop(change.table, transaction, change.error);
      }
    this.#endAlone(open);
  }

  /** A statement that no BEGIN came before is a transaction of its own. */
  #endAlone(open: OpenGroup): void {
    if (!open.begun) this.#commit();
  }

  /** Law 2: what is not understood stops the pipeline. */
  readonly #broken = (what: string, hint?: string): MillraceError => {
    const at = (this.#open?.transaction.id ?? this.#position.toString().slice(0, POSITION_CHARS_MAX)) || "the start";
    return new MillraceError("LOG_NOT_UNDERSTOOD", `the log has ${what}, at ${at} in event ${eventName(this.#type)}`, {
      place: { position: at },
      ...(hint === undefined ? {} : { hint }),
    });
  };
}

function reached(position: LogPosition, transaction: OpenGroup["transaction"]): LogPosition {
  if (position instanceof MysqlPosition && transaction instanceof MysqlTransaction) return position.with(transaction);
  if (position instanceof MariadbPosition && transaction instanceof MariadbTransaction)
    return position.with(transaction);
  throw new MillraceError("INTERNAL", "a transaction of another kind of server than the position");
}

/** Ends the attempt, with what was passed on of the transaction; the next one begins with the table stopped. */
function largeRollback(table: TableId, position: string): MillraceError {
  return new MillraceError(
    "ROLLBACK_IN_LARGE_TRANSACTION",
    `the transaction at ${position} was rolled back after more changes of ${table} than are held back`,
    { place: { table, position } },
  );
}
