import type { ChangeBatch } from "../core/change-batch.ts";
import { roomOf } from "../core/column-builder.ts";
import type { MillraceError } from "../core/errors.ts";
import type { LogItem } from "../core/line.ts";
import type { Position, Transaction } from "../core/position.ts";
import type { LogRequest } from "../core/source.ts";
import type { TableId, TableSchema } from "../core/table-schema.ts";
import { LogQueue } from "./log-queue.ts";
import { firstRows, OpenBatch } from "./open-batch.ts";
import type { TableLog } from "./table-log.ts";

/** All open batches together may hold so many times the bytes of one: many tables in one large transaction. */
const OPEN_BATCHES_MAX = 4;

/** A flush between two transactions when so many tables have rows: sinks hold memory for each table of an epoch. */
const OPEN_TABLES_MAX = 64;

/** How many rows of the present transaction each table has; of those that are not in it, none. */
export type RowsMark = ReadonlyMap<TableId, number>;

/**
 * Puts decoded rows into items, in an order that the line allows (`core/line.ts`). One batch a table stays open over
 * many transactions; what closes of the present transaction is held back to its end, or until its bytes are too many.
 */
export class LogOutput {
  readonly #batchBytesMax: number;
  readonly #flushRows: number;
  /** Changes since the last flush. */
  #rows = 0;
  readonly #queue = new LogQueue();
  /** Tables with an open batch, by their first row. */
  readonly #open = new Set<TableLog>();
  #openBytes = 0;
  #position: Position;
  #commitTimeMs: number | null = null;
  /** Between Begin and Commit, also of a transaction that is passed over. */
  #inTransaction = false;
  /** Rows of the present transaction may have been taken already: nothing can be put before them. */
  #beyondRecall = false;
  /** How many those are. */
  readonly #gone = new Map<TableId, number>();
  /** The boundary before the present transaction was said, for a schema change in it. */
  #boundarySaid = false;
  #flushAtCommit = false;

  constructor(from: Position, { batchBytesMax, flushRows }: Pick<LogRequest, "batchBytesMax" | "flushRows">) {
    this.#position = from;
    this.#batchBytesMax = batchBytesMax;
    this.#flushRows = flushRows;
  }

  get heldBytes(): number {
    return this.#openBytes + this.#queue.bytes;
  }

  get hasItems(): boolean {
    return this.#queue.hasReady;
  }

  take(): LogItem[] {
    return this.#queue.take();
  }

  begin(): void {
    this.#inTransaction = true;
    this.#beyondRecall = false;
    this.#gone.clear();
    this.#boundarySaid = false;
  }

