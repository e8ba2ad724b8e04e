import type { MillraceError } from "../../../core/errors.ts";
import type { LogItem } from "../../../core/line.ts";
import type { TableId, TableSchema } from "../../../core/table-schema.ts";
import { LogOutput, type RowsMark } from "../../../decoding/log-output.ts";
import { TableLog } from "../../../decoding/table-log.ts";
import { checkedEnd, checkLength, EventType, HEADER_BYTES, isIgnorable, NO_REST, PASSED_OVER } from "./event.ts";
import { BinlogFormat } from "./format.ts";
import { GTID_READERS, type GroupStart } from "./gtid.ts";
import { type DdlRules, ddlRules } from "../ddl/rules.ts";
import { parseStatement, type Statement } from "../ddl/statement.ts";
import { FilePosition, FileTransaction } from "../position/file-position.ts";
import { LogPlace } from "./log-place.ts";
import { LogTables, type LogTablesOptions } from "./log-tables.ts";
import type { LoggedEvents } from "./logged-events.ts";
import type { OpenGroup } from "./open-group.ts";
import { type Flavour, type LogPosition, MysqlTransaction } from "../position.ts";
import { type LoggedStatement, readStatement } from "./query-event.ts";
import { ReadingProgress } from "./reading-progress.ts";
import { ROWS_EVENTS } from "./rows-event.ts";
import { Savepoints } from "./savepoints.ts";
import { type TableChange, tableChanges } from "../history/table-change.ts";
import { isInSnapshot, schemaInLog } from "../history/table-history.ts";
import { largeRollback, notUnderstood } from "./transaction-error.ts";
import { TransactionPayload } from "./transaction-payload.ts";
import { XaEvents } from "./xa-events.ts";
import { XaTransactions } from "./xa-transactions.ts";

export type { TableAnswer } from "./log-tables.ts";

export interface BinlogDecoderOptions extends Pick<LogTablesOptions, "rules" | "lookup" | "charsets" | "followCopies"> {
  readonly flavour: Flavour;
  /** The tables to deliver, in the shape they had at `from`. */
  readonly tables: readonly TableSchema[];
  /** Transactions that it has are passed over. */
  readonly from: LogPosition;
  readonly batchBytesMax: number;
  readonly flushRows: number;
  /** Of the events of XA transactions whose outcome is open. */
  readonly xaBytesMax: number;
}

