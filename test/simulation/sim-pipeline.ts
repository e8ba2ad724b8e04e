import type { ChangeBatch } from "../../src/core/change-batch.ts";
import type { ChunkRange } from "../../src/core/chunk.ts";
import type { LineItem, RowsItem } from "../../src/core/line.ts";
import type { Cut } from "../../src/core/position.ts";
import type { ChunkProgress } from "../../src/core/record.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { completed, completionOf, movedAsInserts } from "../../src/snapshot/complete-rows.ts";
import { Merge, type MergeEvent } from "../../src/snapshot/merge.ts";
import { TableProgress } from "../../src/snapshot/table-progress.ts";
import { MemorySpill } from "./memory-spill.ts";
import {
  enterWith,
  everythingVisible,
  GappyUnsettled,
  nothingIncluded,
  withoutDoubts,
  type Mutation,
} from "./mutations.ts";
import type { Random } from "./random.ts";
import { SimPosition, type SimCut, type SimTransaction } from "./sim-log.ts";
import { keyedBatch, keyedSchema, keyOf, PLAIN_SCHEMA, plainBatch } from "./sim-rows.ts";
import { SimSink, Violation } from "./sim-sink.ts";
import { KEYS, type SimSource } from "./sim-source.ts";

const KEYED = keyedSchema(1).id;

type ChunkStep = "registered" | "opened" | "read" | "entered";

interface SimChunk {
  readonly id: number;
  readonly planned: TableSchema;
  range: ChunkRange;
  step: ChunkStep;
  schema: TableSchema;
  cut: Cut | null;
  batches: readonly ChangeBatch[];
}

/** The chunk of the table without a key: what of its rows is still to come, once it has been opened. */
interface PlainChunk {
  readonly id: number;
  rows: readonly number[] | null;
  through: boolean;
}

/** What a commit of the sink keeps. */
interface SimRecord {
  readonly sink: SimSink;
  readonly position: number;
  readonly unsettled: readonly string[];
  readonly progress: ChunkProgress;
  readonly plainDone: boolean;
}

/** The real merge, chunk progress and completion between a simulated source and sink; each method is one step of a schedule. */
export class SimPipeline {
  readonly #source: SimSource;
  readonly #random: Random;
  readonly #mutation: Mutation | null;
  readonly #budget: number;
  #merge!: Merge;
  #progress!: TableProgress;
  #sink!: SimSink;
  #line: LineItem[] = [];
  #read = 0;
  #known = 1;
  #chunks = new Map<number, SimChunk>();
  #plainChunk: PlainChunk | null = null;
  #keyedDone = false;
  #plainDone = false;
  #waitFor: readonly string[] = [];
  #chunkIds = 0;
  #record: SimRecord;

