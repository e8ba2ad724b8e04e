import { expect, it } from "vitest";
import { Random } from "../support/random.ts";
import { expectedOutcome, inputSeed } from "./target.ts";
import { FUZZ_TARGETS, inputsOf } from "./targets.ts";

/** Of all targets together: a few seconds. `npm run fuzz` takes millions. */
const INPUTS = 20_000;

it.each(FUZZ_TARGETS.map((target, i) => ({ name: target.name, target, inputs: inputsOf(FUZZ_TARGETS, INPUTS)[i]! })))(
  "the decoder $name ends in a MillraceError, if at all, whatever it is given",
  async ({ target, inputs }) => {
    const seed = Date.now() >>> 0;
    for (let number = 0; number < inputs; number++) {
      try {
        await expectedOutcome(target, new Random(inputSeed(seed, number)));
      } catch (error) {
        expect.fail(
          `npm run fuzz -- --only ${target.name} --seed ${seed} --first ${number} --inputs 1\n${String(error)}`,
        );
      }
    }
    expect(inputs).toBeGreaterThan(100);
  },
);
