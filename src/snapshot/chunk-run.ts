import type { Ambient } from "../core/ambient.ts";
import type { ChangeBatch } from "../core/change-batch.ts";
import type { ChunkOutcome, ChunkRequest } from "../core/chunk.ts";
import { MillraceError } from "../core/errors.ts";
import type { LineItem } from "../core/line.ts";
import type { Cut } from "../core/position.ts";
import type { LogReader, Source } from "../core/source.ts";
import type { ChunkBook, LiveChunk } from "./chunk-book.ts";
import type { ChunkExecutor } from "./executor.ts";
import type { Merge } from "./merge.ts";

export interface ChunkRunOptions {
  readonly source: Pick<Source, "parseCut" | "visible">;
  readonly log: Pick<LogReader, "ping">;
  readonly merge: Merge;
  readonly book: ChunkBook;
  readonly executor: ChunkExecutor;
  readonly chunkBytesMax: number;
  readonly token: number;
  readonly ambient: Ambient;
  /** Where the rows of a table without a key go at once. */
  readonly push: (item: LineItem) => Promise<void>;
}

/** Ranges are planned by the row; what was inserted since may fill a chunk beyond it before the cap cuts it. */
const ROWS_SLACK = 2;

/**
 * Reads a chunk that is registered, and hands it to the merge. Where it was voided or abandoned meanwhile, what was read is
 * dropped without a word: its range is open again already.
 */
export async function runChunk(chunk: LiveChunk, attempt: number, options: ChunkRunOptions): Promise<void> {
  const { merge, book, ambient } = options;
  const { table } = chunk;
  const planned = merge.schemaOf(table.id);
  if (planned === undefined) return;
  const { signal } = chunk.abort;
  if (!table.keyless && chunk.range.upper === null) {
    await enterEmpty(chunk, options, signal);
    return;
  }
  const request: ChunkRequest = {
    grant: { chunk: chunk.id, attempt, token: options.token },
    schema: planned,
    range: chunk.range,
    rowsMax: table.keyless ? Number.MAX_SAFE_INTEGER : table.size.rows * ROWS_SLACK,
    bytesMax: table.keyless ? Number.MAX_SAFE_INTEGER : options.chunkBytesMax,
  };
  const read = table.keyless ? readKeyless : readKeyed;
  const outcome = await read(chunk, request, options, signal);
  if (outcome === null || !book.isLive(chunk)) return;
  table.size.read(outcome.rows, outcome.bytes);
  options.log.ping();
  ambient.failpoint("snapshot.chunk-read");
}

/** A table that was empty when it was planned: its rows come by the log, but its end must come in line order too. */
async function enterEmpty(
  chunk: LiveChunk,
  { source, merge, ambient }: ChunkRunOptions,
  signal: AbortSignal,
): Promise<void> {
  const schema = merge.schemaOf(chunk.table.id);
  const cut = await source.visible(signal);
  if (schema !== undefined) merge.read(chunk.id, chunk.table.id, { cut, schema, batches: [] });
  chunk.phase = { kind: "waiting", sinceMs: ambient.clock.monotonicMs(), bytes: 0 };
}

async function readKeyed(
  chunk: LiveChunk,
  request: ChunkRequest,
  { source, merge, book, executor, ambient }: ChunkRunOptions,
  signal: AbortSignal,
): Promise<ChunkOutcome | null> {
  let cut: Cut | null = null;
  const batches: ChangeBatch[] = [];
  const outcome = await executor.read(
    request,
    {
      opened: (json) => {
        cut = source.parseCut(json);
        merge.settle(cut);
        ambient.failpoint("snapshot.chunk-opened");
      },
      batch: async (batch) => void batches.push(batch),
    },
    signal,
  );
  if (!book.isLive(chunk)) return null;
  if (cut === null) throw new MillraceError("INTERNAL", "a chunk was read without a cut");
  chunk.rows = outcome.rows;
  if (outcome.rest !== null) chunk.range = chunk.table.capped(chunk.range, outcome.rest);
  const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
  chunk.phase = { kind: "waiting", sinceMs: ambient.clock.monotonicMs(), bytes };
  merge.read(chunk.id, chunk.table.id, { cut, schema: outcome.schema, batches });
  return outcome;
}

async function readKeyless(
  chunk: LiveChunk,
  request: ChunkRequest,
  { source, merge, executor, ambient, push }: ChunkRunOptions,
  signal: AbortSignal,
): Promise<ChunkOutcome | null> {
  const table = chunk.table.id;
  const outcome = await executor.read(
    request,
    {
      opened: (json) => {
        const cut = source.parseCut(json);
        merge.settle(cut);
        merge.keylessOpened(chunk.id, table, cut);
        ambient.failpoint("snapshot.chunk-opened");
      },
      batch: async (batch) => {
        const items = merge.keylessRows(chunk.id, table, batch) ?? [];
        // At once, not one after the other's room: a void in between would let another attempt's rows come before the rest.
        await Promise.all(items.map(push));
      },
    },
    signal,
  );
  chunk.rows = outcome.rows;
  chunk.phase = { kind: "waiting", sinceMs: ambient.clock.monotonicMs(), bytes: 0 };
  return merge.keylessThrough(chunk.id, table) ? outcome : null;
}