  constructor(source: SimSource, random: Random, mutation: Mutation | null) {
    this.#source = source;
    this.#random = random;
    this.#mutation = mutation;
    this.#budget = random.chance(0.7) ? 1e9 : random.between(1000, 6000);
    const max = this.#source.rows.size === 0 ? null : boundOf(Math.max(...source.rows.keys()));
    this.#record = {
      sink: new SimSink(),
      position: 0,
      unsettled: [],
      progress: TableProgress.planned(max).toPart(),
      plainDone: false,
    };
    this.restart();
  }

  get sink(): SimSink {
    return this.#sink;
  }

  get done(): boolean {
    return this.#keyedDone && this.#plainDone && this.#line.length === 0 && this.#read === this.#source.logLength;
  }

  /** A crash, and what a new process finds: the last committed record and nothing else. */
  restart(): void {
    const { sink, position, unsettled, progress, plainDone } = this.#record;
    this.#sink = new SimSink(sink);
    // A table without a key that was not complete begins a new incarnation.
    if (!plainDone) this.#sink.plain = [];
    this.#progress = TableProgress.from(progress);
    this.#keyedDone = this.#progress.complete;
    this.#plainDone = plainDone;
    this.#line = [];
    this.#read = position;
    this.#known = this.#source.shownBefore(position);
    this.#chunks = new Map();
    this.#plainChunk = null;
    this.#waitFor = this.#mutation === "noids" ? [] : unsettled;
    const inherited = this.#mutation === "forgetids" ? [] : this.#waitFor;
    const keyed = keyedSchema(this.#sink.version);
    this.#merge = new Merge({
      tables: [...(this.#keyedDone ? [] : [keyed]), ...(this.#plainDone ? [] : [PLAIN_SCHEMA])],
      inherited,
      windowBytesMax: this.#budget,
      unsettledBytesMax: this.#budget,
      spill: () => new MemorySpill(),
      report: (event) => this.#report(event),
      enter: enterWith(this.#mutation),
      ...(this.#mutation === "gaps" ? { unsettled: new GappyUnsettled() } : {}),
    });
  }

  #report(event: MergeEvent): void {
    if (event.kind === "stopped") throw new Violation(`stopped: ${event.error.message}`);
    if (event.table === PLAIN_SCHEMA.id) {
      if (event.kind !== "entered") this.#plainChunk = null;
      return;
    }
    const chunk = this.#chunks.get(event.chunk)!;
    if (event.kind === "entered") {
      chunk.step = "entered";
      if (this.#mutation === "early") this.#progress.done(chunk.range, event.rows);
    } else this.#giveUp(chunk);
  }

  #giveUp(chunk: SimChunk): void {
    this.#progress.failed(chunk.range);
    this.#chunks.delete(chunk.id);
  }

  readLog(): void {
    if (this.#line.length > 12 || this.#read === this.#source.logLength) return this.quietProgress();
    const count = this.#random.between(1, 3);
    const { items, known } = this.#source.read(this.#read, count, this.#known);
    this.#read = Math.min(this.#read + count, this.#source.logLength);
    this.#known = known;
    for (const item of items) {
      if (this.#mutation === "deaf" && item.kind === "truncate" && item.table === PLAIN_SCHEMA.id) continue;
      this.#line.push(...this.#merge.pass(item));
      if (this.#mutation === "nosettle") this.#merge.settle(everythingVisible(this.#source.cut("exact")));
    }
  }

  /** What the log reader sends when nothing happens. */
  quietProgress(): void {
    if (this.#line.length > 12) return;
    const position = new SimPosition(this.#read);
    this.#line.push(...this.#merge.pass({ kind: "progress", position, commitTimeMs: null }));
  }

  poll(): void {
    this.#merge.settle(this.#source.cut());
  }

  #settled(): boolean {
    this.#waitFor = this.#waitFor.filter((id) => !this.#source.visible.has(Number(id.slice(1))));
    if (this.#waitFor.length === 0) this.#merge.inheritedVisible();
    return this.#waitFor.length === 0;
  }

  planChunk(): void {
    if (this.#keyedDone || this.#chunks.size > 2 || !this.#settled()) return;
    const gap = this.#progress.nextGap();
    const planned = this.#merge.schemaOf(KEYED);
    if (gap === null || planned === undefined) return;
    const id = ++this.#chunkIds;
    if (this.#mutation !== "noregister" && !this.#merge.register(id, KEYED)) return;
    this.#progress.started(gap);
    const [first, last] = keysOf(gap);
    const range = this.#progress.shortened(gap, boundOf(Math.min(last, first + this.#random.between(0, 4))));
    const fresh = { cut: null, batches: [], schema: planned };
    this.#chunks.set(id, { id, planned, range, step: "registered", ...fresh });
  }

  #chunkAt(step: ChunkStep): SimChunk | null {
    const chunks = [...this.#chunks.values()].filter((chunk) => chunk.step === step);
    return chunks.length === 0 ? null : this.#random.of(chunks);
  }

  openChunk(): void {
    const chunk = this.#chunkAt("registered");
    if (chunk === null) return;
    const [first, last] = keysOf(chunk.range);
    // A cap that is reached ends the chunk early, and hands back the rest.
    const end = this.#random.chance(0.3) ? this.#random.between(first, last) : last;
    chunk.range = this.#progress.shortened(chunk.range, boundOf(end));
    chunk.schema = keyedSchema(this.#source.version);
    chunk.batches = this.#source.chunkRows(span(first, end), chunk.schema);
    const cut = this.#source.cut();
    chunk.cut = this.#mutation === "nobound" ? unbound(cut) : cut;
    this.#merge.settle(cut);
    chunk.step = "opened";
  }

  finishChunk(): void {
    const chunk = this.#chunkAt("opened");
    if (chunk === null) return;
    if (this.#mutation === "noregister" && !this.#merge.register(chunk.id, KEYED)) return;
    chunk.step = "read";
    const { cut, batches, schema } = chunk;
    if (!this.#merge.read(chunk.id, KEYED, { cut: cut!, batches, schema }))
      throw new Violation("the merge does not know a chunk that it never gave up");
  }

  /** A worker died, or the chunk was given up for another reason. */
  failChunk(): void {
    const chunk = this.#chunkAt(this.#random.of(["registered", "opened", "read"] as const));
    if (chunk === null) return;
    this.#merge.abandon(chunk.id, KEYED);
    this.#giveUp(chunk);
  }

  plainStep(): void {
    const chunk = this.#plainChunk;
    if (this.#plainDone || this.#line.length > 12) return;
    if (chunk === null) {
      const id = ++this.#chunkIds;
      if (this.#settled() && this.#merge.register(id, PLAIN_SCHEMA.id))
        this.#plainChunk = { id, rows: null, through: false };
    } else if (chunk.rows === null) {
      const rows = [...this.#source.plain];
      const cut = this.#source.cut(this.#source.quiet ? "exact" : null);
      this.#merge.settle(cut);
      if (this.#merge.keylessOpened(chunk.id, PLAIN_SCHEMA.id, this.#plainCut(cut))) chunk.rows = rows;
    } else if (chunk.rows.length > 0) {
      const count = this.#random.between(1, chunk.rows.length);
      const batch = plainBatch(chunk.rows.slice(0, count), null, []);
      const items = this.#merge.keylessRows(chunk.id, PLAIN_SCHEMA.id, batch);
      if (items === null) return;
      this.#line.push(...items);
      chunk.rows = chunk.rows.slice(count);
    } else if (!chunk.through) {
      chunk.through = this.#merge.keylessThrough(chunk.id, PLAIN_SCHEMA.id);
    }
  }

  #plainCut(cut: Cut): Cut {
    if (this.#mutation === "twice") return nothingIncluded(cut);
    return this.#mutation === "unsure" ? withoutDoubts(cut) : cut;
  }

  failPlain(): void {
    if (this.#plainChunk === null || this.#plainChunk.through) return;
    this.#merge.abandon(this.#plainChunk.id, PLAIN_SCHEMA.id);
    this.#plainChunk = null;
  }

  /** Takes one item out of the line, through *complete*, to the sink. */
  deliver(): void {
    const item = this.#line[0];
    if (item === undefined) return;
    if (item.kind === "rows") {
      const rows = this.#complete(item);
      if (rows === null) return;
      this.#sink.apply(rows);
    } else if (item.kind === "chunk-entered") {
      this.#entered(item.table === PLAIN_SCHEMA.id, item.chunk);
    } else if (item.kind === "progress") {
      if (this.#random.chance(0.4)) this.#commit((item.position as SimPosition).next);
    } else this.#sink.apply(item);
    this.#line.shift();
  }

  /** Null: it has to wait, and the line with it. */
  #complete(item: RowsItem): RowsItem | null {
    const { batch } = item;
    const completion = completionOf(batch);
    if (completion.kind === "none") return item;
    if (completion.kind === "whole") return { kind: "rows", batch: movedAsInserts(batch) };
    const visible = completion.transactions.every((of) => this.#source.visible.has((of as SimTransaction).sequence));
    if (!visible && this.#mutation !== "eagerfetch") return null;
    const keys = [...completion.rows].map((row) => keyOf(batch, row));
    for (const key of keys) this.#sink.fetched(key);
    const found = [...new Set(keys)].reverse().flatMap((key) => this.#source.rows.get(key) ?? []);
    const fetched = found.length === 0 ? null : keyedBatch(batch.schema, found, null, []);
    return { kind: "rows", batch: completed(batch, completion.rows, fetched, "dropped") };
  }

  #entered(plain: boolean, id: number): void {
    if (plain) {
      this.#plainDone = true;
      this.#merge.finish(PLAIN_SCHEMA.id);
      return;
    }
    const chunk = this.#chunks.get(id)!;
    this.#chunks.delete(id);
    if (this.#mutation !== "early") this.#progress.done(chunk.range, 0);
    if (!this.#progress.complete) return;
    this.#keyedDone = true;
    this.#merge.finish(KEYED);
  }

  #commit(position: number): void {
    this.#record = {
      sink: new SimSink(this.#sink),
      position,
      unsettled: this.#merge.unsettledIds(),
      progress: this.#progress.toPart(),
      plainDone: this.#plainDone,
    };
  }
}

const unbound = (cut: SimCut): Cut => ({ ...withoutDoubts(cut), bound: new SimPosition(0) });

function boundOf(key: number): readonly [string] {
  return [String(key)];
}

/** First and last key of a range. */
function keysOf(range: ChunkRange): readonly [number, number] {
  return [range.lower === null ? 0 : Number(range.lower[0]) + 1, Math.min(KEYS - 1, Number(range.upper![0]))];
}

function span(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
