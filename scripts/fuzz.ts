import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import type { FuzzOutcome, FuzzWork } from "./fuzz-worker.ts";
import { FUZZ_TARGETS, inputsOf } from "../test/fuzz/targets.ts";

const INPUTS = 10_000_000;
const WORKER = new URL("./fuzz-worker.js", import.meta.url);
/** One input takes less than a millisecond; a busy machine takes its time. */
const HANG_MS = 30_000;
const LOOK_MS = 1000;
/** Of one thread's objects, and of the whole process. */
const HEAP_MB_MAX = 256;
const RSS_BYTES_MAX = 2 ** 30;

const USAGE = `npm run fuzz -- [--inputs ${INPUTS}] [--seed N] [--only DECODER] [--first N] [--jobs N]
decoders: ${FUZZ_TARGETS.map(({ name }) => name).join(" ")}`;

interface Asked {
  readonly inputs: number;
  readonly seed: number;
  readonly only: string | null;
  readonly first: number;
  readonly jobs: number;
}

function asked(): Asked {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { inputs: text, seed: text, only: text, first: text, jobs: text } });
  const number = (value: string | undefined, otherwise: number): number => {
    const whole = value === undefined ? otherwise : Number(value);
    if (!Number.isSafeInteger(whole) || whole < 0) throw new Error(`${value} is no number`);
    return whole;
  };
  if (values.only !== undefined && FUZZ_TARGETS.every(({ name }) => name !== values.only))
    throw new Error(`no decoder is called ${values.only}`);
  return {
    inputs: number(values.inputs, INPUTS),
    seed: number(values.seed, Date.now() >>> 0) >>> 0,
    only: values.only ?? null,
    first: number(values.first, 0),
    jobs: Math.max(1, number(values.jobs, Math.max(1, availableParallelism() - 1))),
  };
}

/** What went wrong with the thread's part; null: nothing. */
function thread(work: FuzzWork): Promise<string | null> {
  const worker = new Worker(WORKER, { workerData: work, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX } });
  const present = new Int32Array(work.at);
  let seen = -1;
  let seenMs = performance.now();
  return new Promise((resolve) => {
    const failed = (number: number, why: string): void => {
      resolve(`npm run fuzz -- --only ${work.target} --seed ${work.seed} --first ${number} --inputs 1\n${why}`);
    };
    const watch = setInterval(() => {
      const nowMs = performance.now();
      if (present[0] !== seen) seenMs = nowMs;
      seen = present[0]!;
      if (nowMs - seenMs > HANG_MS) failed(seen, `it takes longer than ${HANG_MS / 1000} s`);
      if (process.memoryUsage.rss() > RSS_BYTES_MAX) failed(seen, "the process has grown beyond 1 GiB by then");
    }, LOOK_MS);
    worker.on("message", ({ failed: wrong }: FuzzOutcome) => {
      if (wrong === null) resolve(null);
      else failed(wrong.number, wrong.error);
    });
    worker.on("error", (error) => failed(present[0]!, error.message));
    worker.on("exit", () => {
      clearInterval(watch);
      resolve("a thread has ended without a word");
    });
  }).then(async (outcome) => {
    await worker.terminate();
    return outcome as string | null;
  });
}

async function fuzzed(target: string, inputs: number, { seed, first, jobs }: Asked): Promise<boolean> {
  const beganMs = performance.now();
  const parts = Array.from({ length: Math.min(jobs, inputs) }, (_, job) =>
    thread({ target, seed, first: first + job, end: first + inputs, step: jobs, at: new SharedArrayBuffer(4) }),
  );
  const failures = (await Promise.all(parts)).filter((outcome) => outcome !== null);
  const seconds = (performance.now() - beganMs) / 1000;
  const rate = `${Math.round(inputs / seconds).toLocaleString("en")}/s`;
  const memory = `${Math.round(process.memoryUsage.rss() / 2 ** 20)} MB`;
  process.stdout.write(
    `${target.padEnd(16)} ${inputs.toLocaleString("en").padStart(12)} inputs ${seconds.toFixed(1).padStart(8)} s ${rate.padStart(12)} ${memory}\n`,
  );
  for (const failure of failures) process.stderr.write(`${failure}\n`);
  return failures.length === 0;
}

async function main(options: Asked): Promise<void> {
  process.stdout.write(`seed ${options.seed}\n`);
  const targets = FUZZ_TARGETS.filter(({ name }) => options.only === null || options.only === name);
  let failures = 0;
  for (const [i, inputs] of inputsOf(targets, options.inputs).entries())
    if (!(await fuzzed(targets[i]!.name, inputs, options))) failures++;
  process.exitCode = failures === 0 ? 0 : 1;
}

let options: Asked | null = null;
try {
  options = asked();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nusage: ${USAGE}\n`);
  process.exitCode = 2;
}
if (options !== null) await main(options);
