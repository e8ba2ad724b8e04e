import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { projectRoot } from "../test/support/project-root.ts";
import { chosenDestination } from "./arguments.ts";
import type { Destination } from "./destination.ts";
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
function removeLastRun({ leaves }: Destination): void {
  for (const name of leaves) rmSync(join(projectRoot, "demo", name), { recursive: true, force: true });
}

const signal = interruption();
try {
  const { destination, others } = chosenDestination(process.argv.slice(2));
  // npm keeps options before its `--` for itself.
  if (others.length > 0)
    throw new Error(`It takes no "${others[0]}"; a sink is chosen by: npm run demo -- --sink NAME`);
  removeLastRun(destination);
  await using story = await Story.begin(destination, signal);
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
