import type { LogLevel } from "../observe/logger.ts";
import { loadPipeline } from "../pipeline/load.ts";
import { workPipeline, type WorkRequest } from "../pipeline/work.ts";
import { commandAmbient, type LogFormat } from "./command-ambient.ts";
import { EXIT_DONE, EXIT_INTERRUPTED } from "./exit-code.ts";
import { duration, plural } from "./quantity.ts";
import { StopSignals } from "./stop-signals.ts";
import type { Surroundings } from "./surroundings.ts";
import { printable } from "./text-width.ts";

export interface WorkerCommandOptions {
  /** Chunks read at a time. */
  readonly concurrency: number;
  readonly leaseMs: number;
  /** Null: `info`, or `warn` where lines and log are on one terminal. */
  readonly logLevel: LogLevel | null;
  /** Null: plain on a terminal, else JSON. */
  readonly logFormat: LogFormat | null;
}

/** `worker FILE`: reads chunks for a run of the pipeline, until it is told to stop; then those that it has to their end. */
export async function workerCommand(
  file: string,
  options: WorkerCommandOptions,
  surroundings: Surroundings,
): Promise<number> {
  const spec = await loadPipeline(file, surroundings.environment);
  const level = options.logLevel ?? (surroundings.out.isTerminal ? "warn" : "info");
  const format = options.logFormat ?? (surroundings.err.isTerminal ? "plain" : "json");
  const ambient = commandAmbient({ level, format, sink: surroundings.err }, surroundings);
  const say = (text: string): void => {
    const time = new Date(ambient.clock.nowMs()).toTimeString().slice(0, 8);
    surroundings.out.write(`${time} ${printable(text)}\n`);
  };
  using signals = new StopSignals(surroundings);
  signals.stop.addEventListener("abort", () => say("stopping"), { once: true });
  const totals = { chunks: 0, rows: 0 };
  const events: WorkRequest["events"] = (event) => {
    if (event.kind === "read") {
      totals.chunks++;
      totals.rows += event.rows;
    }
    say(sentenceOf(event, spec.name));
  };
  const { concurrency, leaseMs } = options;
  try {
    await workPipeline(spec, { concurrency, leaseMs, events, ambient, stop: signals.stop });
  } catch (error) {
    if (!signals.stop.aborted) throw error;
  }
  say(`stopped, having read ${plural(totals.rows, "row")} in ${plural(totals.chunks, "chunk")}`);
  return signals.received === "SIGINT" ? EXIT_INTERRUPTED : EXIT_DONE;
}

type Event = Parameters<WorkRequest["events"]>[0];

function sentenceOf(event: Event, pipeline: string): string {
  switch (event.kind) {
    case "ready":
      return `waiting for chunks of ${pipeline}; they are staged in ${event.staging}`;
    case "read":
      return `chunk ${event.chunk} of ${event.table}: ${plural(event.rows, "row")} in ${duration(event.tookMs)}`;
    case "failed":
      return `chunk ${event.chunk} of ${event.table}: failed: ${event.error.code}: ${event.error.message}`;
    case "late":
      return `chunk ${event.chunk} of ${event.table}: too late, another worker has it or nobody wants it any more`;
  }
}
