import type { Ambient } from "../../core/ambient.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import type { ChunkPlanner } from "../../core/chunk.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { Cut, Position } from "../../core/position.ts";
import type {
  Inspection,
  LogReader,
  LogRequest,
  Source,
  SourceStatus,
  TableOffer,
  TableSize,
  ValueRules,
} from "../../core/source.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import { tableSizes } from "./catalog.ts";
import { MysqlChunkPlanner } from "./chunk-planner.ts";
import type { MysqlOptions } from "./config.ts";
import { LazySession } from "./connection.ts";
import { defineTables } from "./history/definitions.ts";
import { historyOf } from "./history/table-history.ts";
import { FilePosition } from "./position/file-position.ts";
import { cutMethod, inspect } from "./inspection.ts";
import { selectByKey } from "./key-select.ts";
import { typeRules, type MysqlTypeRules } from "./mysql-type.ts";
import { isLogPosition, LogCut, type LogPosition, parseLogPosition } from "./position.ts";
import { prepare } from "./preparation.ts";
import {
  checkServer,
  columnsNamedBy,
  gtidsChanged,
  serverFacts,
  serverName,
  sourceIdentity,
  type ServerFacts,
} from "./server-facts.ts";
import { BinlogReader } from "./stream.ts";
import { VisibleLog } from "./log/visible-log.ts";
import { hiddenBefore, hiddenOf, untilVisible, visibleCut } from "./log/visible.ts";

/** Statements that only look something up; reads and waits for locks have their own ends. */
const STATEMENT_TIMEOUT_MS = 60_000;

interface Prepared {
  readonly facts: ServerFacts;
  readonly start: LogPosition;
  /** As of when the tables were defined that an earlier run has begun. */
  readonly defined: readonly LogPosition[];
}

class MysqlSource implements Source {
  readonly planner: ChunkPlanner;
  readonly #options: MysqlOptions;
  readonly #rules: MysqlTypeRules;
  readonly #ambient: Ambient;
  readonly #control: LazySession;
  readonly #polling: LazySession;
  readonly #planning: LazySession;
  readonly #selecting: LazySession;
  #prepared: Prepared | null = null;
  readonly #visibleLog: VisibleLog;

  constructor(options: MysqlOptions, rules: ValueRules, ambient: Ambient) {
    this.#options = options;
    this.#rules = typeRules(options, rules);
    this.#ambient = ambient;
    this.#visibleLog = new VisibleLog(ambient.clock);
    const { lockTimeoutMs } = options;
    const brief = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, lockTimeoutMs };
    const long = { statementTimeoutMs: 0, lockTimeoutMs };
    this.#control = new LazySession(options, brief);
    this.#polling = new LazySession(options, brief);
    this.#planning = new LazySession(options, long);
    this.#selecting = new LazySession(options, long);
    this.planner = new MysqlChunkPlanner(this.#planning);
  }

