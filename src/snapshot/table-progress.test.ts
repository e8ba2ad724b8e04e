import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChunkRange, KeyBound } from "../core/chunk.ts";
import { TableProgress } from "./table-progress.ts";

const bound = (key: number): KeyBound => [String(key)];
const range = (lower: number | null, upper: number): ChunkRange => ({
  lower: lower === null ? null : bound(lower),
  upper: bound(upper),
});

/** Takes the next gap and plans a chunk of it that ends at `upper`. */
function begin(progress: TableProgress, upper: number): ChunkRange {
  const gap = progress.nextGap()!;
  progress.started(gap);
  return progress.shortened(gap, bound(upper));
}

describe("TableProgress", () => {
  test("joins neighbours, in whatever order they are done", () => {
    const progress = TableProgress.planned(bound(30));
    const chunks = [begin(progress, 10), begin(progress, 20), begin(progress, 30)];
    expect(progress.nextGap()).toBeNull();
    progress.done(chunks[2]!, 10);
    progress.done(chunks[0]!, 10);
    expect(progress.toPart().done).toEqual([range(null, 10), range(20, 30)]);
    expect(progress.complete).toBe(false);
    progress.done(chunks[1]!, 10);
    expect(progress.toPart()).toEqual({ max: bound(30), done: [range(null, 30)], rows: 30 });
    expect(progress.complete).toBe(true);
  });

  test("a chunk that fails is a gap again, joined with what is open beside it", () => {
    const progress = TableProgress.planned(bound(30));
    const first = begin(progress, 10);
    const second = begin(progress, 20);
    progress.failed(second);
    expect(progress.nextGap()).toEqual(range(10, 30));
    progress.failed(first);
    expect(progress.nextGap()).toEqual(range(null, 30));
  });

  test("a chunk that reached its cap hands back the rest", () => {
    const progress = TableProgress.planned(bound(30));
    const chunk = progress.shortened(begin(progress, 20), bound(7));
    expect(chunk).toEqual(range(null, 7));
    progress.done(chunk, 7);
    expect(progress.nextGap()).toEqual(range(7, 30));
    expect(progress.toPart().done).toEqual([range(null, 7)]);
  });

  test("what is recorded is what is read again from", () => {
    const progress = TableProgress.planned(bound(50));
    const chunks = [10, 20, 30, 40].map((upper) => begin(progress, upper));
    progress.done(chunks[1]!, 10);
    progress.done(chunks[3]!, 10);
    const again = TableProgress.from(progress.toPart());
    expect(again.toPart()).toEqual(progress.toPart());
    expect(again.nextGap()).toEqual(range(null, 10));
    again.started(again.nextGap()!);
    expect(again.nextGap()).toEqual(range(20, 30));
  });

  test("an empty table is complete", () => {
    expect(TableProgress.planned(null).complete).toBe(true);
    expect(TableProgress.from({ max: null, done: [], rows: 0 }).complete).toBe(true);
  });

  test("a hundred thousand chunks leave one range", () => {
    const progress = TableProgress.planned(bound(100_000));
    for (let upper = 1; upper <= 100_000; upper++) progress.done(begin(progress, upper), 1);
    expect(progress.toPart().done).toEqual([range(null, 100_000)]);
  });

  test("random schedules read every key exactly once", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("begin", "done", "fail", "cap"), fc.nat(), fc.nat()), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, (schedule) => {
        const max = 40;
        let progress = TableProgress.planned(bound(max));
        let reading: ChunkRange[] = [];
        const read: number[] = [];
        const keys = ({ lower, upper }: ChunkRange): [number, number] => [Number(lower?.[0] ?? 0), Number(upper![0])];
        const finish = (chunk: ChunkRange): void => {
          const [from, to] = keys(chunk);
          for (let key = from + 1; key <= to; key++) read.push(key);
          progress.done(chunk, to - from);
        };
        for (const [step, a, b] of schedule) {
          const gap = progress.nextGap();
          if (step === "begin" && gap !== null) {
            const [from, to] = keys(gap);
            reading.push(begin(progress, from + 1 + (a % (to - from))));
          }
          const chunk = reading[b % Math.max(1, reading.length)];
          if (chunk === undefined || step === "begin") continue;
          if (step === "fail") progress.failed(chunk);
          if (step === "done") finish(chunk);
          const [from, to] = keys(chunk);
          if (step === "cap") finish(progress.shortened(chunk, bound(from + 1 + (a % (to - from)))));
          reading = reading.filter((other) => other !== chunk);
        }
        progress = TableProgress.from(progress.toPart());
        for (let gap = progress.nextGap(); gap !== null; gap = progress.nextGap()) {
          progress.started(gap);
          finish(gap);
        }
        expect(read.toSorted((x, y) => x - y)).toEqual(Array.from({ length: max }, (_, i) => i + 1));
        expect(progress.complete).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
