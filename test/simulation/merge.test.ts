import { describe, expect, test } from "vitest";
import { playHistory } from "./history.ts";
import { MUTATIONS, type Mutation } from "./mutations.ts";
import { Violation } from "./sim-sink.ts";

const RUNS = Number(process.env["MILLRACE_SIM_RUNS"] ?? 20_000);
const SEED = Number(process.env["MILLRACE_SIM_SEED"] ?? 1);
/** By when a mutation must have been noticed. The rarest, `gaps`, takes some thousand histories. */
const MUTATION_RUNS = 150_000;

/** The first history that goes wrong; null: none does. */
function firstFailure(from: number, runs: number, mutation: Mutation | null): { seed: number; error: unknown } | null {
  for (let seed = from; seed < from + runs; seed++) {
    try {
      playHistory(seed, mutation);
    } catch (error) {
      return { seed, error };
    }
  }
  return null;
}

describe("the merge under random histories", () => {
  test(
    `keeps ${RUNS} of them right, from seed ${SEED} (MILLRACE_SIM_RUNS, MILLRACE_SIM_SEED)`,
    { timeout: 86_400_000 },
    () => {
      const failure = firstFailure(SEED, RUNS, null);
      if (failure !== null)
        throw new Error(
          `seed ${failure.seed}: run it alone with MILLRACE_SIM_RUNS=1 MILLRACE_SIM_SEED=${failure.seed}`,
          {
            cause: failure.error,
          },
        );
      expect(failure).toBeNull();
    },
  );

  test.each(Object.keys(MUTATIONS) as Mutation[])("notices a broken rule: %s", { timeout: 300_000 }, (mutation) => {
    const failure = firstFailure(1, MUTATION_RUNS, mutation);
    expect(failure, MUTATIONS[mutation]).not.toBeNull();
    expect(failure!.error).toBeInstanceOf(Violation);
  });
});
