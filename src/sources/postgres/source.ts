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
import { PgChunkPlanner } from "./chunk-planner.ts";
import type { PostgresOptions } from "./config.ts";
import { LazySession } from "./connection.ts";
import { inspect } from "./inspection.ts";
import { selectByKey } from "./key-select.ts";
import { PgCut, PgPosition, xid64 } from "./position.ts";
import { prepare, type Prepared, releasedSlot } from "./preparation.ts";
import { dropPublication, readPublication } from "./publication.ts";
import { checkServer, serverFacts, sourceIdentity } from "./server-facts.ts";
import type { MatchedTable } from "./table-match.ts";
import { dropSlot, readSlot } from "./slot.ts";
import { PgLogReader } from "./stream.ts";
import { tableSizes } from "./table-size.ts";
import { untilVisible, visibleCut } from "./waiting.ts";

/** Statements that only look something up; copies and waits for locks have their own ends. */
const STATEMENT_TIMEOUT_MS = 60_000;

class PostgresSource implements Source {
  readonly planner: ChunkPlanner;
  readonly #options: PostgresOptions;
  readonly #rules: ValueRules;
  readonly #ambient: Ambient;
  readonly #control: LazySession;
  readonly #polling: LazySession;
  readonly #planning: LazySession;
  readonly #selecting: LazySession;
  #inspected: ReadonlyMap<number, MatchedTable> = new Map();
  #prepared: Prepared | null = null;

  constructor(options: PostgresOptions, rules: ValueRules, ambient: Ambient) {
    this.#options = options;
    this.#rules = rules;
    this.#ambient = ambient;
    const { lockTimeoutMs } = options;
    const brief = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, lockTimeoutMs };
    const long = { statementTimeoutMs: 0, lockTimeoutMs };
    this.#control = new LazySession(options, brief);
    this.#polling = new LazySession(options, brief);
    this.#planning = new LazySession(options, long);
    this.#selecting = new LazySession(options, long);
    this.planner = new PgChunkPlanner(this.#planning);
  }

  async inspect(signal: AbortSignal): Promise<Inspection> {
    const { inspection, tables } = await inspect(this.#options, this.#rules, await this.#control.get(signal), signal);
    this.#inspected = new Map(tables.map((table) => [table.oid, table]));
    return inspection;
  }

  async sizes(offers: readonly TableOffer[], signal: AbortSignal): Promise<ReadonlyMap<TableId, TableSize>> {
    const ids = new Map(offers.map(({ object, schema }) => [Number(object), schema.id]));
    const sizes = await tableSizes(await this.#control.get(signal), [...ids.keys()], signal);
    return new Map([...sizes].map(([oid, size]) => [ids.get(oid)!, size]));
  }

  async status(signal: AbortSignal): Promise<SourceStatus> {
    const session = await this.#control.get(signal);
    const facts = await serverFacts(this.#options, session, signal);
    checkServer(this.#options, facts);
    const slot = await readSlot(this.#options, session, facts, signal);
    const identity = sourceIdentity(this.#options, facts);
    const name = this.#options.slotName;
    if (slot === null)
      return {
        identity,
        head: null,
        retainedBytes: null,
        facts: [{ name: "slot", value: `${name} (does not exist)` }],
      };
    const reader = slot.activePid === null ? "not read by anybody" : `read by process ${slot.activePid}`;
    return {
      identity,
      head: slot.head,
      retainedBytes: slot.retainedBytes,
      facts: [
        { name: "slot", value: `${name} (${reader})` },
        { name: "wal_status", value: slot.invalidation ?? slot.walStatus ?? "unknown" },
        { name: "confirmed_flush_lsn", value: slot.confirmed ?? "none" },
      ],
    };
  }

  async prepare(
    request: { readonly resume: Position | null; readonly tables: readonly TableSchema[] },
    created: (what: string) => void,
    signal: AbortSignal,
  ): Promise<Position> {
    const { resume, tables } = request;
    if (resume !== null && !(resume instanceof PgPosition))
      throw new MillraceError("INTERNAL", "a position of another source");
    const session = await this.#control.get(signal);
    const asked = { resume, tables, inspected: this.#inspected };
    const prepared = await prepare(this.#options, session, asked, created, this.#ambient, signal);
    this.#prepared = prepared;
    return prepared.start;
  }

  /** The log says itself what its rows are. */
  async define(tables: readonly TableSchema[]): Promise<readonly TableSchema[]> {
    return tables;
  }

  async settled(ids: readonly string[], waiting: (what: string) => void, signal: AbortSignal): Promise<void> {
    const { begin } = this.#ready();
    const xids = ids.map((id) => xid64(BigInt(id)));
    const session = await this.#polling.get(signal);
    await untilVisible(session, begin, xids, waiting, this.#ambient, signal);
  }

  log(request: LogRequest): LogReader {
    const { oids } = this.#ready();
    return new PgLogReader({ options: this.#options, rules: this.#rules, ambient: this.#ambient, request, oids });
  }

  #ready(): Prepared {
    if (this.#prepared === null) throw new MillraceError("INTERNAL", "the source was not prepared");
    return this.#prepared;
  }

  async visible(signal: AbortSignal): Promise<Cut> {
    return visibleCut(await this.#polling.get(signal), signal);
  }

  async head(signal: AbortSignal): Promise<Position> {
    const cut = await visibleCut(await this.#polling.get(signal), signal);
    return cut.bound;
  }

  async selectByKey(keys: ChangeBatch, signal: AbortSignal): Promise<ChangeBatch> {
    return selectByKey(await this.#selecting.get(signal), this.#rules, keys, signal);
  }

  parsePosition(json: Json): Position {
    return PgPosition.parse(json);
  }

  parseCut(json: Json): Cut {
    return PgCut.parse(json);
  }

  async drop(removed: (what: string) => void, signal: AbortSignal): Promise<void> {
    const session = await this.#control.get(signal);
    const facts = await serverFacts(this.#options, session, signal);
    const slot = await releasedSlot(this.#options, session, facts, this.#ambient, signal);
    await dropSlot(this.#options, session, slot, removed, signal);
    const publication = await readPublication(this.#options, session, facts, signal);
    await dropPublication(this.#options, session, publication, removed, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sessions of [this.#selecting, this.#planning, this.#polling, this.#control])
      await sessions[Symbol.asyncDispose]();
  }
}

/** A PostgreSQL database, 14 or newer, primary, as `core/source.ts` wants it. Connects when it is first asked something. */
export function createPostgresSource(options: PostgresOptions, rules: ValueRules, ambient: Ambient): Source {
  return new PostgresSource(options, rules, ambient);
}
