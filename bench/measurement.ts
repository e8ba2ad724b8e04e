/** One turn of a bench: the work and the limit beside it. */
export interface BenchRun {
  readonly value: number;
  readonly limit: number | null;
  readonly cpuSeconds: number;
  readonly rssBytesMax: number;
  readonly details?: Readonly<Record<string, number | string>>;
}

/** What is printed as the last line with `--json`. `value`, `limit`, `cpuSeconds` are medians, memory is the most of all runs. */
export interface BenchResult {
  readonly name: string;
  readonly ratio: number | null;
  readonly value: number;
  readonly limit: number | null;
  readonly unit: string;
  readonly cpuSeconds: number;
  readonly rssBytesMax: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly runs: readonly BenchRun[];
}

/** A bench: told how often to measure, it says what it does and gives its figures. */
export interface Bench {
  readonly name: string;
  /** What it measures and beside what, in a sentence. */
  readonly about: string;
  run(runs: number, say: (line: string) => void): Promise<BenchResult>;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value that `share` of all are at or below. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** The result of so many turns, of which each is said as it ends. */
export async function turns(
  name: string,
  unit: string,
  runs: number,
  say: (line: string) => void,
  turn: () => Promise<BenchRun>,
): Promise<BenchResult> {
  const measured: BenchRun[] = [];
  for (let i = 0; i < runs; i++) {
    const run = await turn();
    measured.push(run);
    say(describe(run, unit));
  }
  return result(name, unit, measured);
}

function result(name: string, unit: string, runs: readonly BenchRun[]): BenchResult {
  const value = median(runs.map((run) => run.value));
  const limits = runs.flatMap((run) => (run.limit === null ? [] : [run.limit]));
  const limit = limits.length === 0 ? null : median(limits);
  return {
    name,
    ratio: limit === null ? null : value / limit,
    value,
    limit,
    unit,
    cpuSeconds: median(runs.map((run) => run.cpuSeconds)),
    rssBytesMax: Math.max(...runs.map((run) => run.rssBytesMax)),
    runs,
  };
}

export function describe(run: BenchRun, unit: string): string {
  const number = (n: number): string => (n >= 1000 ? Math.round(n).toLocaleString("en-US") : n.toFixed(1));
  const beside = run.limit === null ? "" : `, beside a limit of ${number(run.limit)}`;
  const memory = `${(run.rssBytesMax / 1e6).toFixed(0)} MB`;
  const details = Object.entries(run.details ?? {}).map(([name, detail]) => `, ${name} ${detail}`);
  return `${number(run.value)} ${unit}${beside}; ${run.cpuSeconds.toFixed(2)} CPU-s, ${memory}${details.join("")}`;
}
