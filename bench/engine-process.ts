import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { within } from "../test/support/wait-for.ts";
import type { CommittedEpoch, EngineMessage, EngineReport, EngineRequest } from "./engine-report.ts";

const CHILD = join(import.meta.dirname, "engine-child.js");
const DEADLINE_MS = 600_000;

/** A pipeline in a process of its own, so that its CPU time and its memory are its own. */
export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #report: Promise<EngineReport>;
  readonly #epochs: CommittedEpoch[] = [];
  readonly #news: EventEmitter = new EventEmitter();
  #isStreaming = false;

  constructor(request: EngineRequest) {
    this.#child = fork(CHILD, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#report = within("the pipeline to end", this.#untilEnded(), DEADLINE_MS);
    this.#report.catch(() => undefined);
    this.#child.send(request);
  }

  /** All that were committed so far. */
  get epochs(): readonly CommittedEpoch[] {
    return this.#epochs;
  }

  /** What it measured, when it has ended. */
  ended(): Promise<EngineReport> {
    return this.#report;
  }

  /** Ends it behind the epoch under way. */
  stop(): Promise<EngineReport> {
    this.#child.send("stop");
    return this.#report;
  }

  /** Resolves when a table's snapshot is complete. */
  streaming(): Promise<void> {
    return this.#until(() => this.#isStreaming);
  }

  /** Resolves when such an epoch has been committed. */
  committed(such: (epoch: CommittedEpoch) => boolean): Promise<void> {
    return this.#until(() => this.#epochs.some(such));
  }

  /** For a bench that gives up; to a process that has ended it is nothing. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await Promise.race([once(this.#news, "news"), this.#report.then(endedEarly)]);
  }

  async #untilEnded(): Promise<EngineReport> {
    const result: { report?: EngineReport; failure: string } = { failure: "it ended without a report" };
    this.#child.on("message", (message: EngineMessage) => {
      if (message.kind === "streaming") this.#isStreaming = true;
      else if (message.kind === "committed") this.#epochs.push(message.epoch);
      else if (message.kind === "report") result.report = message;
      else result.failure = message.message;
      this.#news.emit("news");
    });
    await once(this.#child, "close");
    if (result.report === undefined) throw new Error(`the pipeline failed: ${result.failure}`);
    return result.report;
  }
}

function endedEarly(): never {
  throw new Error("the pipeline ended before it was told to");
}