const NO_ROWS: RowsMark = new Map();
type Definition = Extract<Statement, { kind: "ddl" | "unclear" }>;

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
  readonly #progress: ReadingProgress;
  readonly #place = new LogPlace();
  /** Positions are places in the log's files, and transactions have no other name. */
  readonly #byPlace: boolean;
  readonly #xa: XaTransactions;
  /** What is decoded before the log goes on. */
  readonly #more: LoggedEvents[] = [];
  /** Of the present event, for messages. */
  #type = 0;

  constructor(options: BinlogDecoderOptions) {
    this.#options = options;
    this.#output = new LogOutput(options.from, options);
    this.#progress = new ReadingProgress(options.from);
    this.#byPlace = options.from instanceof FilePosition;
    const { xaBytesMax } = options;
    this.#xa = new XaTransactions(xaBytesMax, this.#output, this.#progress, this.#broken);
    for (const schema of options.tables) this.#tables.set(schema.id, new TableLog(schemaInLog(schema)));
    this.#logged = new LogTables({ ...options, tables: this.#tables, output: this.#output, broken: this.#broken });
  }

  /** Everything whose end has been decoded, and what `from` had. */
  get position(): LogPosition {
    return this.#progress.position;
  }

  /** Bytes of rows in open batches and in items not yet taken (never less than there are, at most about twice). */
  get heldBytes(): number {
    return this.#output.heldBytes;
  }

  /** A transaction has more than is held at once: `decodeMore` goes on with it when the items were taken. */
  get hasMore(): boolean {
    return this.#more.length > 0;
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
   * One event, from its header to the end of its checksum; a compressed transaction may go on in `rest`, which is emptied as
   * it is decoded. Null: done. A promise: a lookup is under way, and the next event may be given when it resolves. The bytes
   * have to stay until then, and while `hasMore`. Where that is true before the call, all of it is decoded first. Throws
   * LOG_NOT_UNDERSTOOD.
   */
  decode(bytes: Uint8Array, start: number, end: number, rest: Uint8Array[] = NO_REST): Promise<void> | null {
    if (this.hasMore) return this.#decodeBehind(bytes, start, end, rest);
    this.#place.see(bytes, start, end);
    const looking = this.#event(bytes, start, end, this.#format?.checksums === true, rest);
    if (this.#byPlace && this.#open === null) this.#moveToPlace();
    return looking;
  }

  /** No transaction is open: what the log has between them moves a place in its files on, too. */
  #moveToPlace(): void {
    const { from } = this.#options;
    const position = from instanceof FilePosition ? new FilePosition(from.server, this.#place.boundary()) : from;
    this.#progress.moveTo(position);
    this.#output.moveTo(this.position);
  }

  async #decodeBehind(bytes: Uint8Array, start: number, end: number, rest: Uint8Array[]): Promise<void> {
    while (this.hasMore) await this.decodeMore();
    await this.decode(bytes, start, end, rest);
  }

  /** Goes on with a transaction that is compressed, or was kept, as `decode` does. */
  decodeMore(): Promise<void> | null {
    for (let events = this.#more[0]; events !== undefined; events = this.#more[0]) {
      while (events.next()) {
        const looking = this.#event(events.bytes, events.start, events.end, false, NO_REST);
        if (looking !== null) return this.#moreAfter(looking);
        if (this.#output.hasItems && this.#output.heldBytes > this.#options.batchBytesMax) return null;
      }
      this.#more.shift();
      // All of an XA transaction has been given that was committed.
      if (events instanceof XaEvents) this.#commit();
    }
    return null;
  }

  async #moreAfter(looking: Promise<void>): Promise<void> {
    await looking;
    await this.decodeMore();
  }

  #event(b: Uint8Array, start: number, end: number, sums: boolean, rest: Uint8Array[]): Promise<void> | null {
    const type = (this.#type = b[start + 4] ?? 0);
    checkLength(b, start, end, rest, this.#broken);
    const bodyEnd = sums && type !== EventType.formatDescription ? checkedEnd(b, start, end, rest, this.#broken) : end;
    const rows = ROWS_EVENTS.get(type);
    if (rows !== undefined) {
      const open = this.#rowsAllowed();
      if (open.xa !== null) return this.#keep(open, open.xa, b, start, bodyEnd);
      if (open.skipped) return null;
      return this.#logged.rows(rows, b, start, bodyEnd, this.#postHeader(type), open.transaction);
    }
    switch (type) {
      case EventType.tableMap:
        return this.#tableMap(this.#rowsAllowed(), b, start, bodyEnd);
      case EventType.xid:
        this.#committed();
        return null;
      case EventType.query:
      case EventType.queryCompressed:
        return this.#statement(b, start, bodyEnd, type === EventType.queryCompressed);
      case EventType.transactionPayload:
        return this.#compressed(b, start, bodyEnd, rest);
      case EventType.formatDescription:
        this.#formatDescription(b, start, end);
        return null;
      case EventType.rotate:
        this.#logged.forget();
        return null;
      case EventType.xaPrepare:
        return this.#xaPrepared(b, start, bodyEnd);
      case EventType.anonymousGtid:
        if (!this.#byPlace)
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
    if (readGroup !== undefined) this.#begin(readGroup(b, start, bodyEnd, this.#place.logged, this.#broken));
    else if (!PASSED_OVER.has(type) && !isIgnorable(b, start)) throw this.#broken("an event that is not known");
    return null;
  }

  #postHeader(type: number): number {
    const bytes = (this.#more[0]?.format ?? this.#format)?.postHeaderBytes(type) ?? -1;
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
    this.#output.commit(this.position, null);
  }

  #compressed(b: Uint8Array, start: number, end: number, rest: Uint8Array[]): Promise<void> | null {
    if (this.hasMore) throw this.#broken("compressed events within such");
    if (this.#open === null) throw this.#broken("compressed events outside a transaction");
    this.#more.push(new TransactionPayload(b, start, end, this.#broken, rest));
    return this.decodeMore();
  }

  #begin(group: GroupStart): void {
    if (this.#open !== null) throw this.#broken("a GTID within a transaction");
    const isMysql = group.transaction instanceof MysqlTransaction;
    if (isMysql !== (this.#options.flavour === "mysql")) throw this.#broken("a GTID of another kind of server");
    const { commitTimeMs } = group.transaction;
    const transaction = this.#byPlace
      ? new FileTransaction(this.#place.file, this.#place.start, commitTimeMs)
      : group.transaction;
    const skipped = this.#options.from.has(transaction);
    const xa = group.prepares === null ? null : new XaEvents(group.prepares, this.#format);
    this.#open = { ...group, transaction, skipped, touched: false, savepoints: new Savepoints(), xa };
    this.#output.begin();
    this.#logged.begin();
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

  #committed(): void {
    if (this.#rowsAllowed().xa !== null) throw this.#broken("the end of an XA transaction that is not prepared");
    this.#commit();
  }

  #commit(): void {
    if (!this.#byPlace) this.#progress.passed(this.#group().transaction);
    this.#end();
  }

  #end(): void {
    const { transaction, skipped } = this.#group();
    this.#open = null;
    if (this.#byPlace) this.#moveToPlace();
    this.#output.commit(this.position, skipped ? null : transaction.commitTimeMs);
  }

  #tableMap(open: OpenGroup, b: Uint8Array, start: number, end: number): null {
    if (open.skipped && open.xa === null) return null;
    this.#logged.tableMap(b, start, end, this.#postHeader(EventType.tableMap));
    return open.xa === null ? null : this.#keep(open, open.xa, b, start, end);
  }

  /** Description or rows of a table in an XA transaction. */
  #keep(open: OpenGroup, xa: XaEvents, b: Uint8Array, start: number, end: number): null {
    const table = this.#logged.delivered(b, start, end, this.#postHeader(this.#type));
    if (table !== null) this.#xa.keep(xa, table, open.transaction, b, start, end);
    return null;
  }

  #xaPrepared(b: Uint8Array, start: number, end: number): Promise<void> | null {
    const { xa, transaction } = this.#group();
    if (this.#xa.prepare(xa, transaction, b, start, end)) return this.#outcome(xa);
    this.#commit();
    return null;
  }

  /** The rows of an XA transaction are its outcome's. */
  #outcome(xa: XaEvents): Promise<void> | null {
    const open = this.#group();
    open.begun = true;
    open.xa = null;
    this.#more.push(xa);
    // What is decoded already goes on by itself.
    return this.#more.length > 1 ? null : this.decodeMore();
  }

  #statement(b: Uint8Array, start: number, end: number, compressed: boolean): Promise<void> | null {
    const open = this.#group();
    const logged = readStatement(b, start, end, compressed, this.#broken);
    const rules = ddlRules(this.#options.flavour, this.#format?.serverVersion ?? 0, logged.modes);
    const statement = parseStatement(logged.sql, rules);
    if (statement.kind === "xa") return this.#xaStatement(open, logged.sql);
    if (open.xa !== null && (statement.kind === "savepoint" || statement.kind === "rollback-to"))
      this.#xa.keepStatement(open.xa, b, start, end);
    else this.#run(open, statement, logged, rules);
    return null;
  }

  #run(open: OpenGroup, statement: Exclude<Statement, { kind: "xa" }>, logged: LoggedStatement, rules: DdlRules): void {
    switch (statement.kind) {
      case "begin":
        open.begun = true;
        return;
      case "commit":
        return this.#committed();
      case "rollback":
        this.#undo(open, NO_ROWS);
        return this.#commit();
      case "savepoint":
        if (!open.skipped) open.savepoints.set(statement.name, this.#output.mark(open.transaction));
        return;
      case "rollback-to":
        return this.#backTo(open, statement.name);
      case "dml":
        if (!open.skipped) throw this.#broken("a change as a statement and not as rows", "Set `binlog_format = ROW`.");
        return this.#endAlone(open);
      default:
        this.#definition(open, statement, logged, rules);
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

  #xaStatement(open: OpenGroup, sql: string): Promise<void> | null {
    const events = this.#xa.statement(open, sql, this.#format);
    if (events === "passed") this.#commit();
    else if (events !== null) return this.#outcome(events);
    return null;
  }

  #definition(open: OpenGroup, statement: Definition, { sql, database }: LoggedStatement, ddl: DdlRules): void {
    const { transaction, skipped, announced } = open;
    if (!skipped && !announced) {
      const { rules: types, followCopies } = this.#options;
      const terms = { ddl, types, position: transaction.id, followCopies };
      const live = [...this.#tables].filter(([, table]) => !table.ended && !isInSnapshot(table, transaction));
      for (const change of tableChanges(statement, sql, database, new Map(live), terms)) this.#change(change, open);
    }
    this.#endAlone(open);
  }

  #change(change: TableChange, open: OpenGroup): void {
    const { table } = change;
    const { transaction } = open;
    if (table.ended) return;
    open.touched = true;
    switch (change.kind) {
      case "truncate":
        return this.#output.truncate(table, transaction);
      case "stop":
        return this.#output.stop(table, transaction, change.error);
      case "schema":
        this.#logged.alter(table, change.schema, transaction);
    }
  }

  /** A statement that no BEGIN came before is a transaction of its own. */
  #endAlone(open: OpenGroup): void {
    if (!open.begun) this.#commit();
  }

  /** Law 2: what is not understood stops the pipeline. */
  readonly #broken = (what: string, hint?: string): MillraceError =>
    notUnderstood(what, this.#open?.transaction.id ?? this.position.toString(), this.#type, hint);
}
