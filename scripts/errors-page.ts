import type { Retry } from "../src/core/error-code-info.ts";
import { ERROR_CODES } from "../src/core/error-codes.ts";

const RETRY: Readonly<Record<Retry, string>> = {
  timed: "by itself, after a pause",
  manual: "after somebody has acted",
  never: "no",
};

const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, "done; a clean stop by SIGTERM too"],
  [1, "failed; with `--until caught-up` also where a table has stopped"],
  [2, "bad usage or configuration"],
  [3, "the source or the sink refused"],
  [130, "stopped by Ctrl-C"],
];

/** The text of docs/errors.md, from the error table. */
export function errorsPage(): string {
  const exits = EXIT_CODES.map(([code, meaning]) => `| ${code} | ${meaning} |`);
  const codes = Object.entries(ERROR_CODES).flatMap(([code, { exit, retry, meaning, action }]) => [
    `## ${code}`,
    "",
    meaning,
    "",
    `**What to do:** ${action}`,
    "",
    `Exit code ${exit}. Tried again: ${RETRY[retry]}.`,
    "",
  ]);
  return [
    "# Errors",
    "",
    "Generated from `src/core/error-codes.ts` by `npm run docs`; edit there.",
    "",
    "Every error has a code, one sentence, and a hint that says what to do here. The codes are stable: look one up below.",
    "Whatever happens, nothing is acknowledged to the source that the sink has not committed.",
    "",
    "## Exit codes",
    "",
    "| code | meaning |",
    "| --- | --- |",
    ...exits,
    "",
    ...codes,
  ].join("\n");
}
