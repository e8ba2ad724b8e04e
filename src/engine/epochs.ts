import type { Ambient } from "../core/ambient.ts";
import type { ChangeBatch } from "../core/change-batch.ts";
import type { CheckpointStore } from "../core/checkpoint-store.ts";
import { asMillraceError, MillraceError } from "../core/errors.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { Json } from "../core/json.ts";
import { DurablePosition, type Position } from "../core/position.ts";
import type { CommittedRecord, EpochRecord, TablePart } from "../core/record.ts";
import type { Sink } from "../core/sink.ts";
import type { TableId } from "../core/table-schema.ts";
import { needsSnapshot } from "../snapshot/snapshot.ts";
import {
  dueReason,
  firstEpoch,
  hasContent,
  reduceEpoch,
  type CloseReason,
  type EpochEvent,
  type EpochLimits,
  type EpochState,
} from "./epoch-state.ts";
import { encodePart, historyPart, type RecordContent, tableKey } from "./record-parts.ts";

export interface EpochsOptions {
  readonly pipeline: string;
  readonly from: CommittedRecord;
  readonly content: Pick<RecordContent, "tables" | "history">;
  readonly limits: EpochLimits;
  readonly sink: Sink;
  readonly store: CheckpointStore;
  readonly ambient: Ambient;
  readonly events: (event: PipelineEvent) => void;
}

/** The run's book: the tables as they are, the open epoch, and the one place where an epoch is committed (design §4). */
export class Epochs {
  readonly #options: EpochsOptions;
  readonly #tables: Map<TableId, TablePart>;
  /** Tables whose snapshot is still to come or under way; and those that have stopped. */
  readonly #unread = new Set<TableId>();
  readonly #stopped = new Set<TableId>();
  #state: EpochState;
  /** Parts that the state does not have yet: it is made anew with each change, and ten thousand tables may begin in one epoch. */
  #parts = new Map<string, Json>();
  #position: Position | null = null;
  #commitTimeMs: number | null = null;
  /** The sink knows the run's token. */
  #hasClaimed = false;
  /** The first rows have waited for a run: they are not held for an interval, too. */
  #hasWaited: boolean;

  constructor(options: EpochsOptions) {
    this.#options = options;
    this.#tables = new Map(options.content.tables);
    for (const part of this.#tables.values()) this.#sort(part);
    this.#hasWaited = options.from.epoch > 0;
    this.#state = firstEpoch(options.pipeline, options.from, options.ambient.clock.monotonicMs());
  }

  get tables(): ReadonlyMap<TableId, TablePart> {
    return this.#tables;
  }

  /** No table's snapshot is still to come or under way. */
  get allRead(): boolean {
    return this.#unread.size === 0;
  }

  get allStopped(): boolean {
    return this.#stopped.size === this.#tables.size;
  }

  setTable(part: TablePart): void {
    const { id } = part.schema;
    this.#tables.set(id, part);
    this.#sort(part);
    this.setPart(tableKey(id), part);
    this.#options.events({ kind: "table", table: id, incarnation: part.incarnation, state: part.state });
  }

  /** The table is no longer in the pipeline file: the record forgets it. */
  removeTable(table: TableId): void {
    this.#tables.delete(table);
    this.#unread.delete(table);
    this.#stopped.delete(table);
    this.setPart(tableKey(table), null);
  }

  #sort(part: TablePart): void {
    const { id } = part.schema;
    if (needsSnapshot(part)) this.#unread.add(id);
    else this.#unread.delete(id);
    if (part.state.kind === "stopped") this.#stopped.add(id);
    else this.#stopped.delete(id);
  }

