import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Clock, Logger } from "../core/ambient.ts";
import { initialState, reduce } from "../core/pipeline-state.ts";
import { readStatusFile, StatusFile } from "./status-file.ts";
import { systemClock } from "./system-clock.ts";

let folder: string;
const warnings: string[] = [];
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => warnings.push(message),
  error: () => undefined,
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-status-"));
  warnings.length = 0;
});
afterEach(() => rm(folder, { recursive: true }));

/** A clock whose sleeps end when the test says so. */
function steppedClock(): { clock: Clock; slept: () => Promise<void>; wake: () => void } {
  let wake = (): void => undefined;
  let fellAsleep = (): void => undefined;
  let asleep = new Promise<void>((resolve) => (fellAsleep = resolve));
  const sleep = (_ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      wake = () => {
        asleep = new Promise<void>((again) => (fellAsleep = again));
        resolve();
      };
      fellAsleep();
    });
  return { clock: { nowMs: () => 5000, monotonicMs: () => 5000, sleep }, slept: () => asleep, wake: () => wake() };
}

const state = initialState(1000);

test("writes at the start, once an interval, and at the end", async () => {
  const { clock, slept, wake } = steppedClock();
  const file = new StatusFile({ folder: join(folder, "shop"), pipeline: "shop", pid: 7, state }, clock, logger);
  await slept();
  expect(await readStatusFile(join(folder, "shop"))).toEqual({
    version: 1,
    pipeline: "shop",
    pid: 7,
    updatedAtMs: 5000,
    state,
  });
  const running = reduce(state, { kind: "running" }, 2000);
  file.update(running);
  expect((await readStatusFile(join(folder, "shop")))?.state.kind).toBe("starting");
  wake();
  await slept();
  expect((await readStatusFile(join(folder, "shop")))?.state).toEqual(running);
  file.update(reduce(running, { kind: "stopped" }, 3000));
  await file[Symbol.asyncDispose]();
  expect((await readStatusFile(join(folder, "shop")))?.state.kind).toBe("stopped");
  expect(await readdir(join(folder, "shop"))).toEqual(["status.json"]);
  expect(warnings).toEqual([]);
});

test("what goes wrong is one warning, and the run goes on", async () => {
  await writeFile(join(folder, "shop"), "a file where the folder should be");
  const { clock, slept, wake } = steppedClock();
  const file = new StatusFile({ folder: join(folder, "shop"), pipeline: "shop", pid: 7, state }, clock, logger);
  await slept();
  wake();
  await slept();
  await file[Symbol.asyncDispose]();
  expect(warnings).toEqual(["status file not written"]);
});

test("no file, or one of another version or torn, is no status", async () => {
  expect(await readStatusFile(folder)).toBeNull();
  for (const content of ["", "{", '{"version":2,"state":{}}', "null"]) {
    await writeFile(join(folder, "status.json"), content);
    expect(await readStatusFile(folder)).toBeNull();
  }
});

test("a sleep ends with the signal's own reason", async () => {
  const abort = new AbortController();
  const asleep = systemClock.sleep(60_000, abort.signal);
  abort.abort(new Error("enough"));
  await expect(asleep).rejects.toThrow("enough");
  await expect(systemClock.sleep(60_000, abort.signal)).rejects.toThrow("enough");
  await systemClock.sleep(1, new AbortController().signal);
});
