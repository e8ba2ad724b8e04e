import type { ChunkRange, KeyBound } from "../core/chunk.ts";
import { MillraceError } from "../core/errors.ts";
import type { ChunkProgress } from "../core/record.ts";

type SegmentState = "done" | "reading" | "open";

/** A stretch of the table's keys, in a list in key order. `upper` of one is the very `lower` of the next. */
interface Segment {
  state: SegmentState;
  lower: KeyBound | null;
  upper: KeyBound;
  previous: Segment | null;
  next: Segment | null;
}

/**
 * Which ranges of a table are done, being read, or open. Bounds are compared for equality alone: the order of the list is
 * the order in which ranges were cut out of each other. Neighbours of the same state become one, except those being
 * read, so the list is about as long as there are chunks in flight, however many are done. Every call is O(1) but for
 * `nextGap` and `toPart`, which walk it.
 */
export class TableProgress {
  readonly #max: KeyBound | null;
  #first: Segment | null = null;
  #rows = 0;
  readonly #reading = new Map<string, Segment>();

  private constructor(max: KeyBound | null) {
    this.#max = max;
  }

  static planned(max: KeyBound | null): TableProgress {
    const progress = new TableProgress(max);
    if (max !== null) progress.#append("open", null, max);
    return progress;
  }

  static from(part: ChunkProgress): TableProgress {
    const progress = new TableProgress(part.max);
    progress.#rows = part.rows;
    if (part.max === null) return progress;
    let from: KeyBound | null = null;
    let last: Segment | null = null;
    for (const { lower, upper } of part.done) {
      if (!sameBound(lower, from)) last = progress.#append("open", from, lower!, last);
      last = progress.#append("done", lower, upper, last);
      from = upper;
    }
    if (!sameBound(from, part.max)) progress.#append("open", from, part.max, last);
    return progress;
  }

  get rows(): number {
    return this.#rows;
  }

  get complete(): boolean {
    return this.#first === null || (this.#first.state === "done" && this.#first.next === null);
  }

  /** The first range that nobody has begun; null: all are done or being read. */
  nextGap(): ChunkRange | null {
    for (let segment = this.#first; segment !== null; segment = segment.next)
      if (segment.state === "open") return { lower: segment.lower, upper: segment.upper };
    return null;
  }

  /** A range from the lower end of `nextGap`, up to its upper end or less, is being read. */
  started(range: ChunkRange): void {
    const upper = upperOf(range);
    let segment = this.#first;
    while (segment !== null && !(segment.state === "open" && sameBound(segment.lower, range.lower)))
      segment = segment.next;
    if (segment === null) throw new MillraceError("INTERNAL", "a chunk was started that is not open");
    this.#split(segment, upper);
    segment.state = "reading";
    this.#reading.set(rangeKey(range), segment);
  }

  /** The range being read ends at `upper`; what is behind it is open again. The range that is left. */
  shortened(range: ChunkRange, upper: KeyBound): ChunkRange {
    const segment = this.#take(range);
    const rest = this.#split(segment, upper);
    if (rest !== null) {
      rest.state = "open";
      this.#joinNext(rest);
    }
    const left = { lower: range.lower, upper };
    this.#reading.set(rangeKey(left), segment);
    return left;
  }

  done(range: ChunkRange, rows: number): void {
    this.#rows += rows;
    this.#settle(this.#take(range), "done");
  }

  /** It will have to be read again. */
  failed(range: ChunkRange): void {
    this.#settle(this.#take(range), "open");
  }

  /** What a record keeps: the done ranges. Those being read are not. */
  toPart(): ChunkProgress {
    const done: { lower: KeyBound | null; upper: KeyBound }[] = [];
    for (let segment = this.#first; segment !== null; segment = segment.next)
      if (segment.state === "done") done.push({ lower: segment.lower, upper: segment.upper });
    return { max: this.#max, done, rows: this.#rows };
  }

  #append(state: SegmentState, lower: KeyBound | null, upper: KeyBound, after: Segment | null = null): Segment {
    const segment: Segment = { state, lower, upper, previous: after, next: null };
    if (after === null) this.#first = segment;
    else after.next = segment;
    return segment;
  }

  #take(range: ChunkRange): Segment {
    const key = rangeKey(range);
    const segment = this.#reading.get(key);
    if (segment === undefined) throw new MillraceError("INTERNAL", "a chunk ended that was not being read");
    this.#reading.delete(key);
    return segment;
  }

  /** The part behind `upper`, in the same state; null: the segment ends there anyway. */
  #split(segment: Segment, upper: KeyBound): Segment | null {
    if (sameBound(segment.upper, upper)) return null;
    const rest: Segment = { ...segment, lower: upper, previous: segment };
    if (segment.next !== null) segment.next.previous = rest;
    segment.next = rest;
    segment.upper = upper;
    return rest;
  }

  #settle(segment: Segment, state: "done" | "open"): void {
    segment.state = state;
    this.#joinNext(segment);
    if (segment.previous !== null) this.#joinNext(segment.previous);
  }

  #joinNext(segment: Segment): void {
    const { next } = segment;
    if (next === null || next.state !== segment.state || segment.state === "reading") return;
    segment.upper = next.upper;
    segment.next = next.next;
    if (next.next !== null) next.next.previous = segment;
  }
}

function sameBound(a: KeyBound | null, b: KeyBound | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function upperOf(range: ChunkRange): KeyBound {
  if (range.upper === null) throw new MillraceError("INTERNAL", "a chunk of a table with a key has an end");
  return range.upper;
}

/** A lower end is enough: ranges being read do not overlap. */
function rangeKey(range: ChunkRange): string {
  return JSON.stringify(range.lower);
}
