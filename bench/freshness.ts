import { setTimeout as pause } from "node:timers/promises";
import type { BenchPipeline } from "./bench-pipeline.ts";
import type { CommittedEpoch } from "./engine-report.ts";
import { type BenchResult, type BenchRun, median, percentile, turns } from "./measurement.ts";

const SECONDS = 30;
const TRANSACTIONS_PER_SECOND = 100;
/** A third each of inserts, updates and deletes, and one more update: 1,000 changes a second in all. */
const CHANGES_PER_TRANSACTION = 10;
export const CHECKPOINT_INTERVAL = "200ms";

/** A transaction of the workload. */
export interface Written {
  /** Just before COMMIT was sent, by the clock that both processes share: not after the commit. */
  readonly atMs: number;
  /** Whether that is a position at or behind the server's own just after the commit. */
  reachedBy(position: string): boolean;
}

/**
 * Transaction `number` inserts three rows, changes those of the one before, and removes those of the one before that. It
 * is given the number of the row before its first.
 */
export type WriteTransaction = (row: number) => Promise<Written>;

/** What a server's bench does around the measurement. */
export interface FreshnessParts {
  /** Makes the table and the pipeline's state anew. */
  prepare(): Promise<void>;
  /** Calls back with a way of writing, which ends then. */
  writing(work: (transaction: WriteTransaction) => Promise<void>): Promise<void>;
  forget(): Promise<void>;
}

/** From commits to their visibility in DuckDB. `value` is the 99th percentile. */
export async function measureFreshness(
  name: string,
  runs: number,
  say: (line: string) => void,
  pipeline: BenchPipeline,
  parts: FreshnessParts,
): Promise<BenchResult> {
  const p50: number[] = [];
  const total = await turns(name, "ms", runs, say, async () => {
    const { run, p50Ms } = await measure(pipeline, parts);
    p50.push(p50Ms);
    return run;
  });
  return { ...total, p50Ms: median(p50), p99Ms: total.value };
}

async function measure(
  pipeline: BenchPipeline,
  parts: FreshnessParts,
): Promise<{ readonly run: BenchRun; readonly p50Ms: number }> {
  pipeline.clear();
  await parts.prepare();
  const engine = pipeline.start(null);
  try {
    await engine.streaming();
    const written: Written[] = [];
    await parts.writing(async (transaction) => {
      await onGrid(async (number) => void written.push(await transaction(number * 3)));
    });
    // Before the stop, which would bring the last epoch's commit forward.
    const last = written.at(-1)!;
    await engine.committed(({ position }) => last.reachedBy(position));
    const { cpuSeconds, rssBytesMax } = await engine.stop();
    const all = latenciesMs(written, engine.epochs);
    const [p50Ms, p99Ms] = [percentile(all, 0.5), percentile(all, 0.99)];
    const details = { changes: all.length * CHANGES_PER_TRANSACTION, p50Ms, p99Ms };
    return { run: { value: p99Ms, limit: null, cpuSeconds, rssBytesMax, details }, p50Ms };
  } finally {
    engine.kill();
    await parts.forget();
  }
}

/** One that the server delays does not delay those behind it for long. */
async function onGrid(transaction: (number: number) => Promise<void>): Promise<void> {
  const begin = performance.now();
  for (let i = 0; i < SECONDS * TRANSACTIONS_PER_SECOND; i++) {
    const wait = begin + i * (1000 / TRANSACTIONS_PER_SECOND) - performance.now();
    if (wait > 0) await pause(wait);
    await transaction(i + 3);
  }
}

/** From before the commit to the return of the sink's commit of the first epoch that reaches it: never too short. */
function latenciesMs(written: readonly Written[], epochs: readonly CommittedEpoch[]): readonly number[] {
  let next = 0;
  return written.map((transaction, i) => {
    while (next < epochs.length && !transaction.reachedBy(epochs[next]!.position)) next++;
    const epoch = epochs[next];
    if (epoch === undefined) throw new Error(`no epoch has reached transaction ${i} of the workload`);
    return epoch.atMs - transaction.atMs;
  });
}
