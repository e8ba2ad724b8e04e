// What the scripts that prepare a clone are made of: running programs to their end, and saying what failed.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** No program of a step takes longer on a slow machine with a slow network. */
const DEADLINE_MS = 30 * 60_000;

/** A step that failed; the program ends with its exit code. */
export class StepError extends Error {
  constructor(message, exitCode, options) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Says what is being done, beside what a program prints for others to read. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Runs a program to its end, in the project's folder unless said otherwise, and throws where it fails. */
export function run(step, command, args, { cwd = root } = {}) {
  runToEnd(step, command, args, { cwd, stdio: ["ignore", 2, 2] });
}

/** What a program prints. */
export function printed(step, command, args) {
  return runToEnd(step, command, args, { cwd: root, stdio: ["ignore", "pipe", 2], encoding: "utf8" });
}

function runToEnd(step, command, args, options) {
  const { status, error, stdout } = spawnSync(command, args, { ...options, timeout: DEADLINE_MS });
  if (error !== undefined) throw new StepError(`${step} failed: ${error.message}`, 1, { cause: error });
  if (status !== 0) throw new StepError(`${step} failed with exit code ${status ?? "none"}`, status ?? 1);
  return stdout;
}

/** Runs `steps`; where one of them fails the program ends with its exit code, without a stack trace. */
export function orExit(steps, atFailure = () => undefined) {
  try {
    steps();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    say(error.message);
    atFailure();
    process.exit(error.exitCode);
  }
}
