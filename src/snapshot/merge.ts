import type { ChangeBatch } from "../core/change-batch.ts";
import { assertNever, MillraceError } from "../core/errors.ts";
import type { LineItem, LogItem, ProgressItem, RowsItem, SchemaItem, StopItem, TruncateItem } from "../core/line.ts";
import type { Cut, Position, Transaction } from "../core/position.ts";
import { type TableId, type TableSchema, withDefinition } from "../core/table-schema.ts";
import { chunkShape, knowingBoth } from "./chunk-shape.ts";
import { enterChunk, type EnterResult, type ReadChunk } from "./enter-chunk.ts";
import { KeylessSnapshot, type Spill } from "./keyless-snapshot.ts";
import { Unsettled } from "./unsettled.ts";
import { barrierNote, rowsNote, type Note } from "./window.ts";

/** A chunk of a table with a key, all of it read. */
export interface FinishedChunk extends ReadChunk {
  readonly schema: TableSchema;
}

/** What became of a chunk or table; told while the call that brought it about is still under way. */
export type MergeEvent =
  /** Its rows are in the line. */
  | { readonly kind: "entered"; readonly table: TableId; readonly chunk: number; readonly rows: number }
  /** Its window outgrew the budget: to be planned again, smaller. */
  | { readonly kind: "abandoned"; readonly table: TableId; readonly chunk: number }
  /** A TRUNCATE or an alteration came in between, or a change of which its cut is not sure: to be read again. */
  | { readonly kind: "voided"; readonly table: TableId; readonly chunk: number }
  /** The table has left the merge with a `stop` item. */
  | { readonly kind: "stopped"; readonly table: TableId; readonly error: MillraceError };

export interface MergeOptions {
  /** The tables whose snapshot is not complete, in the shape they have at the log's start. All others pass untouched. */
  readonly tables: readonly TableSchema[];
  /**
   * The record's transactions that were not known to be visible. They stay in every record of this run, and no chunk may
   * be registered, until `inheritedVisible`: a second crash must find them again.
   */
  readonly inherited: readonly string[];
  readonly windowBytesMax: number;
  readonly unsettledBytesMax: number;
  readonly spill: (table: TableId) => Spill;
  readonly report: (event: MergeEvent) => void;
  /** Rules 2 and 4, which the simulation exchanges for broken ones to see that it notices. */
  readonly unsettled?: Unsettled;
  readonly enter?: (window: readonly Note[], chunk: ReadChunk) => EnterResult;
}

/** With a pause of one write in a hundred tries, a table without a key is read. */
const UNSURE_CHUNKS_MAX = 200;

interface OpenChunk {
  readonly id: number;
  /** The line's shape when it was registered. */
  readonly planned: TableSchema;
  readonly window: Note[];
  /** Of what came since it was registered; what was unsettled then is within a budget of its own. */
  windowBytes: number;
  read: FinishedChunk | null;
  /** `boundNow`, since it was read. */
  later: Position | null;
}

interface MergedTable {
  schema: TableSchema;
  readonly chunks: Map<number, OpenChunk>;
  readonly keyless: KeylessSnapshot | null;
}

/**
 * Puts chunk rows into the log so that no key ever goes backwards (design §5, where the four rules and their reasons
 * stand). Pure and synchronous: it reads no clock and does no I/O, and the simulation proves it under random histories.
 *
 * Log items flow through at once, whatever the chunks do; those of a table without a key alone are held back while it is
 * read. Chunks that are due enter whole, at a `progress` item. A table leaves by `finish`, or with a `stop`.
 */
export class Merge {
  readonly #tables = new Map<TableId, MergedTable>();
  /**
   * Those with chunks, and those whose last one has gone since the last boundary of the log: such a boundary must not cost a
   * look at each of ten thousand tables.
   */
  readonly #open = new Set<MergedTable>();
  readonly #windowBytesMax: number;
  readonly #unsettled: Unsettled;
  readonly #enter: (window: readonly Note[], chunk: ReadChunk) => EnterResult;
  readonly #report: (event: MergeEvent) => void;
  #inherited: readonly string[];
  /** Waits for the next transaction boundary. */
  #atProgress: (SchemaItem | StopItem)[] = [];

