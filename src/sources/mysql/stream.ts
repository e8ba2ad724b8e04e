import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { LogItem } from "../../core/line.ts";
import type { DurablePosition } from "../../core/position.ts";
import type { LogReader, LogRequest } from "../../core/source.ts";
import type { TableId } from "../../core/table-schema.ts";
import { LogPump, type PumpedLog } from "../../decoding/log-pump.ts";
import { BinlogDecoder } from "./binlog/decoder.ts";
import { queriedTable } from "./charset/query.ts";
import { Charsets } from "./charset/charset.ts";
import type { MysqlOptions } from "./config.ts";
import { LazySession } from "./connection.ts";
import { dumpFrom } from "./log/dump-command.ts";
import { LogCheck } from "./log/check.ts";
import type { MysqlTypeRules } from "./mysql-type.ts";
import { isLogPosition, type LogPosition } from "./position.ts";
import { Replication } from "./replication.ts";
import type { ServerFacts } from "./server-facts.ts";
import { tableLookup } from "./table-lookup.ts";

const STATEMENT_TIMEOUT_MS = 60_000;
const TICK_MS = 1000;
const EVENT = 0;
/** Of XA transactions whose outcome is open; docs/errors.md names it. */
const XA_BYTES_MAX = 64 << 20;

export interface LogReaderParts {
  readonly options: MysqlOptions;
  readonly rules: MysqlTypeRules;
  readonly facts: ServerFacts;
  readonly ambient: Ambient;
  readonly request: LogRequest;
}

/** The one reader of the binlog (`LogReader` is the contract). `items` may be called once. */
export class BinlogReader implements LogReader {
  readonly #parts: LogReaderParts;
  readonly #from: LogPosition;
  readonly #pump: LogPump;
  readonly #replication: Replication;
  /** For questions to the catalog beside the log. */
  readonly #sessions: LazySession;
  readonly #check: LogCheck;
  readonly #stop = new AbortController();
  readonly #dropped = new Set<TableId>();
  #decoder: BinlogDecoder | null = null;
  /** Somebody waits for the position to move: until then every slice is flushed at once. */
  #hastyUntilMs = 0;
  #closing: Promise<void> | null = null;

  constructor(parts: LogReaderParts) {
    const { from, flushIntervalMs } = parts.request;
    if (!isLogPosition(from)) throw new MillraceError("INTERNAL", "a position of another source");
    this.#parts = parts;
    this.#from = from;
    this.#sessions = new LazySession(parts.options, {
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      lockTimeoutMs: parts.options.lockTimeoutMs,
    });
    this.#check = new LogCheck(parts.options, parts.facts, this.#sessions, parts.ambient, from);
    const tickMs = Math.min(flushIntervalMs, TICK_MS);
    this.#pump = new LogPump(this.#pumped(), { clock: parts.ambient.clock, flushIntervalMs, tickMs });
    this.#replication = new Replication(parts.options, {
      event: (bytes) => this.#pump.push(EVENT, bytes),
      begin: (length) => this.#pump.begin(EVENT, length),
      begun: (rest) => this.#pump.pushBegun(rest),
      ended: (error) => this.#pump.end(error),
    });
  }

  async *items(signal: AbortSignal): AsyncGenerator<LogItem, void, undefined> {
    const life = AbortSignal.any([signal, this.#stop.signal]);
    try {
      await this.#open(life);
      yield* this.#pump.items(life);
    } finally {
      this.#stop.abort(new MillraceError("INTERNAL", "the log reader was closed"));
      await this.#close();
    }
  }

  #pumped(): PumpedLog {
    const { clock } = this.#parts.ambient;
    const hasMore = (): boolean => this.#decoder!.hasMore;
    const isHasty = (): boolean => clock.monotonicMs() < this.#hastyUntilMs;
    return {
      pause: () => this.#replication.pause(),
      resume: () => this.#replication.resume(),
      decode: ({ data, start, end, rest }) => this.#decoder!.decode(data, start, end, rest),
      get hasMore() {
        return hasMore();
      },
      decodeMore: () => this.#decoder!.decodeMore(),
      get hasty() {
        return isHasty();
      },
      flush: () => this.#decoder!.flush(),
      take: () => this.#decoder!.take(),
      // The server sends a heartbeat a second by itself.
      tick: (nowMs) =>
        this.#check.tick(nowMs, this.#decoder!.position, (error) => this.#pump.end(error), this.#stop.signal),
      endError: async (error) =>
        error ?? new MillraceError("SOURCE_CONNECTION_LOST", "the source ended the log connection"),
    };
  }

  async #open(life: AbortSignal): Promise<void> {
    const { request, rules, facts } = this.#parts;
    const decoder = new BinlogDecoder({
      flavour: facts.flavour,
      tables: request.tables,
      from: this.#from,
      batchBytesMax: request.batchBytesMax,
      flushRows: request.flushRows,
      xaBytesMax: XA_BYTES_MAX,
      rules,
      followCopies: this.#parts.options.onlineSchemaChanges,
      lookup: tableLookup(this.#sessions, rules, life),
      charsets: new Charsets(async (charset) => queriedTable(await this.#sessions.get(life), charset, life)),
    });
    for (const table of this.#dropped) decoder.dropTable(table);
    this.#decoder = decoder;
    await this.#replication.start(dumpFrom(this.#parts.options, this.#from), life);
  }

  /** The server keeps its log by its own rules, and hears nothing of what we are done with. */
  acknowledge(_durable: DurablePosition): void {}

  /** What is asked about was committed, so its events come by themselves: they are passed on without waiting. */
  ping(): void {
    const { ambient, request } = this.#parts;
    this.#hastyUntilMs = ambient.clock.monotonicMs() + request.flushIntervalMs;
    this.#pump.wake();
  }

  /** A bound is a set of GTIDs, which the log passes: there is nothing to help it past. */
  async nudge(_signal: AbortSignal): Promise<void> {}

  dropTable(table: TableId): void {
    this.#dropped.add(table);
    this.#decoder?.dropTable(table);
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
