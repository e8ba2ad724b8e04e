#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { isatty } from "node:tty";
import { EXIT_INTERRUPTED } from "./exit-code.ts";
import { COLOURS, NO_COLOURS } from "./paint.ts";
import { millrace } from "./program.ts";
import type { Screen, StopSignal, Surroundings } from "./surroundings.ts";

/** The process itself, as the commands see it. */
const surroundings: Surroundings = {
  out: screenOf(process.stdout, isatty(1)),
  err: screenOf(process.stderr, isatty(2)),
  environment: process.env,
  pid: process.pid,
  residentBytes: () => process.memoryUsage.rss(),
  version: ownVersion(import.meta.dirname),
  onStopSignal(listener) {
    const signals: readonly StopSignal[] = ["SIGINT", "SIGTERM"];
    for (const signal of signals) process.on(signal, listener);
    return {
      [Symbol.dispose]() {
        for (const signal of signals) process.off(signal, listener);
      },
    };
  },
  exitNow: (code) => process.exit(code),
  signalItself: (name) => process.kill(process.pid, name),
  isAlive,
  ask,
};

function screenOf(stream: NodeJS.WriteStream, isTerminal: boolean): Screen {
  const { NO_COLOR = "", TERM } = process.env;
  // Who reads a pipe may leave before we are done (`millrace plan … | head`): that is no failure of ours.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  return {
    write: (text) => void stream.write(text),
    isTerminal: isTerminal && TERM !== "dumb",
    size: () => ({ columns: stream.columns || 80, rows: stream.rows || 24 }),
    palette: isTerminal && NO_COLOR === "" && TERM !== "dumb" ? COLOURS : NO_COLOURS,
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function ask(question: string): Promise<string | null> {
  if (!isatty(0)) return null;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  // Ctrl-C and the end of the input are an answer too, and not yes.
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  lines.once("SIGINT", () => process.exit(EXIT_INTERRUPTED));
  const answer = await Promise.race([lines.question(question), closed]);
  lines.close();
  return answer;
}

/** Of the package this file is in, compiled or not. */
function ownVersion(folder: string): string {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
    if (name === "millrace" && version !== undefined) return version;
  } catch {
    // No package here: the next folder up.
  }
  return dirname(folder) === folder ? "unknown" : ownVersion(dirname(folder));
}

// On Node.js 20 the AWS client would print, among our lines, that its own next versions want a newer one. By this it is told not
// to; the one that package-lock.json names runs on 20.
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";

process.exitCode = await millrace(process.argv.slice(2), surroundings);
