import type { Transaction } from "../../../core/position.ts";
import type { LogOutput } from "../../../decoding/log-output.ts";
import type { TableLog } from "../../../decoding/table-log.ts";
import type { Broken } from "./fields.ts";
import type { BinlogFormat } from "./format.ts";
import type { OpenGroup } from "./open-group.ts";
import type { ReadingProgress } from "./reading-progress.ts";
import { largeXa, unreadXa } from "./transaction-error.ts";
import { parseXaStatement, readXaPrepare, XaEvents } from "./xa-events.ts";

/**
 * The XA transactions of the log. Their rows come before their outcome, up to an event that says that they are prepared:
 * until then, and until their outcome, they are kept. So are those of one that the position has already, because its
 * outcome may be one that it has not.
 */
export class XaTransactions {
  readonly #bytesMax: number;
  readonly #output: LogOutput;
  readonly #progress: ReadingProgress;
  readonly #broken: Broken;
  readonly #prepared = new Map<string, XaEvents>();
  #bytes = 0;

  /** `bytesMax`: of all events kept; they are in memory. */
  constructor(bytesMax: number, output: LogOutput, progress: ReadingProgress, broken: Broken) {
    this.#bytesMax = bytesMax;
    this.#output = output;
    this.#progress = progress;
    this.#broken = broken;
  }

  #hasRoom(events: XaEvents, bytes: number): boolean {
    return this.#bytes + events.keptBytes + bytes <= this.#bytesMax;
  }

  /** The description or rows of a table. */
  keep(events: XaEvents, table: TableLog, transaction: Transaction, b: Uint8Array, start: number, end: number): void {
    if (this.#hasRoom(events, end - start)) return events.keep(b, start, end);
    this.#output.stop(table, transaction, largeXa(table.schema.id, events.xid, transaction.id));
  }

  /** A savepoint, or the way back to one. */
  keepStatement(events: XaEvents, b: Uint8Array, start: number, end: number): void {
    if (!this.#hasRoom(events, end - start)) throw this.#broken("more savepoints of XA transactions than are kept");
    events.keep(b, start, end);
  }

  /** The XA_PREPARE event behind `events`. True: it is the outcome, too. */
  prepare(
    events: XaEvents | null,
    transaction: Transaction,
    b: Uint8Array,
    start: number,
    end: number,
  ): events is XaEvents {
    const { onePhase, xid } = readXaPrepare(b, start, end, this.#broken);
    if (events?.xid !== xid) throw this.#broken("the end of another XA transaction than began");
    if (onePhase) return true;
    if (this.#prepared.has(xid))
      throw this.#broken(`the XA transaction ${xid} once more, before the outcome of the first`);
    this.#prepared.set(xid, events);
    this.#bytes += events.keptBytes;
    this.#progress.prepared(xid, transaction);
    return false;
  }

  /**
   * XA START and XA END stand around rows, which XA_PREPARE ends; the others are transactions of their own. Answers with the
   * events that it commits; `passed`: the transaction is over; null: it goes on.
   */
  statement(open: OpenGroup, sql: string, format: BinlogFormat | null): XaEvents | "passed" | null {
    const { verb, xid } = parseXaStatement(sql) ?? {};
    if (verb === "end" && open.xa?.xid === xid) return null;
    if (xid === undefined || verb === "end" || open.begun)
      throw this.#broken("a statement of an XA transaction out of place");
    if (verb === "start") {
      open.begun = true;
      open.xa = new XaEvents(xid, format);
      return null;
    }
    const events = this.#decided(xid);
    if (verb === "rollback" || open.skipped) return "passed";
    if (events === undefined) throw unreadXa(xid, open.transaction.id);
    return events;
  }

  #decided(xid: string): XaEvents | undefined {
    this.#progress.decided(xid);
    const events = this.#prepared.get(xid);
    this.#prepared.delete(xid);
    this.#bytes -= events?.keptBytes ?? 0;
    return events;
  }
}
