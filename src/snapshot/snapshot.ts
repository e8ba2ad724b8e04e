import { setMaxListeners } from "node:events";
import type { Ambient } from "../core/ambient.ts";
import { asMillraceError, MillraceError } from "../core/errors.ts";
import type { LineItem, LogItem } from "../core/line.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { ChunkProgress, TablePart } from "../core/record.ts";
import type { LogReader, Source, TableSize } from "../core/source.ts";
import type { TableId } from "../core/table-schema.ts";
import { Notice } from "../flow/notice.ts";
import { ChunkBook, type LiveChunk } from "./chunk-book.ts";
import { runChunk, type ChunkRunOptions } from "./chunk-run.ts";
import type { ChunkExecutor } from "./executor.ts";
import { Merge } from "./merge.ts";
import { settlePoll } from "./settle-poll.ts";
import { FileSpill } from "./spill.ts";
import { TableSnapshot } from "./table-snapshot.ts";

/** The bounds of a snapshot; what each is for stands with the engine's settings, of which they are a part. */
export interface SnapshotSettings {
  readonly lanes: number;
  readonly chunkRows: number;
  readonly chunkBytesMax: number;
  readonly waitingBytesMax: number;
  readonly windowBytesMax: number;
  readonly unsettledBytesMax: number;
  readonly heldBytesMax: number;
}

export interface SnapshotOptions {
  /** Every table of the record: those planned or half read are read here, the rest of the log passes untouched. */
  readonly tables: ReadonlyMap<TableId, TablePart>;
  /** Those that are read. Small ones come first, so that what depends on them need not wait for the largest. */
  readonly sizes: ReadonlyMap<TableId, TableSize>;
  /** The record's transactions that were not known to be visible. */
  readonly unsettled: readonly string[];
  /** Of this run: what an earlier one granted is void. */
  readonly token: number;
  readonly source: Pick<Source, "planner" | "settled" | "visible" | "parseCut">;
  readonly log: Pick<LogReader, "ping" | "nudge">;
  readonly executor: ChunkExecutor;
  readonly settings: SnapshotSettings;
  readonly spillFolder: string;
  readonly ambient: Ambient;
  readonly events: (event: PipelineEvent) => void;
}

/** Whether a table's snapshot is still to be read, or to be read to its end. */
export function needsSnapshot({ state }: TablePart): boolean {
  return state.kind === "planned" || state.kind === "snapshotting";
}

/** Failures of a table's chunks, one after the other, after which the run ends: what was read stays, and the next one goes on. */
const FAILURES_MAX = 8;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 15_000;

/**
 * The snapshot of all tables that still need one, beside the log (design §5): plans chunks, has them read in parallel,
 * and gives them to the merge. What the engine records comes from `entered`, in line order, and from `unsettledIds`.
 */
export class Snapshot implements AsyncDisposable {
  readonly #options: SnapshotOptions;
  readonly #merge: Merge;
  readonly #tables = new Map<TableId, TableSnapshot>();
  /** Those that have not ended, as far as lanes have looked. */
  readonly #left: Set<TableSnapshot>;
  readonly #book: ChunkBook;
  readonly #changed = new Notice();
  readonly #ended = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** Lanes that may not open their chunk before something is visible. */
  #blocked = 0;

