import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const MILLRACE = join(import.meta.dirname, "..", "src", "cli", "main.js");

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The `millrace` command as a user runs it: its progress goes to the demo's own terminal, or pipe. */
export class PipelineProcess {
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;

  constructor(pipelineFile: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [MILLRACE, "run", pipelineFile, "--log-level", "warn", ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", "inherit"],
    });
    this.ended = once(this.#child, "exit").then((end) => {
      const [code, signal] = end as [number | null, NodeJS.Signals | null];
      return { code, signal };
    });
    this.ended.catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): Promise<ProcessEnd> {
    this.#child.kill(name);
    return this.ended;
  }
}