  constructor(options: MergeOptions) {
    this.#windowBytesMax = options.windowBytesMax;
    this.#unsettled = options.unsettled ?? new Unsettled(options.unsettledBytesMax);
    this.#enter = options.enter ?? enterChunk;
    this.#report = options.report;
    this.#inherited = options.inherited;
    for (const schema of options.tables) {
      const keyless = schema.key.length === 0 ? new KeylessSnapshot(schema.id, options.spill(schema.id)) : null;
      this.#tables.set(schema.id, { schema, chunks: new Map(), keyless });
    }
  }

  /** The shape of the table as the line knows it: what a chunk is to be read with. Undefined: it has left the merge. */
  schemaOf(table: TableId): TableSchema | undefined {
    return this.#tables.get(table)?.schema;
  }

  /**
   * Rule 1: called before the chunk's database transaction is opened. False: no chunk of the table may be opened now, ask
   * again when something has settled.
   */
  register(chunk: number, table: TableId): boolean {
    const merged = this.#tables.get(table);
    const window = this.#unsettled.window(table);
    if (merged === undefined || window === null || this.#inherited.length > 0) return false;
    if (this.#atProgress.some((item) => item.kind === "schema" && item.schema.id === table)) return false;
    if (merged.keyless === null) {
      merged.chunks.set(chunk, { id: chunk, planned: merged.schema, window, windowBytes: 0, read: null, later: null });
    } else {
      if (merged.keyless.chunk !== null) return false;
      merged.keyless.register(
        chunk,
        window.flatMap((note) => (note.kind === "rows" && note.batch !== null ? [note.batch] : [])),
      );
    }
    this.#open.add(merged);
    return true;
  }

  /** The chunk has been read and waits for its bound. False: it was abandoned or voided meanwhile, and goes to waste. */
  read(chunk: number, table: TableId, finished: FinishedChunk): boolean {
    const open = this.#tables.get(table)?.chunks.get(chunk);
    if (open === undefined) return false;
    open.read = finished;
    return true;
  }

  /**
   * The bound of a snapshot opened now bounds every chunk that has been read, too. What was in their own and is not in it will
   * never be in the log: a GTID that was owned and given up.
   */
  boundNow(bound: Position): void {
    for (const { chunks } of this.#open)
      for (const chunk of chunks.values()) if (chunk.read !== null) chunk.later = bound;
  }

  /** Forgets the chunk: reading it failed, or was given up. */
  abandon(chunk: number, table: TableId): void {
    const merged = this.#tables.get(table);
    merged?.chunks.delete(chunk);
    if (merged?.keyless?.chunk === chunk) merged.keyless.restart();
  }

  /** The cut of the table without a key that is being read. False: the chunk is void. */
  keylessOpened(chunk: number, table: TableId, cut: Cut): boolean {
    const merged = this.#tables.get(table);
    if (merged?.keyless?.chunk !== chunk) return false;
    if (merged.keyless.opened(cut)) return true;
    this.#void(merged);
    return false;
  }

  /** Rows of it, for the line at once. Null: the chunk is void. */
  keylessRows(chunk: number, table: TableId, batch: ChangeBatch): LineItem[] | null {
    const merged = this.#tables.get(table);
    if (merged?.keyless?.chunk !== chunk) return null;
    const shape = chunkShape(merged.schema, merged.schema, batch.schema);
    switch (shape.kind) {
      case "known":
        return merged.keyless.rows(batch);
      case "added":
        // Rows come in the middle of transactions, where the line cannot be altered: read it again behind the alteration.
        this.#atProgress.push({ kind: "schema", schema: shape.schema, transaction: null });
        this.#void(merged);
        return null;
      case "incompatible":
        this.stop(table, incompatible(table, shape.why));
        return null;
      default:
        return assertNever(shape);
    }
  }

  /** All its rows are in the line. False: it was voided meanwhile. */
  keylessThrough(chunk: number, table: TableId): boolean {
    const keyless = this.#tables.get(table)?.keyless;
    if (keyless?.chunk !== chunk) return false;
    keyless.through();
    return true;
  }

  /** The last chunk of the table has reached the sink: from here on it passes untouched. */
  finish(table: TableId): void {
    // Chunks that are about to enter in a `pass` under way are gone with it.
    const merged = this.#tables.get(table);
    merged?.chunks.clear();
    // What it holds of a table that stops is of no more use, in memory and on disk.
    merged?.keyless?.restart();
    if (merged !== undefined) this.#open.delete(merged);
    this.#tables.delete(table);
    this.#unsettled.forget(table);
  }

  /** Takes the table out of the line, with a `stop` item at the next transaction boundary. */
  stop(table: TableId, error: MillraceError): void {
    if (!this.#tables.has(table)) return;
    this.finish(table);
    this.#atProgress.push({ kind: "stop", table, error });
    this.#report({ kind: "stopped", table, error });
  }

  /** Rule 2: what a cut (a chunk's, or the poll's) surely includes is visible to every chunk from now on. */
  settle(cut: Cut): void {
    this.#unsettled.settle(cut);
  }

  /** Everything that a record of an earlier run left unsettled is visible: the source's `settled` has said so. */
  inheritedVisible(): void {
    this.#inherited = [];
  }

  /** Whether something waits to become visible: the poll has work. */
  get settling(): boolean {
    return !this.#unsettled.empty;
  }

  /** What was passed and is not known to be visible, for the checkpoint. */
  unsettledIds(): string[] {
    return [...this.#inherited, ...this.#unsettled.ids()];
  }

  /**
   * What goes down the line for a log item. To be consumed to its end before the next call of `pass`; other calls may come
   * in between. More than the item itself comes only at `progress`.
   */
  pass(item: LogItem): Iterable<LineItem> {
    switch (item.kind) {
      case "rows":
        return this.#passRows(item);
      case "truncate":
        return this.#passTruncate(item);
      case "schema":
        return this.#passSchema(item);
      case "stop":
        this.#passStop(item);
        return [item];
      case "progress":
        return this.#tables.size === 0 && this.#atProgress.length === 0 ? [item] : this.#passProgress(item);
      default:
        return assertNever(item);
    }
  }

  #passRows(item: RowsItem): LineItem[] {
    const merged = this.#tables.get(item.batch.schema.id);
    if (merged === undefined) return [item];
    this.#note(merged, rowsNote(item.batch));
    if (merged.keyless === null) return [item];
    if (!merged.keyless.hold(item.batch)) this.#void(merged);
    return [];
  }

  #passTruncate(item: TruncateItem): LineItem[] {
    const merged = this.#tables.get(item.table);
    if (merged === undefined || item.transaction === null) return [item];
    this.#noteBarrier(merged, item.transaction);
    return merged.keyless === null ? [item] : [];
  }

  #passSchema(item: SchemaItem): LineItem[] {
    const merged = this.#tables.get(item.schema.id);
    if (merged === undefined) return [item];
    merged.schema = knowingBoth(merged.schema, item.schema);
    if (item.transaction !== null) this.#noteBarrier(merged, item.transaction);
    return [{ ...item, schema: merged.schema }];
  }

  #passStop(item: StopItem): void {
    if (!this.#tables.has(item.table)) return;
    this.finish(item.table);
    this.#report({ kind: "stopped", table: item.table, error: item.error });
  }

  #noteBarrier(merged: MergedTable, transaction: Transaction): void {
    this.#note(merged, barrierNote(transaction));
    if (merged.keyless !== null && !merged.keyless.barrier(transaction)) this.#void(merged);
  }

  #note(merged: MergedTable, note: Note): void {
    const table = merged.schema.id;
    this.#unsettled.add(table, note);
    for (const chunk of merged.chunks.values()) {
      chunk.window.push(note);
      chunk.windowBytes += note.bytes;
      if (chunk.windowBytes <= this.#windowBytesMax) continue;
      merged.chunks.delete(chunk.id);
      this.#report({ kind: "abandoned", table, chunk: chunk.id });
    }
  }

  #void({ keyless, schema: { id } }: MergedTable): void {
    const chunk = keyless?.chunk ?? null;
    keyless?.restart();
    if ((keyless?.unsureChunks ?? 0) >= UNSURE_CHUNKS_MAX) this.stop(id, neverSure(id));
    else if (chunk !== null) this.#report({ kind: "voided", table: id, chunk });
  }

