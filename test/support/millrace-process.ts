import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { isFrozen } from "./process-tree.ts";
import { projectRoot } from "./project-root.ts";
import { DEADLINE_MS, waitFor, within } from "./wait-for.ts";

export interface ProcessExit {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessOptions {
  /** Goes over PATH, HOME and what else of the test's own environment a program needs. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** No file of its may become longer: what comes behind fails, as on a full disk. */
  readonly fileBytesMax?: number;
  /** Permissions of files count for it, although it is root's. */
  readonly obeysPermissions?: boolean;
}

const MAIN = join(projectRoot, "dist", "bin", "millrace.js");

/** Programs that set limits and become the program behind them. */
function limited({ fileBytesMax, obeysPermissions = false }: ProcessOptions): readonly string[] {
  if (obeysPermissions && process.getuid?.() === 0) return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
  if (fileBytesMax === undefined) return [];
  return ["/bin/sh", "-c", `ulimit -f ${Math.ceil(fileBytesMax / 512)} && exec "$@"`, "sh"];
}

/** A run of the built command; `SIGKILL`ed at the end of the test if it is still there. */
export class MillraceProcess implements AsyncDisposable {
  stdout: string = "";
  stderr: string = "";
  readonly #child: ChildProcess;
  readonly #closed: Promise<ProcessExit>;
  readonly #output: EventEmitter = new EventEmitter();
  #isClosed = false;

  constructor(args: readonly string[], options: ProcessOptions, program: string) {
    const [command = "", ...words] = [...limited(options), process.execPath, program, ...args];
    this.#child = spawn(command, words, {
      cwd: options.cwd,
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TZ: "UTC", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read("stdout", text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#read("stderr", text));
    this.#closed = this.#untilClosed();
    // Whoever waits for it sees its failure; nobody has to wait.
    this.#closed.catch(() => undefined);
  }

  #read(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text;
    this.#output.emit("data");
  }

  async #untilClosed(): Promise<ProcessExit> {
    try {
      const [code, signal] = (await once(this.#child, "close")) as [number | null, NodeJS.Signals | null];
      return { code, signal };
    } finally {
      this.#isClosed = true;
      this.#output.emit("data");
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("millrace did not start");
    return this.#child.pid;
  }

  /** All that was printed, for messages. */
  get output(): string {
    return `--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`;
  }

  get hasEnded(): boolean {
    return this.#isClosed;
  }

  /** Resolves when it stands still, at a failpoint with SIGSTOP. Rejects when it ends instead. */
  async untilFrozen(deadlineMs: number = DEADLINE_MS): Promise<void> {
    const frozen = (): boolean => {
      if (this.#isClosed) throw new Error("millrace ended, and was not frozen");
      return isFrozen(this.pid);
    };
    await this.#orOutput(waitFor("millrace to stand still", frozen, deadlineMs));
  }

  /** Sends a signal; to a process that has ended it is nothing. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** How it ended, with all its output read. Rejects behind the deadline, with the output so far. */
  async exit(deadlineMs: number = DEADLINE_MS): Promise<ProcessExit> {
    return this.#orOutput(within("millrace to exit", this.#closed, deadlineMs));
  }

  /** The first match in what was or will be printed. Rejects behind the deadline, or when it exits without. */
  async untilOutput(
    pattern: RegExp,
    options: { readonly stream?: "stdout" | "stderr"; readonly deadlineMs?: number } = {},
  ): Promise<RegExpExecArray> {
    const search = async (): Promise<RegExpExecArray> => {
      for (;;) {
        const text = options.stream === undefined ? `${this.stdout}\n${this.stderr}` : this[options.stream];
        const match = pattern.exec(text);
        if (match !== null) return match;
        if (this.#isClosed) throw new Error(`millrace ended without printing ${String(pattern)}`);
        await once(this.#output, "data");
      }
    };
    return this.#orOutput(within(`millrace to print ${String(pattern)}`, search(), options.deadlineMs));
  }

  async #orOutput<Result>(promise: Promise<Result>): Promise<Result> {
    try {
      return await promise;
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${this.output}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) this.signal("SIGKILL");
    await this.#closed.catch(() => undefined);
  }
}

/** `await using run = millraceProcess(["run", file], { env: { PGPASSWORD } })`. Needs `npm run build`. */
export function millraceProcess(
  args: readonly string[],
  options: ProcessOptions = {},
  program: string = MAIN,
): MillraceProcess {
  return new MillraceProcess(args, options, program);
}
