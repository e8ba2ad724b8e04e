import { expect, test } from "vitest";
import { waitFor } from "../../test/support/wait-for.ts";
import { releaseMemory } from "./released-memory.ts";

test("memory that is released is given back without a collection", async () => {
  const before = process.memoryUsage.rss();
  const buffers = Array.from({ length: 4 }, () => new Uint8Array(64 << 20).fill(1).buffer);
  expect(process.memoryUsage.rss() - before).toBeGreaterThan(200 << 20);
  releaseMemory(buffers);
  expect(buffers.map(({ byteLength }) => byteLength)).toEqual([0, 0, 0, 0]);
  await waitFor("the memory to be given back", () => process.memoryUsage.rss() - before < 100 << 20);
});
