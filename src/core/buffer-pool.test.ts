import { expect, test } from "vitest";
import { BufferPool } from "./buffer-pool.ts";

test("gives out again the smallest buffer that is large enough, and none twice", () => {
  const pool = new BufferPool(1 << 20);
  const [small, middle, large] = [5000, 8000, 100_000].map((bytes) => pool.take(bytes));
  for (const buffer of [large!, small!, middle!]) pool.give(buffer);
  expect(pool.bytes).toBe(113_000);
  expect(pool.take(5001)).toBe(middle);
  expect(pool.take(5000)).toBe(small);
  expect(pool.take(5000).byteLength).toBe(5000);
  expect(pool.take(60_000)).toBe(large);
  expect(pool.bytes).toBe(0);
});

test("keeps what is much too large for when it is wanted, and no more bytes than it may", () => {
  const pool = new BufferPool(20_000);
  const [first, second, third] = [10_000, 9000, 8000].map((bytes) => pool.take(bytes));
  for (const buffer of [first!, second!, third!]) pool.give(buffer);
  expect(pool.bytes).toBe(17_000);
  expect(pool.take(10_000)).not.toBe(first);
  expect(pool.take(4000)).toBe(third);
  expect(pool.take(4000)).not.toBe(second);
  expect(pool.take(9000)).toBe(second);
  pool.give(new ArrayBuffer(100));
  expect(pool.bytes).toBe(0);
});
