import { expect, test } from "vitest";
import { recordedScreen } from "../../test/support/recorded-screen.ts";
import { MillraceError } from "../core/errors.ts";
import { printError } from "./print-error.ts";

const printed = (error: unknown, withStack = false): readonly string[] => {
  const screen = recordedScreen();
  printError(error, screen, withStack);
  return screen.take().trimEnd().split("\n");
};

test("an error is its code, its sentence, where, and what to do", () => {
  const error = new MillraceError("INTERNAL", "the table has no key", {
    hint: "Run\nALTER TABLE t REPLICA IDENTITY FULL;",
    place: { table: "public.t", position: "0/5" },
  });
  expect(printed(error)).toEqual([
    "error INTERNAL: the table has no key",
    "  at table public.t, position 0/5",
    "  hint: Run",
    "        ALTER TABLE t REPLICA IDENTITY FULL;",
  ]);
});

test("a place in a file is one that editors open", () => {
  const error = new MillraceError("CONFIG_INVALID", "unknown key `a`", {
    place: { file: "p.yaml", line: 4, column: 3 },
  });
  expect(printed(error)[1]).toBe("  at p.yaml:4:3");
});

test("what nobody classified is INTERNAL, without a stack and without control characters", () => {
  expect(printed(new TypeError("x is\u001b[2J not a function"))).toEqual([
    "error INTERNAL: x is�[2J not a function",
    "  hint: Run again: it resumes from the last committed epoch. Report it with the log lines around it.",
  ]);
});

test("the stacks of the error and its causes, for those who ask", () => {
  const lines = printed(new MillraceError("INTERNAL", "outer", { cause: new Error("inner") }), true);
  expect(lines.some((line) => line.includes("print-error.test.ts"))).toBe(true);
  expect(lines).toContain("caused by Error: inner");
});
