import { expect, test } from "vitest";
import { noFailpoints } from "../core/ambient.ts";
import { failpointTrigger } from "./failpoint-trigger.ts";

test("off without a setting", () => {
  const signal = (): void => undefined;
  expect(failpointTrigger(undefined, signal)).toBe(noFailpoints);
  expect(failpointTrigger("", signal)).toBe(noFailpoints);
});

test("sends its signal at the failpoint named, once, the first or the nth time", () => {
  const sent: string[] = [];
  const first = failpointTrigger("engine.record-stored", (name) => sent.push(name));
  first("engine.sink-committed");
  expect(sent).toEqual([]);
  first("engine.record-stored");
  first("engine.record-stored");
  expect(sent).toEqual(["SIGKILL"]);
  const third = failpointTrigger("snapshot.chunk-read:3=SIGTERM", (name) => sent.push(name));
  third("snapshot.chunk-read");
  third("snapshot.chunk-read");
  expect(sent).toEqual(["SIGKILL"]);
  third("snapshot.chunk-read");
  expect(sent).toEqual(["SIGKILL", "SIGTERM"]);
  failpointTrigger("sink.files-staged=SIGSTOP", (name) => sent.push(name))("sink.files-staged");
  expect(sent).toEqual(["SIGKILL", "SIGTERM", "SIGSTOP"]);
});

test.each([
  "engine.unknown",
  "engine.record-stored:0",
  "engine.record-stored:x",
  "engine.record-stored:",
  "engine.record-stored=SIGHUP",
])("%s is no failpoint", (setting) => {
  expect(() => failpointTrigger(setting, () => undefined)).toThrow("there is no failpoint");
});
