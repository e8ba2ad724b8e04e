import type { RedisQueueBackend } from "bullmq";
import { expect, test } from "vitest";
import { testAmbient } from "../../../test/support/test-ambient.ts";
import type { Clock } from "../../core/ambient.ts";
import { orReconnect } from "./or-reconnect.ts";

/** A clock on which time has always passed, and a connection that counts how often it is made anew. */
function silence(status: string): { clock: Clock; queue: Parameters<typeof orReconnect>[0]; made: () => number } {
  let made = 0;
  const client = { status, disconnect: (again: boolean) => void (made += again ? 1 : 0) };
  const backend = { client: Promise.resolve(client) } as unknown as Pick<RedisQueueBackend, "client">;
  const { clock } = testAmbient();
  return {
    clock: { nowMs: () => 0, monotonicMs: () => 0, sleep: (_, signal) => clock.sleep(0, signal) },
    queue: { getBackend: () => backend },
    made: () => made,
  };
}

test("a connection that nothing comes over is made anew, and the answer is still waited for", async () => {
  const { clock, queue, made } = silence("ready");
  let answer: (text: string) => void = () => undefined;
  const asked = orReconnect(queue, clock, new Promise<string>((resolve) => (answer = resolve)));
  await expect.poll(made).toBe(1);
  answer("late");
  expect(await asked).toBe("late");
});

test("one that is being made already is left alone", async () => {
  const { clock, queue, made } = silence("reconnecting");
  await orReconnect(
    queue,
    clock,
    clock.sleep(0, AbortSignal.timeout(1000)).then(() => queue.getBackend().client),
  );
  expect(made()).toBe(0);
});

test("an answer in time is all there is to it", async () => {
  const { queue, made } = silence("ready");
  expect(await orReconnect(queue, testAmbient().clock, Promise.resolve(7))).toBe(7);
  expect(made()).toBe(0);
});
