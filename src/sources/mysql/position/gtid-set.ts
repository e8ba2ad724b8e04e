import { MillraceError } from "../../../core/errors.ts";

/** GNOs `first` to `last`, both included. */
interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

/** Of one source: ascending, apart from each other by at least one GNO. */
type Intervals = readonly Interval[];

const NONE: Intervals = [];
const SOURCE = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** The thread that owns a GTID, and the UUID that follows it. */
const OWNER = /#[0-9]+?(?:(?![0-9a-f])|([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))/gi;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^([1-9][0-9]*)(?:-([1-9][0-9]*))?$/;
/** GNOs are signed 64-bit integers; the largest is never given. */
const GNO_MAX = (1n << 63n) - 2n;

/**
 * A set of MySQL's GTIDs (MySQL Reference Manual, *GTID Sets*): per source, which is a server's UUID and since 8.3 maybe a
 * tag (`uuid` or `uuid:tag`), the GNOs that it has. Immutable; what did not change is shared.
 */
export class GtidSet {
  static readonly empty: GtidSet = new GtidSet(new Map());
  readonly #sources: ReadonlyMap<string, Intervals>;

  private constructor(sources: ReadonlyMap<string, Intervals>) {
    this.#sources = sources;
  }

  /** From the server's text form: `uuid:1-5:7,uuid:tag:1-3`, white space anywhere around the commas. */
  static parse(text: string): GtidSet {
    const sources = new Map<string, Intervals>();
    for (const part of text.split(",").map((each) => each.trim().toLowerCase())) {
      if (part === "") continue;
      const [uuid, ...rest] = part.split(":").map((each) => each.trim());
      if (uuid === undefined || !SOURCE.test(uuid) || rest.length === 0) throw notASet(text);
      let source = uuid;
      for (const each of rest) {
        const interval = parseInterval(each);
        if (interval !== null) sources.set(source, joined(sources.get(source) ?? NONE, [interval]));
        else if (TAG.test(each)) source = `${uuid}:${each}`;
        else throw notASet(text);
      }
    }
    return new GtidSet(sources);
  }

  /**
   * From `@@global.gtid_owned`: `uuid:7#12:5#1`, behind each number that of the thread that has it. The server puts nothing
   * between the last thread of a source and the next source's UUID, whose digits tell them apart by their count alone.
   */
  static parseOwned(text: string): GtidSet {
    return GtidSet.parse(
      text.replaceAll(OWNER, (_, next: string | undefined) => (next === undefined ? "" : `,${next}`)),
    );
  }

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  /** `source` is `uuid` or `uuid:tag`, in lower case. */
  has(source: string, gno: bigint): boolean {
    return intervalOf(this.#sources.get(source) ?? NONE, gno) !== undefined;
  }

  /** Whether every GTID of the other is in this one. */
  covers(other: GtidSet): boolean {
    for (const [source, intervals] of other.#sources) {
      const own = this.#sources.get(source) ?? NONE;
      if (own !== intervals && !intervals.every((each) => (intervalOf(own, each.first)?.last ?? -1n) >= each.last))
        return false;
    }
    return true;
  }

  /** With one more. Cheap where it is the next one of its source, as nearly always in a log. */
  with(source: string, gno: bigint): GtidSet {
    const own = this.#sources.get(source) ?? NONE;
    const last = own.at(-1);
    const grown =
      last !== undefined && last.last + 1n === gno
        ? [...own.slice(0, -1), { first: last.first, last: gno }]
        : joined(own, [{ first: gno, last: gno }]);
    return new GtidSet(new Map(this.#sources).set(source, grown));
  }

  union(other: GtidSet): GtidSet {
    const sources = new Map(this.#sources);
    for (const [source, intervals] of other.#sources)
      sources.set(source, joined(sources.get(source) ?? NONE, intervals));
    return new GtidSet(sources);
  }

  intersection(other: GtidSet): GtidSet {
    const sources = new Map<string, Intervals>();
    for (const [source, intervals] of this.#sources) {
      const common = overlap(intervals, other.#sources.get(source) ?? NONE);
      if (common.length > 0) sources.set(source, common);
    }
    return new GtidSet(sources);
  }

  /** What is in this one and not in the other: for messages and for what a server still lacks. */
  without(other: GtidSet): GtidSet {
    const sources = new Map<string, Intervals>();
    for (const [source, intervals] of this.#sources) {
      const left = remainder(intervals, other.#sources.get(source) ?? NONE);
      if (left.length > 0) sources.set(source, left);
    }
    return new GtidSet(sources);
  }

  /** The sources (`uuid` or `uuid:tag`) with their intervals, for the wire; in order. */
  entries(): readonly (readonly [source: string, intervals: Intervals])[] {
    return [...this.#sources].toSorted(([a], [b]) => (a < b ? -1 : 1));
  }

  /** The server's own form, in one order: equal sets have equal texts. */
  toString(): string {
    const parts = this.entries().map(([source, intervals]) => {
      const listed = intervals.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
      return `${source}:${listed.join(":")}`;
    });
    return parts.join(",");
  }
}

function parseInterval(text: string): Interval | null {
  const match = INTERVAL.exec(text);
  if (match === null) return null;
  const first = BigInt(match[1]!);
  const last = match[2] === undefined ? first : BigInt(match[2]);
  return first <= last && last <= GNO_MAX ? { first, last } : null;
}

function notASet(text: string): MillraceError {
  return new MillraceError("INTERNAL", `not a set of GTIDs: ${JSON.stringify(text.slice(0, 200))}`);
}

/** The interval that has the GNO, by bisection: a source whose log has many gaps has many. */
function intervalOf(intervals: Intervals, gno: bigint): Interval | undefined {
  let low = 0;
  let high = intervals.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const { first, last } = intervals[middle]!;
    if (gno < first) high = middle - 1;
    else if (gno > last) low = middle + 1;
    else return intervals[middle];
  }
  return undefined;
}

function joined(a: Intervals, b: Intervals): Intervals {
  const all = [...a, ...b].toSorted((x, y) => (x.first < y.first ? -1 : x.first > y.first ? 1 : 0));
  const result: Interval[] = [];
  for (const interval of all) {
    const before = result.at(-1);
    if (before === undefined || before.last + 1n < interval.first) result.push(interval);
    else if (interval.last > before.last) result[result.length - 1] = { first: before.first, last: interval.last };
  }
  return result;
}

function overlap(a: Intervals, b: Intervals): Intervals {
  const result: Interval[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const [x, y] = [a[i]!, b[j]!];
    const first = x.first > y.first ? x.first : y.first;
    const last = x.last < y.last ? x.last : y.last;
    if (first <= last) result.push({ first, last });
    if (x.last < y.last) i++;
    else j++;
  }
  return result;
}

function remainder(a: Intervals, b: Intervals): Intervals {
  const result: Interval[] = [];
  for (const { first, last } of a) {
    let from = first;
    for (const other of b) {
      if (other.last < from || other.first > last) continue;
      if (other.first > from) result.push({ first: from, last: other.first - 1n });
      from = other.last + 1n;
    }
    if (from <= last) result.push({ first: from, last });
  }
  return result;
}