  /** `commitTimeMs` is null for a transaction that was passed over. */
  commit(position: Position, commitTimeMs: number | null): void {
    this.#inTransaction = false;
    this.#commitTimeMs = commitTimeMs ?? this.#commitTimeMs;
    this.moveTo(position);
    this.#queue.release();
    if (this.#flushAtCommit || this.#rows >= this.#flushRows || this.#open.size >= OPEN_TABLES_MAX) this.flush();
  }

  /** Everything up to there has been given to us, and no transaction is open. Never backwards: the caller sees to it. */
  moveTo(position: Position): void {
    this.#position = position;
  }

  flush(): void {
    this.#flushAtCommit = this.#inTransaction;
    if (this.#inTransaction) return;
    this.#rows = 0;
    for (const table of this.#open) this.#queue.push({ kind: "rows", batch: this.#closed(table) });
    this.#progress();
  }

  #progress(): void {
    this.#queue.push({ kind: "progress", position: this.#position, commitTimeMs: this.#commitTimeMs });
  }

  batch(table: TableLog): OpenBatch {
    if (table.batch !== null) return table.batch;
    this.#open.add(table);
    // Room for one like the last: but not for each of a thousand tables that had much once.
    table.batch = new OpenBatch(table.schema, this.#open.size > OPEN_BATCHES_MAX ? null : table.room);
    return table.batch;
  }

  /** Changes of that many bytes were written to the table's batch. */
  grew(table: TableLog, bytes: number, rows: number): void {
    this.#rows += rows;
    table.bytesBound += bytes;
    this.#openBytes += bytes;
    const { batch } = table;
    if (table.bytesBound > this.#batchBytesMax) this.#measure(table, batch!);
    if (this.#openBytes > this.#batchBytesMax * OPEN_BATCHES_MAX)
      for (const other of this.#open) this.#send(other, batch!.lastTransaction!);
  }

  /** Text is longer than most of what it becomes: only where the bound is reached the exact figure is worth its price. */
  #measure(table: TableLog, batch: OpenBatch): void {
    const bytes = batch.usedBytes;
    if (bytes * 2 > this.#batchBytesMax) this.#send(table, batch.lastTransaction!);
    else {
      this.#openBytes += bytes - table.bytesBound;
      table.bytesBound = bytes;
    }
  }

  /** Lets a batch go for its size, and what is held back before it. */
  #send(table: TableLog, present: Transaction): void {
    this.#letGo();
    addRows(this.#gone, table.schema.id, table.batch!.rowsOf(present));
    this.#queue.push({ kind: "rows", batch: this.#closed(table) });
  }

  #letGo(): void {
    for (const item of this.#queue.held)
      if (item.kind === "rows") addRows(this.#gone, item.batch.schema.id, item.batch.length);
    this.#queue.release();
    this.#beyondRecall = true;
  }

  /** What is held back has its bound too. Not before everything that must stand in front of it does. */
  #boundHeld(): void {
    if (this.#queue.heldBytes > this.#batchBytesMax) this.#letGo();
  }

  #closed(table: TableLog): ChangeBatch {
    const batch = this.#take(table).close();
    table.room = roomOf(batch.columns);
    return batch;
  }

  /** The open batch, which is no longer. */
  #take(table: TableLog): OpenBatch {
    const batch = table.batch!;
    table.batch = null;
    this.#openBytes -= table.bytesBound;
    table.bytesBound = 0;
    this.#open.delete(table);
    return batch;
  }

  /** Closes a table's batch, if it has one; rows of this transaction stay in hand. */
  #close(table: TableLog, transaction: Transaction): void {
    if (table.batch === null) return;
    const batch = this.#take(table);
    if (batch.length === 0) return;
    if (batch.lastTransaction !== transaction) {
      this.#queue.push({ kind: "rows", batch: batch.close() });
      return;
    }
    const [earlier, present] = batch.closeInTwo();
    if (earlier !== null) this.#queue.push({ kind: "rows", batch: earlier });
    this.#queue.hold({ kind: "rows", batch: present });
  }

  truncate(table: TableLog, transaction: Transaction): void {
    this.#close(table, transaction);
    this.#queue.hold({ kind: "truncate", table: table.schema.id, transaction });
    this.#boundHeld();
  }

  /** Everything of the table stands before its stop. A row that was begun is not part of it. */
  stop(table: TableLog, transaction: Transaction, error: MillraceError): void {
    table.ended = true;
    this.#close(table, transaction);
    this.#queue.hold({ kind: "stop", table: table.schema.id, error });
  }

  /**
   * Puts the new schema before everything of this transaction, with all earlier transactions complete before it. False:
   * rows of this transaction have been let go, so that there is no such place any more.
   */
  changeSchema(table: TableLog, schema: TableSchema, transaction: Transaction): boolean {
    if (this.#beyondRecall) return false;
    for (const other of this.#open) this.#close(other, transaction);
    // Once: a record made between two changes would have the first one's shape at a position before it, and a run that
    // resumes there would meet rows of the older shape.
    if (!this.#boundarySaid) this.#progress();
    this.#boundarySaid = true;
    this.#queue.push({ kind: "schema", schema, transaction });
    table.schema = schema;
    this.#boundHeld();
    return true;
  }

  /** What the present transaction has so far, for `undo`. */
  mark(transaction: Transaction): RowsMark {
    const rows = new Map(this.#gone);
    for (const item of this.#queue.held)
      if (item.kind === "rows") addRows(rows, item.batch.schema.id, item.batch.length);
    for (const { schema, batch } of this.#open) addRows(rows, schema.id, batch!.rowsOf(transaction));
    return rows;
  }

  /**
   * Takes back the present transaction's rows, but for the first ones that `mark` counts. Answers with a table of which
   * rows to be taken back have been let go: then nothing was done.
   */
  undo(mark: RowsMark, transaction: Transaction): TableId | null {
    for (const [table, gone] of this.#gone) if (gone > (mark.get(table) ?? 0)) return table;
    for (const table of this.#open) if (table.batch!.rowsOf(transaction) > 0) this.#close(table, transaction);
    const before = new Map(this.#gone);
    this.#queue.keepHeld((item) => {
      if (item.kind !== "rows") return item;
      const { id } = item.batch.schema;
      const kept = (mark.get(id) ?? 0) - (before.get(id) ?? 0);
      addRows(before, id, item.batch.length);
      if (kept >= item.batch.length) return item;
      return kept > 0 ? { kind: "rows", batch: firstRows(item.batch, kept) } : null;
    });
    return null;
  }
}

function addRows(counts: Map<TableId, number>, table: TableId, rows: number): void {
  if (rows > 0) counts.set(table, (counts.get(table) ?? 0) + rows);
}