  setPart(key: string, part: Parameters<typeof encodePart>[0]): void {
    const value = encodePart(part);
    if (this.#state.kind === "open") this.#parts.set(key, value);
    // Which refuses it.
    else this.#reduce({ kind: "parts", parts: new Map([[key, value]]) });
  }

  written(rows: number, origin: ChangeBatch["origin"]): void {
    this.#reduce({ kind: "written", rows, inTransaction: origin === "log" });
  }

  /** A transaction boundary: the only place from which `commit` may be called. */
  progress(position: Position, unsettled: readonly string[], commitTimeMs: number | null): void {
    this.#position = position;
    this.#commitTimeMs = commitTimeMs ?? this.#commitTimeMs;
    this.#reduce({ kind: "progress", position: encodePart({ position: position.serialize(), unsettled }) });
  }

  /** Why the open epoch should end here; null: go on. */
  due(): CloseReason | null {
    const state = this.#now();
    if (state.kind !== "open") return null;
    const { limits, sink, ambient } = this.#options;
    const intervalMs = this.#hasWaited && state.rows > 0 ? 0 : limits.intervalMs;
    return dueReason(state, { ...limits, intervalMs }, sink.pendingBytes(), ambient.clock.monotonicMs());
  }

  /** Committing it would change something. */
  get hasContent(): boolean {
    const state = this.#now();
    return state.kind === "open" && hasContent(state);
  }

  /** Nothing of the log was written since the last `progress`, so `commit` is allowed. */
  get atBoundary(): boolean {
    return this.#state.kind === "open" && this.#state.atBoundary;
  }

  /**
   * Brings the run's token into the sink, by an epoch that changes nothing: from then on an earlier run, which the store's token
   * no longer stops because its record was stored before, can make nothing visible. Of a pipeline that has committed
   * nothing yet its first epoch does it.
   */
  async claim(): Promise<void> {
    const { from, content } = this.#options;
    if (from.epoch > 0) await this.#end("claim", content.history.at(-1)?.position ?? "");
  }

  /**
   * Ends the epoch: what the sink stages made durable, the record into the store, then rows and record into the sink, then
   * the store told. Returns what the source may be acknowledged. After a failure the epoch is lost, and only recovery knows what became of it.
   */
  async commit(reason: CloseReason): Promise<DurablePosition> {
    const position = this.#position;
    if (position === null) throw new MillraceError("INTERNAL", "an epoch cannot end before the first position");
    await this.#end(reason, position.toString());
    return DurablePosition.committed(position);
  }

  async #end(reason: CloseReason | "claim", position: string): Promise<void> {
    const { ambient, events, store, sink } = this.#options;
    const startedMs = ambient.clock.monotonicMs();
    try {
      ambient.failpoint("engine.epoch-closing");
      this.#remember(position);
      this.#reduce({ kind: "close", reason });
      this.#reduce({ kind: "prepared", committable: await sink.prepare() });
      if (this.#state.kind !== "prepared") throw new MillraceError("INTERNAL", "the epoch was not prepared");
      const { record, rows } = this.#state;
      await store.put(record);
      this.#reduce({ kind: "stored" });
      ambient.failpoint("engine.record-stored");
      await this.#intoSink(record);
      this.#reduce({ kind: "committed" });
      ambient.failpoint("engine.sink-committed");
      await store.confirm(record.epoch);
      const nowMs = ambient.clock.monotonicMs();
      this.#reduce({ kind: "acknowledged", atMs: nowMs });
      if (rows > 0) this.#hasWaited = false;
      const { epoch } = record;
      const commitTimeMs = this.#commitTimeMs;
      events({ kind: "committed", epoch, position, commitTimeMs, rows, tookMs: nowMs - startedMs });
    } catch (cause) {
      const error = asMillraceError(cause);
      this.#reduce({ kind: "failed", error });
      throw error;
    }
  }

  /** What is told of this epoch by `millrace state history`. */
  #remember(position: string): void {
    if (this.#state.kind !== "open") return;
    const { epoch, rows } = this.#state;
    this.setPart(...historyPart(epoch, this.#options.ambient.clock.nowMs(), rows, position));
  }

  async #intoSink(record: EpochRecord): Promise<void> {
    try {
      await this.#options.sink.commit(record);
      this.#hasClaimed = true;
    } catch (error) {
      if (this.#hasClaimed || !(error instanceof MillraceError) || error.code !== "FENCED") throw error;
      throw new MillraceError("OVERTAKEN", `another run committed epoch ${record.epoch} while this one was starting`, {
        cause: error,
      });
    }
  }

  #reduce(event: EpochEvent): void {
    this.#state = reduceEpoch(this.#now(), event);
  }

  /** The state, with every part in it. */
  #now(): EpochState {
    if (this.#parts.size === 0 || this.#state.kind !== "open") return this.#state;
    const parts = this.#parts;
    this.#parts = new Map();
    this.#state = reduceEpoch(this.#state, { kind: "parts", parts });
    return this.#state;
  }
}
