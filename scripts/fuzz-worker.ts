import { parentPort, workerData } from "node:worker_threads";
import { Random } from "../test/support/random.ts";
import { expectedOutcome, inputSeed } from "../test/fuzz/target.ts";
import { FUZZ_TARGETS } from "../test/fuzz/targets.ts";

/** What a thread is to do, and where it says how far it is. */
export interface FuzzWork {
  readonly target: string;
  readonly seed: number;
  readonly first: number;
  readonly end: number;
  readonly step: number;
  /** Of an Int32Array of one: the input that is being decoded. */
  readonly at: SharedArrayBuffer;
}

/** What was wrong with which input; null: nothing. */
export interface FuzzOutcome {
  readonly failed: { readonly number: number; readonly error: string } | null;
}

async function fuzz({ target: name, seed, first, end, step, at }: FuzzWork): Promise<FuzzOutcome> {
  const target = FUZZ_TARGETS.find((each) => each.name === name);
  if (target === undefined) throw new Error(`no decoder is called ${name}`);
  const present = new Int32Array(at);
  for (let number = first; number < end; number += step) {
    present[0] = number;
    try {
      await expectedOutcome(target, new Random(inputSeed(seed, number)));
    } catch (error) {
      return { failed: { number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) } };
    }
  }
  return { failed: null };
}

parentPort!.postMessage(await fuzz(workerData as FuzzWork), []);
