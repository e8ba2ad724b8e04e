import type { BufferPool } from "../../core/buffer-pool.ts";
import { snapshotBatch, type ChangeBatch } from "../../core/change-batch.ts";
import type { ChunkOutcome, ChunkReader, ChunkRequest, KeyBound } from "../../core/chunk.ts";
import { type ColumnRoom, roomOf } from "../../core/column-builder.ts";
import type { Json } from "../../core/json.ts";
import type { ValueRules } from "../../core/source.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import type { MysqlOptions } from "./config.ts";
import { LazySession, type Session } from "./connection.ts";
import { typeRules, type MysqlTypeRules } from "./mysql-type.ts";
import { type PacketSink, streamRows } from "./packet-stream.ts";
import { ResultDecoder } from "./result-decoder.ts";
import { selectionOf, type Selection } from "./selection.ts";
import { openTable, rangeSelect, readError } from "./table-read.ts";

/** A batch is handed over at either. */
const BATCH_BYTES = 4 << 20;
const BATCH_ROWS = 32_768;

export interface ReadEvents {
  opened(cut: Json): void;
  batch(batch: ChangeBatch): Promise<void>;
}

/** Reads chunks over one connection, which is kept from one to the next. */
class MysqlChunkReader implements ChunkReader {
  readonly #rules: MysqlTypeRules;
  readonly #sessions: LazySession;
  readonly #pool: BufferPool;
  /** The room that the last chunk's first batch took, and its table: the next one's will be about the same. */
  #last: { readonly table: TableSchema; readonly room: readonly ColumnRoom[] } | null = null;

  constructor(options: MysqlOptions, rules: ValueRules, pool: BufferPool) {
    this.#rules = typeRules(options, rules);
    this.#pool = pool;
    this.#sessions = new LazySession(options, { statementTimeoutMs: 0, lockTimeoutMs: options.lockTimeoutMs });
  }

  async read(request: ChunkRequest, on: ReadEvents, signal: AbortSignal): Promise<ChunkOutcome> {
    const session = await this.#sessions.get(signal);
    const { cut, schema, index } = await openTable(session, request.schema, this.#rules, signal);
    on.opened(cut.serialize());
    const selection = selectionOf(schema);
    const { id, version } = schema;
    const room = this.#last?.table.id === id && this.#last.table.version === version ? this.#last.room : null;
    const decoder = new ResultDecoder(selection.schema, this.#rules, room, this.#pool);
    const sink = new ChunkSink(request, decoder, schema, selection, on);
    const { range, rowsMax } = request;
    await runSelects(session, schema, () => [rangeSelect(selection, index, range, rowsMax)], sink, signal);
    this.#last = sink.room === null ? null : { table: schema, room: sink.room };
    return sink.outcome();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
  }
}

/** For one worker, in whatever thread: the options are plain data. */
export function createMysqlChunkReader(options: MysqlOptions, rules: ValueRules, pool: BufferPool): ChunkReader {
  return new MysqlChunkReader(options, rules, pool);
}

/** A sink that may have had enough: the answer is then cut off, and its connection with it. */
export interface BoundedSink extends PacketSink {
  readonly full: boolean;
  /** Behind the last packet: what is left goes out. */
  end(): Promise<void>;
}

/** Reads rows in the open transaction, and ends that. */
export async function runSelects(
  session: Session,
  schema: TableSchema,
  statements: () => readonly string[],
  sink: BoundedSink,
  signal: AbortSignal,
): Promise<void> {
  const cutWhenFull: PacketSink = {
    packet: (bytes, start, end) => sink.packet(bytes, start, end),
    part: (bytes, start, end, last) => sink.part(bytes, start, end, last),
    release: () => sink.release(),
    afterPiece: () => {
      const wait = sink.afterPiece();
      // KILL QUERY takes another connection, and may come when the next statement runs: it is dearer and less sure.
      if (sink.full) session.destroy();
      return wait;
    },
  };
  try {
    for (const sql of statements()) await session.run(() => streamRows(session.connection, sql, cutWhenFull), signal);
    await session.query("COMMIT", [], signal);
  } catch (error) {
    if (!sink.full || signal.aborted) {
      // The transaction may still be open, and the next one would not begin where it thinks.
      session.destroy();
      throw readError(schema, error);
    }
  }
  await sink.end();
}

/** The rows of one chunk on their way from the socket to `on.batch`, up to the chunk's caps. */
class ChunkSink implements BoundedSink {
  readonly #request: ChunkRequest;
  readonly #schema: TableSchema;
  readonly #selection: Selection;
  readonly #decoder: ResultDecoder;
  readonly #on: ReadEvents;
  /** Tables without a key cannot be cut, so nothing caps them but the reader's back-pressure. */
  readonly #capped: boolean;
  #rows = 0;
  #bytes = 0;
  #lastKey: KeyBound | null = null;
  #handingOver: Promise<void> = Promise.resolve();
  full: boolean = false;
  /** That the first batch took. */
  room: readonly ColumnRoom[] | null = null;

  constructor(
    request: ChunkRequest,
    decoder: ResultDecoder,
    schema: TableSchema,
    selection: Selection,
    on: ReadEvents,
  ) {
    this.#request = request;
    this.#schema = schema;
    this.#selection = selection;
    this.#decoder = decoder;
    this.#on = on;
    this.#capped = schema.key.length > 0;
  }

  packet(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#decoder.packet(bytes, start, end);
  }

  part(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.#decoder.part(bytes, start, end, last);
  }

  release(): void {
    this.#decoder.release();
  }

  afterPiece(): Promise<void> | null {
    const { rows, bytes, finished } = this.#decoder;
    if (rows === 0 || finished || this.full) return null;
    this.full = this.#capped && this.#bytes + bytes >= this.#request.bytesMax;
    if (!this.full && bytes < BATCH_BYTES && rows < BATCH_ROWS) return null;
    return this.#handOver();
  }

  #handOver(): Promise<void> {
    const length = this.#decoder.rows;
    this.#bytes += this.#decoder.bytes;
    const columns = this.#decoder.take();
    this.room ??= roomOf(columns);
    this.#rows += length;
    this.#lastKey = this.#selection.boundOf(columns, length - 1);
    // Behind the table's own columns there may be numbers for the bound alone.
    const batch = snapshotBatch(this.#schema, columns.slice(0, this.#schema.columns.length), length);
    this.#handingOver = this.#handingOver.then(() => this.#on.batch(batch));
    return this.#handingOver;
  }

  async end(): Promise<void> {
    if (this.#decoder.rows > 0 && !this.full) await this.#handOver();
    await this.#handingOver;
  }

  outcome(): ChunkOutcome {
    const { grant, range, rowsMax } = this.#request;
    const cut = this.full || (this.#capped && this.#rows >= rowsMax);
    const complete = !cut || this.#lastKey!.every((text, i) => text === range.upper?.[i]);
    const rest = complete ? null : { lower: this.#lastKey, upper: range.upper };
    return { grant, schema: this.#schema, rows: this.#rows, bytes: this.#bytes, rest };
  }
}
