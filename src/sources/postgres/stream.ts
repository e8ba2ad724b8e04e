import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { LogItem, StopItem } from "../../core/line.ts";
import type { DurablePosition } from "../../core/position.ts";
import type { LogReader, LogRequest, ValueRules } from "../../core/source.ts";
import type { TableId } from "../../core/table-schema.ts";
import { LogPump, type PumpedLog } from "../../decoding/log-pump.ts";
import type { MessageQueue } from "../../decoding/message-queue.ts";
import type { PostgresOptions } from "./config.ts";
import { LazySession } from "./connection.ts";
import { LogDecoder } from "./log-decoder.ts";
import { parseLsn, pgLsn, PgPosition, xid64, type PgLsn } from "./position.ts";
import { relationLookup } from "./relation-lookup.ts";
import { Replication } from "./replication.ts";
import { sqlState, statementError } from "./server-error.ts";
import { slotInUse } from "./slot.ts";
import { TableWatch, type TableOids } from "./table-watch.ts";
import { takeXid } from "./waiting.ts";

/** The server hears from us at least this often, or three times within its own patience. */
const STATUS_INTERVAL_MS = 10_000;
/** Often enough for a server of the least patience that is of any use, 3 s. */
const STATUS_TICK_MS = 1000;
const STATEMENT_TIMEOUT_MS = 60_000;
/** How often the published tables are looked at. */
const WATCH_INTERVAL_MS = 2000;
const UNDEFINED_OBJECT = "42704";
/**
 * A fault of PostgreSQL (seen on 14.22 and 18): a slot that is made while a TRUNCATE or another rewrite commits can begin
 * with a view of the catalog that lacks it, and then fails on that table's next change, at each attempt.
 */
const UNDECODABLE = /could not map file(node|number)/;
const FLUSH_POLL_MS = 20;
const FLUSH_POLLS_MAX = 50;

/** What is queued: a pgoutput message, or the WAL position of a keepalive. */
const MESSAGE = 0;
const KEEPALIVE = 1;

function lsnBytes(lsn: PgLsn): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, lsn);
  return bytes;
}

function lsnOf(bytes: Uint8Array, at: number): PgLsn {
  return pgLsn(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at));
}

export interface LogReaderParts {
  readonly options: PostgresOptions;
  readonly rules: ValueRules;
  readonly ambient: Ambient;
  readonly request: LogRequest;
  readonly oids: TableOids;
}

/** The one reader of the WAL (`LogReader` is the contract). `items` may be called once. */
export class PgLogReader implements LogReader {
  readonly #parts: LogReaderParts;
  readonly #from: PgPosition;
  readonly #pump: LogPump;
  readonly #replication: Replication;
  /** For questions to the catalog beside the log, and for nudges. */
  readonly #sessions: LazySession;
  readonly #stop = new AbortController();
  readonly #dropped = new Set<TableId>();
  /** Tables whose end the log does not tell, for the line. */
  readonly #stops: StopItem[] = [];
  #decoder: LogDecoder | null = null;
  #durable: PgLsn;
  /** Somebody waits for the position to move: the next keepalive is passed on at once. */
  #pinged = false;
  #answered = false;
  #statusMs = 0;
  #statusIntervalMs = STATUS_INTERVAL_MS;
  #closing: Promise<void> | null = null;

