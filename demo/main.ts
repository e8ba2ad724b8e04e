import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { projectRoot } from "../test/support/project-root.ts";
import { Story } from "./story.ts";
import { repairTerminal, say } from "./terminal.ts";

const SIGNAL_DELIVERY_MS = 50;

/** Ends the demo in order, its server and processes included; a second signal does not wait for that. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const [name, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(code);
      process.exitCode = code;
      controller.abort(new Error(`ended by ${name}`));
    });
  return controller.signal;
}

/** Every run starts afresh. */
function removeLastRun(): void {
  for (const name of ["warehouse.duckdb", "warehouse.duckdb.wal", ".millrace"])
    rmSync(join(projectRoot, "demo", name), { recursive: true, force: true });
}

const signal = interruption();
removeLastRun();
try {
  await using story = await Story.begin(signal);
  const isEqual = await story.tell();
  if (!isEqual) process.exitCode = 1;
} catch (error) {
  // What fails may have had the same Ctrl-C, and synchronously: let the signal arrive before its effect is judged.
  await pause(SIGNAL_DELIVERY_MS);
  repairTerminal();
  process.exitCode ??= 1;
  say(signal.aborted ? `The demo was ${messages(signal.reason)}.` : `The demo failed: ${messages(error)}`);
}

/** The error's, and its causes'. */
function messages(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messages(error.cause)}`;
}
