import { expect, test } from "vitest";
import { noFailpoints } from "../core/ambient.ts";
import { failpointTrigger } from "./failpoint-trigger.ts";

test("off without a setting", () => {
  const die = (): void => undefined;
  expect(failpointTrigger(undefined, die)).toBe(noFailpoints);
  expect(failpointTrigger("", die)).toBe(noFailpoints);
});

test("dies at the failpoint named, once, the first or the nth time", () => {
  let deaths = 0;
  const first = failpointTrigger("engine.record-stored", () => deaths++);
  first("engine.sink-committed");
  expect(deaths).toBe(0);
  first("engine.record-stored");
  first("engine.record-stored");
  expect(deaths).toBe(1);
  const third = failpointTrigger("snapshot.chunk-read:3", () => deaths++);
  third("snapshot.chunk-read");
  third("snapshot.chunk-read");
  expect(deaths).toBe(1);
  third("snapshot.chunk-read");
  expect(deaths).toBe(2);
});

test.each(["engine.unknown", "engine.record-stored:0", "engine.record-stored:x", "engine.record-stored:"])(
  "%s is no failpoint",
  (setting) => {
    expect(() => failpointTrigger(setting, () => undefined)).toThrow("there is no failpoint");
  },
);