  *#passProgress(progress: ProgressItem): Iterable<LineItem> {
    for (const merged of [...this.#open]) {
      for (const chunk of [...merged.chunks.values()]) {
        // Rule 3. Looked at anew each time: whoever consumes this may have abandoned chunks in between.
        if (chunk.read === null || !isPassed(chunk.read.cut.bound, chunk.later, progress.position)) continue;
        if (merged.chunks.delete(chunk.id)) yield* this.#enterChunk(merged, chunk, chunk.read, progress);
      }
      if (this.#tables.has(merged.schema.id) && merged.keyless?.due(progress.position) === true)
        yield* this.#releaseKeyless(merged);
      if (!this.#isOpen(merged)) this.#open.delete(merged);
    }
    for (const item of this.#atProgress.splice(0)) yield* this.#alteration(item, progress);
    yield progress;
  }

  #isOpen({ schema, chunks, keyless }: MergedTable): boolean {
    return this.#tables.has(schema.id) && (chunks.size > 0 || (keyless !== null && keyless.chunk !== null));
  }

  #enterChunk(merged: MergedTable, chunk: OpenChunk, read: FinishedChunk, progress: ProgressItem): LineItem[] {
    const table = merged.schema.id;
    const shape = chunkShape(merged.schema, chunk.planned, read.schema);
    if (shape.kind === "incompatible") {
      this.stop(table, incompatible(table, shape.why));
      return [];
    }
    const result = this.#enter(chunk.window, read);
    if (result.kind === "void") {
      this.#report({ kind: "voided", table, chunk: chunk.id });
      return [];
    }
    const items: LineItem[] = [];
    let { batches } = result;
    if (shape.kind === "added") {
      items.push(...this.#alteration({ kind: "schema", schema: shape.schema, transaction: null }, progress));
      batches = batches.map((batch) => ({ ...batch, schema: shape.schema }));
    }
    for (const batch of batches) items.push({ kind: "rows", batch });
    items.push({ kind: "chunk-entered", table, chunk: chunk.id });
    this.#report({ kind: "entered", table, chunk: chunk.id, rows: rowsOf(batches) });
    return items;
  }

  *#releaseKeyless(merged: MergedTable): Iterable<LineItem> {
    const { keyless, schema } = merged;
    const chunk = keyless?.chunk ?? null;
    if (keyless === null || chunk === null) return;
    // From here on its changes pass; nothing can come before what was held is out, for this is one call of `pass`. What is
    // unsettled stays until `finish`: an epoch that ends before this point of the line may still be committed, and must
    // name it.
    this.#tables.delete(schema.id);
    this.#report({ kind: "entered", table: schema.id, chunk, rows: 0 });
    yield* keyless.release();
  }

  /** An epoch must be able to end just before an alteration: what was passed since the last boundary is complete here. */
  #alteration(item: SchemaItem | StopItem, progress: ProgressItem): LineItem[] {
    if (item.kind === "stop") return [item];
    const merged = this.#tables.get(item.schema.id);
    if (merged === undefined) return [progress, item];
    // A chunk has shown it, and the log may have altered the table since.
    const schema = withDefinition(item.schema, merged.schema.definition);
    merged.schema = knowingBoth(merged.schema, schema);
    return [progress, { ...item, schema }];
  }
}

function isPassed(bound: Position, later: Position | null, position: Position): boolean {
  return position.covers(bound) || (later !== null && position.covers(later));
}

function rowsOf(batches: readonly ChangeBatch[]): number {
  return batches.reduce((rows, batch) => rows + batch.length, 0);
}

function neverSure(table: TableId): MillraceError {
  return new MillraceError(
    "SNAPSHOT_UNSURE",
    `${table} has no key, and was changed at each of the ${UNSURE_CHUNKS_MAX} moments at which it was to be read`,
    { place: { table } },
  );
}

function incompatible(table: TableId, why: string): MillraceError {
  return new MillraceError("SCHEMA_CHANGED", `${table} changed while it was being read: ${why}`, { place: { table } });
}
