import { expect } from "vitest";
import { BufferPool } from "../../src/core/buffer-pool.ts";
import type { ObjectStore } from "../../src/stores/object-store.ts";
import { patternBytes } from "../support/pattern-bytes.ts";

const { signal } = new AbortController();

/** Of pieces: none that has bytes, some that have none, large ones, more than a call of the system takes. */
export const BRIEF_LENGTHS: readonly (readonly number[])[] = [
  [0],
  [1, 0, 2],
  [3_000_000, 7, 1_000_000],
  Array.from({ length: 3000 }, (_, i) => i % 9),
];

/** Of pieces of these lengths: it comes back whole, is seen as any other object, and is gone when it is deleted. */
export async function expectBriefObject(store: ObjectStore, lengths: readonly number[]): Promise<void> {
  const content = patternBytes(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  const pieces = lengths.map((length) => content.subarray(at, (at += length)));
  await store.putBrief("a/b", pieces, signal);
  const pool = new BufferPool(16 << 20);
  for (const bytes of [content.byteLength, content.byteLength + 1]) {
    const taken = await store.getInto(pool, "a/b", bytes, signal);
    expect(Buffer.compare(taken!, content)).toBe(0);
    expect(taken!.byteOffset).toBe(0);
  }
  expect(Buffer.compare((await store.get("a/b", null, signal))!, content)).toBe(0);
  expect(await store.head("a/b", signal)).toMatchObject({ key: "a/b", bytes: content.byteLength });
  await store.deleteBrief(["a/b", "a/none"], signal);
  expect(await store.getInto(pool, "a/b", content.byteLength, signal)).toBeNull();
  expect(await store.getInto(pool, "a", 1, signal)).toBeNull();
  expect(await store.head("a/b", signal)).toBeNull();
}
