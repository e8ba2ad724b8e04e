import type { Mutation } from "./mutations.ts";
import { Random } from "./random.ts";
import { ADDED_DEFAULT, type SimRow } from "./sim-rows.ts";
import { SimPipeline } from "./sim-pipeline.ts";
import { Violation, type SimSink } from "./sim-sink.ts";
import { SimSource } from "./sim-source.ts";

const DRAIN_STEPS = 600;

/** Plays one random history, seeded, to its end. Throws a `Violation` where the merge lets it down. */
export function playHistory(seed: number, mutation: Mutation | null): void {
  const random = new Random(seed);
  const source = new SimSource(random);
  const pipeline = new SimPipeline(source, random, mutation);
  const steps: readonly (readonly [number, () => void])[] = [
    [4, () => source.commit()],
    [4, () => source.becomeVisible()],
    [4, () => pipeline.readLog()],
    [8, () => pipeline.deliver()],
    [1, () => pipeline.quietProgress()],
    [2, () => pipeline.poll()],
    [2, () => pipeline.planChunk()],
    [2, () => pipeline.openChunk()],
    [2, () => pipeline.finishChunk()],
    [2, () => pipeline.plainStep()],
    [random.chance(0.3) ? 1 : 0, () => pipeline.failChunk()],
    [random.chance(0.3) ? 1 : 0, () => pipeline.failPlain()],
    [random.chance(0.5) ? 1 : 0, () => pipeline.restart()],
  ];
  const wheel = steps.flatMap(([weight, step]) => Array.from({ length: weight }, () => step));
  for (let i = random.between(10, 120); i > 0; i--) random.of(wheel)();
  drain(source, pipeline);
  assertEqual(source, pipeline.sink);
}

/** No more commits: everything becomes visible, and the pipeline must come to its end within a bounded number of steps. */
function drain(source: SimSource, pipeline: SimPipeline): void {
  while (!source.quiet) source.becomeVisible();
  for (let i = 0; i < DRAIN_STEPS; i++) {
    if (pipeline.done) return;
    pipeline.readLog();
    pipeline.poll();
    pipeline.planChunk();
    pipeline.openChunk();
    pipeline.finishChunk();
    pipeline.plainStep();
    for (let n = 0; n < 8; n++) pipeline.deliver();
  }
  throw new Violation("no progress");
}

function assertEqual(source: SimSource, sink: SimSink): void {
  // Where the log has not shown the added column yet, no row can have another value in it than its default.
  const whole = (row: SimRow): SimRow => (source.version === 2 ? { ...row, c: row.c ?? ADDED_DEFAULT } : row);
  const shown = (rows: Iterable<SimRow>): string =>
    [...rows]
      .map(whole)
      .sort((a, b) => a.key - b.key)
      .map(({ key, v, a, b, c }) => JSON.stringify([key, v, a, b, c]))
      .join(" ");
  const expected = shown(source.rows.values());
  const got = shown(sink.rows.values());
  if (expected !== got) throw new Violation(`the keyed table differs\nsource ${expected}\nsink   ${got}`);
  const plain = (values: readonly number[]): string => [...values].sort((a, b) => a - b).join(" ");
  if (plain(source.plain) !== plain(sink.plain))
    throw new Violation(`the table without a key differs\nsource ${plain(source.plain)}\nsink   ${plain(sink.plain)}`);
}