  constructor(parts: LogReaderParts) {
    const { from, flushIntervalMs } = parts.request;
    if (!(from instanceof PgPosition)) throw new MillraceError("INTERNAL", "a position of another source");
    this.#parts = parts;
    this.#from = from;
    this.#durable = from.lsn;
    this.#sessions = new LazySession(parts.options, {
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      lockTimeoutMs: parts.options.lockTimeoutMs,
    });
    const tickMs = Math.min(flushIntervalMs, STATUS_TICK_MS);
    this.#pump = new LogPump(this.#pumped(), { clock: parts.ambient.clock, flushIntervalMs, tickMs });
    this.#replication = new Replication(parts.options, {
      message: (bytes) => this.#pump.push(MESSAGE, bytes),
      keepalive: (walEnd, reply) => {
        this.#pump.push(KEEPALIVE, lsnBytes(walEnd));
        if (reply) this.#sendStatus(false);
      },
      ended: (error) => this.#pump.end(error),
    });
  }

  async *items(signal: AbortSignal): AsyncGenerator<LogItem, void, undefined> {
    const life = AbortSignal.any([signal, this.#stop.signal]);
    let watching: Promise<void> = Promise.resolve();
    try {
      await this.#open(life);
      watching = this.#watchTables(life);
      yield* this.#pump.items(life);
    } finally {
      this.#stop.abort(new MillraceError("INTERNAL", "the log reader was closed"));
      await watching;
      await this.#close();
    }
  }

  #pumped(): PumpedLog {
    const isAnswered = (): boolean => this.#answered;
    return {
      pause: () => this.#replication.pause(),
      resume: () => this.#replication.resume(),
      decode: (queue) => this.#decode(queue),
      hasMore: false,
      decodeMore: () => null,
      get hasty() {
        return isAnswered();
      },
      flush: () => {
        this.#answered = this.#pinged = false;
        this.#decoder!.flush();
      },
      take: () => this.#take(),
      tick: (nowMs, silentMs) => {
        if (nowMs - this.#statusMs >= this.#statusIntervalMs) this.#sendStatus(silentMs >= this.#statusIntervalMs);
      },
      endError: (error, signal) => this.#endError(error, signal),
    };
  }

  #decode(queue: MessageQueue): Promise<void> | null {
    if (queue.tag === MESSAGE) return this.#decoder!.decode(queue.data, queue.start, queue.end);
    this.#decoder!.keepalive(lsnOf(queue.data, queue.start));
    this.#answered = this.#pinged;
    return null;
  }

  #take(): readonly LogItem[] {
    const items = this.#decoder!.take();
    for (const stop of this.#stops.splice(0)) {
      this.#decoder!.dropTable(stop.table);
      items.push(stop);
    }
    return items;
  }

  async #open(life: AbortSignal): Promise<void> {
    const { request, rules, options, oids, ambient } = this.#parts;
    const session = await this.#sessions.get(life);
    const [server] = await session.query<{ xid: string; timeout: number }>(
      `SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid,
         (SELECT setting::int FROM pg_settings WHERE name = 'wal_sender_timeout') AS timeout`,
      [],
      life,
    );
    if (server!.timeout > 0) this.#statusIntervalMs = Math.min(STATUS_INTERVAL_MS, server!.timeout / 3);
    const decoder = new LogDecoder({
      tables: request.tables,
      from: this.#from,
      nearXid: xid64(BigInt(server!.xid)),
      batchBytesMax: request.batchBytesMax,
      flushRows: request.flushRows,
      rules,
      lookup: relationLookup(this.#sessions, rules, oids, ambient, life),
    });
    for (const table of this.#dropped) decoder.dropTable(table);
    this.#decoder = decoder;
    await this.#replication.start(options.slotName, this.#from.lsn);
    this.#statusMs = ambient.clock.monotonicMs();
  }

  async #watchTables(life: AbortSignal): Promise<void> {
    const { ambient, options, oids } = this.#parts;
    const watch = new TableWatch(options, this.#sessions, oids);
    for (;;) {
      await ambient.clock.sleep(WATCH_INTERVAL_MS, life).catch(() => undefined);
      if (life.aborted) return;
      try {
        this.#stops.push(...(await watch.look(this.#decoder!.delivered, life)));
      } catch (error) {
        // No such publication: since version 18 the walsender only warns of that, and sends nothing.
        if (sqlState(error) === UNDEFINED_OBJECT) this.#pump.end(error);
        // Life's end, or a connection that is gone: then so is the log's, most likely, which says it better.
        else if (!life.aborted)
          ambient.logger.warn("looking after the published tables failed", { reason: String(error) });
      }
      this.#pump.wake();
    }
  }

  #sendStatus(ping: boolean): void {
    this.#statusMs = this.#parts.ambient.clock.monotonicMs();
    this.#replication.send(this.#durable, ping);
  }

  acknowledge(durable: DurablePosition): void {
    const { position } = durable;
    if (!(position instanceof PgPosition)) throw new MillraceError("INTERNAL", "a position of another source");
    if (position.lsn <= this.#durable) return;
    this.#durable = position.lsn;
    if (this.#decoder !== null) this.#sendStatus(false);
  }

  ping(): void {
    this.#pinged = true;
    if (this.#decoder !== null) this.#sendStatus(true);
  }

  /**
   * The rollback of an xid is a record behind everything before it; the server's answer to the ping, when that is
   * flushed, tells a position behind it.
   */
  async nudge(signal: AbortSignal): Promise<void> {
    const session = await this.#sessions.get(signal);
    await takeXid(session, signal);
    const [behind] = await session.query<{ lsn: string }>(
      "SELECT pg_current_wal_insert_lsn()::text AS lsn",
      [],
      signal,
    );
    for (let i = 0; i < FLUSH_POLLS_MAX; i++) {
      const [flushed] = await session.query<{ lsn: string }>(
        "SELECT pg_current_wal_flush_lsn()::text AS lsn",
        [],
        signal,
      );
      if (parseLsn(flushed!.lsn) >= parseLsn(behind!.lsn)) break;
      await this.#parts.ambient.clock.sleep(FLUSH_POLL_MS, signal);
    }
    this.ping();
  }

  dropTable(table: TableId): void {
    this.#dropped.add(table);
    this.#decoder?.dropTable(table);
  }

  async #endError(error: unknown, signal: AbortSignal): Promise<MillraceError> {
    const { options } = this.#parts;
    if (error === null) return new MillraceError("SOURCE_CONNECTION_LOST", "the source ended the log connection");
    const known = statementError(options, error);
    const state = sqlState(known);
    if (state === "55006") {
      const session = await this.#sessions.get(signal);
      const [slot] = await session.query<{ pid: number | null; application: string | null }>(
        `SELECT s.active_pid AS pid, a.application_name AS application
         FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid WHERE s.slot_name = $1`,
        [options.slotName],
        signal,
      );
      return slotInUse(options, slot?.pid ?? null, slot?.application ?? null);
    }
    // The slot or the publication does not exist (now, or at the log's place); the slot was invalidated; or the server
    // cannot decode it, and never will (see UNDECODABLE).
    if (state === UNDEFINED_OBJECT || state === "55000" || (state === "XX000" && UNDECODABLE.test(known.message)))
      return new MillraceError(
        "LOG_LOST",
        `the log cannot be read on from ${this.#from.toString()}: ${known.message}`,
        {
          place: { position: this.#from.toString() },
        },
      );
    return known;
  }

  #close(): Promise<void> {
    this.#closing ??= (async (): Promise<void> => {
      await this.#replication.close();
      await this.#sessions[Symbol.asyncDispose]();
    })();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new MillraceError("INTERNAL", "the log reader was closed"));
    this.#pump.wake();
    await this.#close();
  }
}