  constructor(options: SnapshotOptions) {
    this.#options = options;
    const { settings, spillFolder, events } = options;
    const bytes = ({ schema }: TablePart): number => options.sizes.get(schema.id)?.bytes ?? 0;
    const parts = [...options.tables.values()].filter(needsSnapshot).toSorted((a, b) => bytes(a) - bytes(b));
    this.#book = new ChunkBook(this.#tables, events, this.#changed);
    this.#merge = new Merge({
      tables: parts.map((part) => part.schema),
      inherited: parts.length === 0 ? [] : options.unsettled,
      windowBytesMax: settings.windowBytesMax,
      unsettledBytesMax: settings.unsettledBytesMax,
      spill: (table) => new FileSpill({ folder: spillFolder, table, bytesMax: settings.heldBytesMax }),
      report: (event) => this.#book.merged(event),
    });
    for (const part of parts) this.#tables.set(part.schema.id, this.#tableSnapshot(part));
    this.#left = new Set(this.#tables.values());
  }

  #tableSnapshot({ schema, state }: TablePart): TableSnapshot {
    const { settings, source, events, ambient } = this.#options;
    return new TableSnapshot({
      schema,
      progress: state.kind === "snapshotting" ? state.progress : null,
      planner: source.planner,
      chunkRows: settings.chunkRows,
      chunkBytesMax: settings.chunkBytesMax,
      planned: ({ rowsEstimate }, chunksEstimate) => {
        events({ kind: "planned", table: schema.id, rowsEstimate, chunksEstimate });
        ambient.failpoint("snapshot.table-planned");
      },
    });
  }

  /** What goes down the line for a log item: see `Merge.pass`. */
  pass(item: LogItem): Iterable<LineItem> {
    return this.#merge.pass(item);
  }

  /**
   * A `chunk-entered` item has reached the sink: the progress to record with the epoch that it is in, null for a table
   * without a key, which is read as a whole or not at all.
   */
  entered(
    table: TableId,
    chunk: number,
  ): { readonly progress: ChunkProgress | null; readonly rows: number; readonly complete: boolean } {
    const delivered = this.#book.delivered(table, chunk);
    if (delivered.complete) this.#merge.finish(table);
    return delivered;
  }

  /** The table has stopped: nothing of it is read or noted any more. */
  forget(table: TableId): void {
    this.#merge.finish(table);
    this.#book.endTable(table);
  }

  /** Transactions passed down the line that are not known to be visible, for the record. */
  unsettledIds(): readonly string[] {
    return this.#merge.unsettledIds();
  }

  /** Reads what there is to read. Resolves when every table is complete or stopped; rejects where the run cannot go on. */
  async run(push: (item: LineItem) => Promise<void>, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#ended.signal]);
    const running = this.#run(push, either).catch((error: unknown) => {
      if (!this.#ended.signal.aborted) throw error;
    });
    this.#running = running.catch(() => undefined);
    await running;
  }

  async #run(push: (item: LineItem) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (this.#tables.size === 0) return;
    const { source, log, executor, settings, ambient, events, token } = this.#options;
    await source.settled(this.#options.unsettled, (on) => events({ kind: "waiting", on }), signal);
    events({ kind: "waiting", on: null });
    this.#merge.inheritedVisible();
    const chunkOptions: ChunkRunOptions = {
      source,
      log,
      merge: this.#merge,
      book: this.#book,
      executor,
      chunkBytesMax: settings.chunkBytesMax,
      token,
      ambient,
      push,
    };
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    // Every lane listens to it, with what it waits for.
    setMaxListeners(0, either);
    either.addEventListener("abort", () => this.#book.abort(either.reason), { once: true });
    const lanes = Array.from({ length: settings.lanes }, () => this.#lane(chunkOptions, either));
    const poll = settlePoll(
      {
        source,
        log,
        merge: this.#merge,
        ambient,
        blocked: () => this.#blocked,
        boundAwaitedSinceMs: () => this.#book.waitingSinceMs,
        settled: () => this.#changed.notify(),
      },
      either,
    );
    try {
      await Promise.race([Promise.all(lanes), poll]);
    } finally {
      stop.abort(new MillraceError("INTERNAL", "the snapshot has ended"));
      await Promise.allSettled([...lanes, poll]);
    }
  }

  /** Reads one chunk after the other, of the first table that has any, until all tables have ended. */
  async #lane(options: ChunkRunOptions, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const table = this.#inviting();
      if (table !== null) await this.#tryChunk(table, options, signal);
      else if (this.#left.size === 0) return;
      else await this.#changed.wait(signal);
    }
  }

  /** The first table that has any chunk to read now. */
  #inviting(): TableSnapshot | null {
    for (const table of this.#left) {
      if (table.inviting) return table;
      if (table.ended) this.#left.delete(table);
    }
    return null;
  }

  async #tryChunk(table: TableSnapshot, options: ChunkRunOptions, signal: AbortSignal): Promise<void> {
    let chunk: LiveChunk | null = null;
    try {
      const schema = this.#merge.schemaOf(table.id);
      const range = schema === undefined ? null : await table.take(schema, signal);
      // There may be more, which could not be seen before this one was planned.
      this.#changed.notify();
      signal.throwIfAborted();
      // It may have stopped meanwhile: nobody would ever register a chunk of it, nor give it up.
      if (schema === undefined || range === null || table.ended) return;
      chunk = this.#book.grant(table, range, schema.columns.length);
      this.#options.events({ kind: "chunk-started", table: table.id });
      await this.#register(chunk);
      await runChunk(chunk, table.failures + 1, options);
      table.failures = 0;
      this.#changed.notify();
    } catch (error) {
      if (signal.aborted) throw error;
      // Given up by the merge while it was read: what the reader says of that is no news.
      if (chunk !== null && !this.#book.isLive(chunk)) return;
      if (chunk !== null) {
        this.#merge.abandon(chunk.id, table.id);
        this.#book.giveUp(chunk);
      }
      await this.#failed(table, asMillraceError(error), signal);
    }
  }

  /** Waits until the chunk may be opened; the merge notes its table's changes from here on. */
  async #register({ id, table, abort: { signal } }: LiveChunk): Promise<void> {
    while (this.#book.readBytes >= this.#options.settings.waitingBytesMax) await this.#changed.wait(signal);
    if (this.#merge.register(id, table.id)) return;
    this.#block(1);
    try {
      while (!this.#merge.register(id, table.id)) await this.#changed.wait(signal);
    } finally {
      this.#block(-1);
    }
  }

  #block(change: 1 | -1): void {
    const before = this.#blocked;
    this.#blocked += change;
    if (before > 0 && this.#blocked > 0) return;
    const [first] = this.#merge.unsettledIds();
    const on = this.#blocked === 0 || first === undefined ? null : `transaction ${first} to become visible`;
    this.#options.events({ kind: "waiting", on });
  }

  /** Tries again after a pause that grows, or stops the table; the others go on. Throws what is no fault of the table's. */
  async #failed(table: TableSnapshot, error: MillraceError, signal: AbortSignal): Promise<void> {
    const { logger, clock } = this.#options.ambient;
    // Chunks that were read beside it failed for the same reason, most likely: one outage, one failure.
    if (table.pausing || table.ended) return;
    table.failures++;
    if (error.code === "CHUNK_WORKERS_FAILING" || (error.retry === "timed" && table.failures > FAILURES_MAX))
      throw error;
    if (error.retry !== "timed") {
      this.#merge.stop(table.id, error);
      return;
    }
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** (table.failures - 1));
    const fields = { table: table.id, code: error.code, reason: error.message, failures: table.failures, pauseMs };
    logger.warn("a chunk failed and will be read again", fields);
    table.pausing = true;
    try {
      await clock.sleep(pauseMs, signal);
    } finally {
      table.pausing = false;
      this.#changed.notify();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new MillraceError("INTERNAL", "the snapshot was closed"));
    await this.#running;
  }
}