  async inspect(signal: AbortSignal): Promise<Inspection> {
    const sessions = { session: await this.#control.get(signal), beside: this.#polling };
    return await inspect(this.#options, this.#rules, sessions, signal);
  }

  async sizes(offers: readonly TableOffer[], signal: AbortSignal): Promise<ReadonlyMap<TableId, TableSize>> {
    const asked = new Set(offers.map(({ schema }) => schema.id));
    const namespaces = [...new Set(offers.map(({ schema }) => schema.namespace))];
    if (namespaces.length === 0) return new Map();
    const sizes = await tableSizes(await this.#control.get(signal), namespaces, signal);
    return new Map([...sizes].filter(([table]) => asked.has(table)));
  }

  async status(signal: AbortSignal): Promise<SourceStatus> {
    const session = await this.#control.get(signal);
    const facts = await serverFacts(session, signal);
    checkServer(this.#options.username, facts);
    const head = await visibleCut(session, signal);
    return {
      identity: sourceIdentity(facts),
      head: head.bound.toString(),
      // The server keeps its log by its own rules, whoever reads it.
      retainedBytes: null,
      facts: [
        { name: "server", value: serverName(facts) },
        { name: "cut", value: cutMethod(facts) },
        { name: "columns", value: columnsNamedBy(facts) },
        ...(facts.gtidPurged === "" ? [] : [{ name: "gtid_purged", value: facts.gtidPurged }]),
      ],
    };
  }

  async prepare(
    request: { readonly resume: Position | null; readonly tables: readonly TableSchema[] },
    _created: (what: string) => void,
    signal: AbortSignal,
  ): Promise<Position> {
    const { resume, tables } = request;
    if (resume !== null && !isLogPosition(resume)) throw new MillraceError("INTERNAL", "a position of another source");
    const session = await this.#control.get(signal);
    const facts = await serverFacts(session, signal);
    checkServer(this.#options.username, facts);
    const parts = { session, clock: this.#ambient.clock, signal };
    const start = await prepare(this.#options, parts, facts, { resume, tables });
    const defined = tables.flatMap((schema) => historyOf(schema)?.asOf ?? []);
    this.#prepared = { facts, start, defined };
    return start;
  }

  async define(tables: readonly TableSchema[], signal: AbortSignal): Promise<readonly TableSchema[]> {
    if (tables.length === 0) return [];
    const sessions = {
      locking: await this.#control.get(signal),
      visible: (life: AbortSignal): Promise<LogCut> => this.visible(life),
    };
    return await defineTables(sessions, tables, this.#rules, this.#ambient, signal);
  }

  async settled(ids: readonly string[], waiting: (what: string) => void, signal: AbortSignal): Promise<void> {
    const { facts, start, defined } = this.#ready();
    // A place in the log's files has transactions before it that nobody may see yet; those of the checkpoint are among them.
    const before = start instanceof FilePosition ? hiddenBefore(start) : hiddenOf(facts, ids);
    // What the log has of a table up to its definition is passed over, so the chunks must have it: on another replica too.
    const behind = defined.map(hiddenBefore);
    const hidden = (cut: LogCut): string | null => firstOf([before, ...behind], cut);
    await untilVisible((life) => this.visible(life), hidden, waiting, this.#ambient, signal);
  }

  log(request: LogRequest): LogReader {
    const { facts } = this.#ready();
    return new BinlogReader({ options: this.#options, rules: this.#rules, facts, ambient: this.#ambient, request });
  }

  #ready(): Prepared {
    if (this.#prepared === null) throw new MillraceError("INTERNAL", "the source was not prepared");
    return this.#prepared;
  }

  async visible(signal: AbortSignal): Promise<LogCut> {
    const session = await this.#polling.get(signal);
    return this.#isByFiles ? await this.#visibleLog.cut(session, signal) : await visibleCut(session, signal);
  }

  get #isByFiles(): boolean {
    return this.#ready().start instanceof FilePosition;
  }

  async head(signal: AbortSignal): Promise<Position> {
    return (await visibleCut(await this.#polling.get(signal), signal)).bound;
  }

  async selectByKey(keys: ChangeBatch, signal: AbortSignal): Promise<ChangeBatch> {
    return selectByKey(await this.#selecting.get(signal), this.#rules, keys, signal);
  }

  parsePosition(json: Json): Position {
    return parseLogPosition(json);
  }

  parseCut(json: Json): Cut {
    const cut = LogCut.parse(json);
    if (cut.bound instanceof FilePosition !== this.#isByFiles) throw gtidsChanged("were switched on or off meanwhile");
    return cut;
  }

  /** Nothing is ever made on the server. */
  async drop(_removed: (what: string) => void, _signal: AbortSignal): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sessions of [this.#selecting, this.#planning, this.#polling, this.#control])
      await sessions[Symbol.asyncDispose]();
  }
}

function firstOf(hidden: readonly ((cut: LogCut) => string | null)[], cut: LogCut): string | null {
  for (const ask of hidden) {
    const what = ask(cut);
    if (what !== null) return what;
  }
  return null;
}

/** A server of MySQL or MariaDB as `core/source.ts` wants it. Connects when it is first asked something. */
export function createMysqlSource(options: MysqlOptions, rules: ValueRules, ambient: Ambient): Source {
  return new MysqlSource(options, rules, ambient);
}
