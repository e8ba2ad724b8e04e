import type { ChunkRange } from "../core/chunk.ts";
import { MillraceError } from "../core/errors.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { ChunkProgress } from "../core/record.ts";
import type { TableId } from "../core/table-schema.ts";
import type { Notice } from "../flow/notice.ts";
import type { MergeEvent } from "./merge.ts";
import type { TableSnapshot } from "./table-snapshot.ts";

type ChunkPhase =
  | { readonly kind: "reading" }
  /** It has been read, and waits for its bound. */
  | { readonly kind: "waiting"; readonly sinceMs: number; readonly bytes: number }
  /** The merge has put it into the line; the sink has not had all of it yet. */
  | { readonly kind: "entered"; readonly bytes: number };

/**
 * The least that a column of a chunk weighs. A sink sets aside so much for each table that gets rows, few as they are
 * (docs/adr/0016), and of the chunks that enter between two boundaries of the log it has all in one epoch.
 */
const COLUMN_BYTES_MIN = 16 << 10;

/** A chunk that has been granted and has not reached the sink. */
export interface LiveChunk {
  readonly id: number;
  readonly table: TableSnapshot;
  /** What it weighs at least, few as its rows are. */
  readonly bytesMin: number;
  range: ChunkRange;
  rows: number;
  phase: ChunkPhase;
  /** Aborted when reading on makes no sense. */
  readonly abort: AbortController;
}

/** Every live chunk, from its grant until the sink has it: who is not in here has no grant, and its result is dropped. */
export class ChunkBook {
  readonly #tables: ReadonlyMap<TableId, TableSnapshot>;
  readonly #events: (event: PipelineEvent) => void;
  readonly #changed: Notice;
  readonly #chunks = new Map<number, LiveChunk>();
  #granted = 0;

  constructor(tables: ReadonlyMap<TableId, TableSnapshot>, events: (event: PipelineEvent) => void, changed: Notice) {
    this.#tables = tables;
    this.#events = events;
    this.#changed = changed;
  }

  /** What the chunks weigh that were read, and that the sink has not taken over. */
  get readBytes(): number {
    let bytes = 0;
    for (const { phase, bytesMin } of this.#chunks.values())
      if (phase.kind !== "reading") bytes += Math.max(phase.bytes, bytesMin);
    return bytes;
  }

  /** Since when the one that has waited longest does; null: none waits. */
  get waitingSinceMs(): number | null {
    const waiting = this.#waiting();
    return waiting.length === 0 ? null : Math.min(...waiting.map((phase) => phase.sinceMs));
  }

  #waiting(): Extract<ChunkPhase, { kind: "waiting" }>[] {
    return [...this.#chunks.values()].flatMap(({ phase }) => (phase.kind === "waiting" ? [phase] : []));
  }

  grant(table: TableSnapshot, range: ChunkRange, columns: number): LiveChunk {
    const id = ++this.#granted;
    const abort = new AbortController();
    const bytesMin = columns * COLUMN_BYTES_MIN;
    const chunk: LiveChunk = { id, table, bytesMin, range, rows: 0, phase: { kind: "reading" }, abort };
    this.#chunks.set(id, chunk);
    return chunk;
  }

  isLive(chunk: LiveChunk): boolean {
    return this.#chunks.get(chunk.id) === chunk;
  }

  /** Its range is open again, and whoever still reads it is told to stop. */
  giveUp(chunk: LiveChunk): void {
    if (!this.#chunks.delete(chunk.id)) return;
    chunk.table.failed(chunk.range);
    chunk.abort.abort(new MillraceError("INTERNAL", "the chunk was given up"));
    this.#events({ kind: "chunk-ended", table: chunk.table.id, rows: 0, abandoned: true });
    this.#changed.notify();
  }

  /** What the merge made of a chunk or a table. */
  merged(event: MergeEvent): void {
    if (event.kind === "stopped") {
      this.endTable(event.table);
      return;
    }
    const chunk = this.#chunks.get(event.chunk);
    if (chunk === undefined) return;
    if (event.kind === "entered") {
      chunk.phase = { kind: "entered", bytes: chunk.phase.kind === "waiting" ? chunk.phase.bytes : 0 };
      this.#events({ kind: "chunk-ended", table: event.table, rows: chunk.rows, abandoned: false });
      this.#changed.notify();
      return;
    }
    if (event.kind === "abandoned") chunk.table.size.abandoned();
    this.giveUp(chunk);
  }

  /** The `chunk-entered` item has reached the sink: what an epoch that ends here may record. */
  delivered(table: TableId, id: number): { progress: ChunkProgress | null; rows: number; complete: boolean } {
    const chunk = this.#chunks.get(id);
    if (chunk === undefined || chunk.table.id !== table)
      throw new MillraceError("INTERNAL", `chunk ${id} of ${table} has no grant`);
    this.#chunks.delete(id);
    const done = chunk.table.done(chunk.range, chunk.rows);
    if (done.complete) chunk.table.ended = true;
    this.#changed.notify();
    return done;
  }

  /** No more of this table. */
  endTable(id: TableId): void {
    const table = this.#tables.get(id);
    if (table === undefined || table.ended) return;
    table.ended = true;
    // What has entered is ahead of the stop, and its end is still to be delivered.
    for (const chunk of [...this.#chunks.values()])
      if (chunk.table === table && chunk.phase.kind !== "entered") this.giveUp(chunk);
    this.#changed.notify();
  }

  /** The snapshot ends here: whoever reads or waits for a chunk is told so. */
  abort(reason: unknown): void {
    for (const chunk of this.#chunks.values()) chunk.abort.abort(reason);
  }
}
