import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { ErrorCode } from "../../src/core/error-codes.ts";
import { ERROR_CODES } from "../../src/core/error-codes.ts";
import type { MillraceProcess } from "./millrace-process.ts";

export interface Refusal {
  readonly code: ErrorCode;
  /** What the one sentence must name. */
  readonly says: RegExp;
  /** What the hint must say; it may be the error table's own. */
  readonly hint: RegExp;
}

/** Waits for a command to fail as it should, and returns the statements (in backquotes) of its hint. */
export async function expectRefusal(run: MillraceProcess, refusal: Refusal): Promise<readonly string[]> {
  const { code, signal } = await run.exit();
  expect({ code, signal }, run.output).toEqual({ code: ERROR_CODES[refusal.code].exit, signal: null });
  const lines = run.stderr.trimEnd().split("\n");
  const at = lines.findIndex((line) => /^error [A-Z_]+: /.test(line));
  const [first = "", ...rest] = at === -1 ? [] : lines.slice(at);
  const [, found, sentence = ""] = /^error ([A-Z_]+): (.+)$/.exec(first) ?? [];
  expect(found, run.output).toBe(refusal.code);
  expect(sentence).toMatch(refusal.says);
  const hint = rest.filter((line) => /^ {2}(hint:| {6})/.test(line));
  // The sentence, where, and what to do: nothing else comes behind, least of all a stack.
  expect(
    rest.filter((line) => !hint.includes(line) && !/^ {2}at [^(]+$/.test(line)),
    run.output,
  ).toEqual([]);
  expect(hint.join("\n"), run.output).toMatch(refusal.hint);
  expectPlainOutput(run);
  return [...hint.join("\n").matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
}

/** No stack, no value that was never meant to be printed. */
export function expectPlainOutput({ stdout, stderr }: MillraceProcess): void {
  for (const text of [stdout, stderr])
    expect(text).not.toMatch(/^\s+at .+:\d+:\d+\)?$|node:internal|\bundefined\b|\[object |INTERNAL|UnhandledPromise/m);
}

/** Neither the output nor any file that a run has left holds the secret. Nothing else may run there: its files come and go. */
export async function expectSecretKept(secret: string, run: MillraceProcess, folder: string): Promise<void> {
  expect(run.stdout + run.stderr).not.toContain(secret);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((it) => it.isFile())) {
    const path = join(entry.parentPath, entry.name);
    expect((await readFile(path)).includes(secret), path).toBe(false);
  }
}
