import { expect, test } from "vitest";
import type { Logger } from "../core/ambient.ts";
import { jsonLogger, plainLogger } from "./logger.ts";

function captured(make: (sink: { write(line: string): void }) => Logger): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  return { logger: make({ write: (line) => lines.push(line) }), lines };
}

const NOON_MS = new Date(2026, 0, 1, 12, 0, 5).getTime();

test("a JSON line has level, time, message and fields", () => {
  const { logger, lines } = captured((sink) => jsonLogger("info", sink));
  logger.debug("not shown");
  logger.warn("epoch took long", { epoch: 7, table: undefined });
  expect(lines).toHaveLength(1);
  expect(lines[0]?.endsWith("\n")).toBe(true);
  expect(JSON.parse(lines[0] ?? "")).toEqual({
    level: "warn",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    msg: "epoch took long",
    epoch: 7,
  });
});

test("a plain line is for people, and fits in one line", () => {
  const { logger, lines } = captured((sink) => plainLogger("info", sink, () => NOON_MS));
  logger.debug("not shown");
  logger.info("slot created", { slot: "millrace_shop", note: "two words", none: undefined, count: 3 });
  logger.error("server said\u001b[2J no\n");
  expect(lines).toEqual([
    '12:00:05 info  slot created  slot=millrace_shop note="two words" count=3\n',
    "12:00:05 error server said [2J no \n",
  ]);
});
