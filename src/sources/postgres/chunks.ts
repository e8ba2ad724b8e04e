import type { BufferPool } from "../../core/buffer-pool.ts";
import { snapshotBatch, type ChangeBatch } from "../../core/change-batch.ts";
import type { ChunkOutcome, ChunkReader, ChunkRequest, KeyBound } from "../../core/chunk.ts";
import { type ColumnRoom, roomOf } from "../../core/column-builder.ts";
import type { Json } from "../../core/json.ts";
import type { ValueRules } from "../../core/source.ts";
import { keyColumns, type TableSchema } from "../../core/table-schema.ts";
import { cellText } from "./cell-text.ts";
import type { PostgresOptions } from "./config.ts";
import { LazySession, type Session } from "./connection.ts";
import { CopyDecoder } from "./copy-decoder.ts";
import { CopyOut, type CopySink } from "./copy-out.ts";
import { openTable, rangeCopy } from "./table-read.ts";

/** A batch is handed over at either. */
const BATCH_BYTES = 4 << 20;
const BATCH_ROWS = 32_768;

/** A chunk never scans the table; parallel workers would take more of the source than we were given. */
const SETTINGS = ["enable_seqscan = off", "max_parallel_workers_per_gather = 0"];
/** An integer key mostly follows the order of the rows on disk; without statistics the planner would sort each chunk. */
const INTEGER_KEY_SETTINGS = ["enable_bitmapscan = off", "enable_sort = off"];

export interface ReadEvents {
  opened(cut: Json): void;
  batch(batch: ChangeBatch): Promise<void>;
}

/** Whether the key is one integer, whose chunks can be cut by arithmetic. */
export function hasIntegerKey(schema: TableSchema): boolean {
  const [column, ...others] = keyColumns(schema);
  return column !== undefined && others.length === 0 && column.type.kind === "int";
}

function readSettings(schema: TableSchema): readonly string[] {
  if (schema.key.length === 0) return SETTINGS.slice(1);
  return hasIntegerKey(schema) ? [...SETTINGS, ...INTEGER_KEY_SETTINGS] : SETTINGS;
}

export function takenBatch(schema: TableSchema, decoder: CopyDecoder): ChangeBatch {
  const length = decoder.rows;
  return snapshotBatch(schema, decoder.take(), length);
}

/** Reads chunks over one connection, which is kept from one to the next. */
class PgChunkReader implements ChunkReader {
  readonly #rules: ValueRules;
  readonly #sessions: LazySession;
  readonly #pool: BufferPool;
  /** The room that the last chunk's first batch took, and its table: the next one's will be about the same. */
  #last: { readonly table: TableSchema; readonly room: readonly ColumnRoom[] } | null = null;

  constructor(options: PostgresOptions, rules: ValueRules, pool: BufferPool) {
    this.#rules = rules;
    this.#pool = pool;
    this.#sessions = new LazySession(options, { statementTimeoutMs: 0, lockTimeoutMs: options.lockTimeoutMs });
  }

  async read(request: ChunkRequest, on: ReadEvents, signal: AbortSignal): Promise<ChunkOutcome> {
    const session = await this.#sessions.get(signal);
    const table = await openTable(session, request.schema, this.#rules, readSettings(request.schema), signal);
    on.opened(table.cut.serialize());
    const { id, version } = table.schema;
    const room = this.#last?.table.id === id && this.#last.table.version === version ? this.#last.room : null;
    const decoder = new CopyDecoder(table.schema, this.#rules, room, this.#pool);
    const sink = new ChunkSink(request, decoder, table.schema, on);
    const sql = rangeCopy(table.schema, table.catalog, request.range, request.rowsMax);
    await runCopy(session, sql, sink, signal);
    this.#last = sink.room === null ? null : { table: table.schema, room: sink.room };
    return sink.outcome();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
  }
}

/** For one worker, in whatever thread: the options are plain data. */
export function createPostgresChunkReader(options: PostgresOptions, rules: ValueRules, pool: BufferPool): ChunkReader {
  return new PgChunkReader(options, rules, pool);
}

/** A sink that may have had enough: the COPY is then cut off, and its connection with it. */
export interface BoundedSink extends CopySink {
  readonly full: boolean;
  /** Behind the last byte: what is left goes out. */
  end(): Promise<void>;
}

export async function runCopy(session: Session, sql: string, sink: BoundedSink, signal: AbortSignal): Promise<void> {
  const copy = new CopyOut(sql, {
    pushFrames: (bytes, start, end) => sink.pushFrames(bytes, start, end),
    afterPiece: () => {
      const wait = sink.afterPiece();
      // There is no way to end a COPY early and keep the connection that does not read on for as long as it takes.
      if (sink.full) session.destroy();
      return wait;
    },
  });
  try {
    await session.run(() => {
      session.client.query(copy);
      return copy.done;
    }, signal);
  } catch (error) {
    if (!sink.full || signal.aborted) {
      // The transaction has failed and is still open; the next table read here would be refused because of it.
      session.destroy();
      throw error;
    }
  }
  await sink.end();
}

/** The rows of one chunk on their way from the socket to `on.batch`, up to the chunk's caps. */
class ChunkSink implements BoundedSink {
  readonly #request: ChunkRequest;
  readonly #schema: TableSchema;
  readonly #decoder: CopyDecoder;
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

  constructor(request: ChunkRequest, decoder: CopyDecoder, schema: TableSchema, on: ReadEvents) {
    this.#request = request;
    this.#schema = schema;
    this.#decoder = decoder;
    this.#on = on;
    this.#capped = schema.key.length > 0;
  }

  pushFrames(bytes: Uint8Array, start: number, end: number): number {
    return this.#decoder.pushFrames(bytes, start, end);
  }

  afterPiece(): Promise<void> | null {
    const { rows, bytes, finished } = this.#decoder;
    if (rows === 0 || finished || this.full) return null;
    this.full = this.#capped && this.#bytes + bytes >= this.#request.bytesMax;
    if (!this.full && bytes < BATCH_BYTES && rows < BATCH_ROWS) return null;
    return this.#handOver();
  }

  #handOver(): Promise<void> {
    this.#bytes += this.#decoder.bytes;
    const batch = takenBatch(this.#schema, this.#decoder);
    const last = batch.length - 1;
    this.room ??= roomOf(batch.columns);
    this.#rows += batch.length;
    this.#lastKey = this.#schema.key.map((i) => cellText(batch.columns[i]!, last));
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
