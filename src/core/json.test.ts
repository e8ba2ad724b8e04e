import { expect, test } from "vitest";
import { sameJson, type Json } from "./json.ts";

test.each<[Json, Json]>([
  [null, null],
  [
    [1, "a", [true]],
    [1, "a", [true]],
  ],
  [
    { a: 1, b: { c: [] } },
    { b: { c: [] }, a: 1 },
  ],
])("%j is the same as %j", (a, b) => {
  expect(sameJson(a, b)).toBe(true);
});

test.each<[Json, Json]>([
  [null, {}],
  [0, "0"],
  [0, false],
  [[], {}],
  [[1, 2], [1]],
  [
    [1, 2],
    [2, 1],
  ],
  [{ a: 1 }, { b: 1 }],
  [{ a: 1 }, { a: 1, b: 1 }],
  [{ a: null }, { toString: null }],
  [{ a: [{ b: 1 }] }, { a: [{ b: 2 }] }],
])("%j is not the same as %j", (a, b) => {
  expect(sameJson(a, b)).toBe(false);
  expect(sameJson(b, a)).toBe(false);
});
