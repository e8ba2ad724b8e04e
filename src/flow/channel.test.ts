import { describe, expect, test } from "vitest";
import { MemoryChannel } from "./channel.ts";

const numbers = (bytesMax: number): MemoryChannel<number> => new MemoryChannel<number>({ bytesMax, sizeOf: (n) => n });

/** Whether the promise has settled once every microtask that is due has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(
    () => (done = true),
    () => (done = true),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

describe("MemoryChannel", () => {
  test("hands items over in order and ends", async () => {
    const channel = numbers(100);
    for (const n of [1, 2, 3]) await channel.push(n);
    channel.end();
    const got: number[] = [];
    for await (const n of channel) got.push(n);
    expect(got).toEqual([1, 2, 3]);
  });

  test("a push beyond the bytes waits until half of them are free", async () => {
    const channel = numbers(10);
    await channel.push(4);
    await channel.push(4);
    const third = channel.push(4);
    expect(await settled(third)).toBe(false);
    const reader = channel[Symbol.asyncIterator]();
    await reader.next();
    expect(channel.bytes).toBe(8);
    expect(await settled(third)).toBe(false);
    await reader.next();
    await third;
    expect(channel.bytes).toBe(4);
  });

  test("an item larger than the bound passes alone", async () => {
    const channel = numbers(10);
    const push = channel.push(1000);
    const reader = channel[Symbol.asyncIterator]();
    expect(await reader.next()).toEqual({ done: false, value: 1000 });
    await push;
  });

  test("a failure reaches the consumer at once and drops what waits", async () => {
    const channel = numbers(10);
    await channel.push(1);
    const blocked = channel.push(20);
    channel.fail(new Error("broke"));
    await expect(blocked).rejects.toThrow("broke");
    await expect(channel[Symbol.asyncIterator]().next()).rejects.toThrow("broke");
    expect(channel.bytes).toBe(0);
  });

  test("a failure wakes a consumer that waits", async () => {
    const channel = numbers(10);
    const next = channel[Symbol.asyncIterator]().next();
    channel.fail(new Error("broke"));
    await expect(next).rejects.toThrow("broke");
  });

  test("a consumer that leaves rejects the producers", async () => {
    const channel = numbers(3);
    await channel.push(1);
    const blocked = channel.push(5);
    const rejected = expect(blocked).rejects.toThrow("has left");
    for await (const n of channel) if (n === 1) break;
    await rejected;
    await expect(channel.push(1)).rejects.toThrow("has left");
  });

  test("cancelling ends the consumer's loop without an error", async () => {
    const channel = numbers(3);
    const next = channel[Symbol.asyncIterator]().next();
    channel.cancel(new Error("gone"));
    expect((await next).done).toBe(true);
    await expect(channel.push(1)).rejects.toThrow("gone");
  });
});
