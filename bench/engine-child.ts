import { noFailpoints } from "../src/core/ambient.ts";
import { asMillraceError } from "../src/core/errors.ts";
import type { PipelineEvent } from "../src/core/pipeline-event.ts";
import { plainLogger } from "../src/observe/logger.ts";
import { systemClock } from "../src/observe/system-clock.ts";
import { runPipeline } from "../src/pipeline/compose.ts";
import { loadPipeline } from "../src/pipeline/load.ts";
import type { EngineMessage, EngineReport, EngineRequest } from "./engine-report.ts";

interface Mark {
  readonly ms: number;
  readonly cpu: NodeJS.CpuUsage;
}

const mark = (): Mark => ({ ms: performance.now(), cpu: process.cpuUsage() });

/** Follows a run by its events, at next to no cost. */
class Measurement {
  #rows = 0;
  #begin: Mark | null = null;
  #hasChunks = false;
  #end: Mark = mark();

  take(event: PipelineEvent): void {
    if (event.kind === "running") this.#begin ??= mark();
    if (event.kind === "chunk-started" && !this.#hasChunks) {
      this.#hasChunks = true;
      this.#begin = mark();
    }
    if (event.kind !== "committed") return;
    this.#rows += event.rows;
    if (event.rows > 0) this.#end = mark();
  }

  report(): EngineReport {
    const begin = this.#begin ?? this.#end;
    const micros = (usage: NodeJS.CpuUsage): number => usage.user + usage.system;
    return {
      kind: "report",
      rows: this.#rows,
      seconds: (this.#end.ms - begin.ms) / 1000,
      cpuSeconds: (micros(this.#end.cpu) - micros(begin.cpu)) / 1e6,
      rssBytesMax: process.resourceUsage().maxRSS * 1024,
    };
  }
}

function send(message: EngineMessage): void {
  process.send?.(message);
}

function tell(event: PipelineEvent): void {
  if (event.kind === "table" && event.state.kind === "streaming") send({ kind: "streaming" });
  if (event.kind !== "committed") return;
  send({ kind: "committed", epoch: { position: event.position, rows: event.rows, atMs: Date.now() } });
}

async function runFor(request: EngineRequest, stop: AbortSignal): Promise<void> {
  const measurement = new Measurement();
  const logger = plainLogger("warn", process.stderr, Date.now);
  await runPipeline(await loadPipeline(request.file, request.env), {
    ambient: {
      pid: process.pid,
      residentBytes: () => process.memoryUsage.rss(),
      clock: systemClock,
      logger,
      failpoint: noFailpoints,
    },
    events: (event) => {
      measurement.take(event);
      tell(event);
    },
    stop,
    until: request.until,
    takeOver: false,
    resnapshot: [],
  });
  send(measurement.report());
}

// The bench that started it is gone, or has all that it wants.
process.on("disconnect", () => process.exit());

const stop = new AbortController();
process.on("message", (message: EngineRequest | "stop") => {
  if (message === "stop") return stop.abort();
  runFor(message, stop.signal)
    .catch((error: unknown) => {
      const { code, message: what, hint } = asMillraceError(error);
      send({ kind: "failed", message: `${code}: ${what} ${hint}` });
      process.exitCode = 1;
    })
    .finally(() => process.disconnect());
});
