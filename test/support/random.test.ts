import { expect, it } from "vitest";
import { Random } from "./random.ts";

it("makes the same choices from the same seed", () => {
  const choices = (): number[] => {
    const random = new Random(42);
    return Array.from({ length: 5 }, () => random.below(1_000));
  };
  expect(choices()).toEqual(choices());
  expect(new Set(choices()).size).toBeGreaterThan(1);
});
