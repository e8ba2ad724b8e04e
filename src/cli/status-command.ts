import type { Ambient } from "../core/ambient.ts";
import { asMillraceError } from "../core/errors.ts";
import { readStatusFile } from "../observe/status-file.ts";
import { recordedPosition, sourceStatus, storedRecord } from "../pipeline/compose.ts";
import { loadPipeline } from "../pipeline/load.ts";
import { sinkStatus } from "../pipeline/sink-status.ts";
import type { PipelineSpec } from "../pipeline/spec.ts";
import { workersReport } from "../pipeline/work.ts";
import { quietAmbient } from "./command-ambient.ts";
import { EXIT_DONE } from "./exit-code.ts";
import { statusLines } from "./status-lines.ts";
import { statusReport, type SourceReport, type StatusReport } from "./status-report.ts";
import { StopSignals } from "./stop-signals.ts";
import type { Surroundings } from "./surroundings.ts";

export interface StatusOptions {
  readonly json: boolean;
  readonly watch: boolean;
}

const WATCH_EVERY_MS = 1000;
const CLEAR = "\u001b[H\u001b[2J";

/** `status FILE`: what is known of the pipeline, whether it runs or not. `--watch` shows it anew each second, until Ctrl-C. */
export async function statusCommand(file: string, options: StatusOptions, surroundings: Surroundings): Promise<number> {
  const spec = await loadPipeline(file, surroundings.environment);
  using signals = new StopSignals(surroundings);
  const ambient = quietAmbient(surroundings);
  for (;;) {
    const report = await askStatus(spec, ambient, signals.stop, surroundings);
    if (signals.stop.aborted) return EXIT_DONE;
    show(report, options, ambient.clock.nowMs(), surroundings);
    if (!options.watch) return EXIT_DONE;
    await ambient.clock.sleep(WATCH_EVERY_MS, signals.stop).catch((error: unknown) => {
      if (!signals.stop.aborted) throw error;
    });
  }
}

async function askStatus(
  spec: PipelineSpec,
  ambient: Ambient,
  signal: AbortSignal,
  surroundings: Surroundings,
): Promise<StatusReport> {
  const [document, stored, source, workers] = await Promise.all([
    readStatusFile(spec.folder),
    storedRecord(spec, ambient, signal).then(
      (record) => ({ record, problem: null }),
      (error: unknown) => ({ record: null, problem: asMillraceError(error) }),
    ),
    sourceReport(spec, ambient, signal),
    workersReport(spec, signal),
  ]);
  const { problem, record } = stored;
  const position = await recordedPosition(spec, record, ambient);
  return statusReport({
    pipeline: spec.name,
    document,
    record,
    position,
    checkpointProblem: problem === null ? null : { code: problem.code, message: problem.message },
    sink: sinkStatus(spec, record),
    source,
    workers,
    nowMs: ambient.clock.nowMs(),
    isAlive: (pid) => surroundings.isAlive(pid),
  });
}

/** A source that cannot be reached is part of the answer: everything else is shown all the same. */
async function sourceReport(spec: PipelineSpec, ambient: Ambient, signal: AbortSignal): Promise<SourceReport> {
  try {
    return { kind: "reachable", status: await sourceStatus(spec, ambient, signal) };
  } catch (error) {
    const { code, message } = asMillraceError(error);
    return { kind: "unreachable", code, message };
  }
}

function show(report: StatusReport, { json, watch }: StatusOptions, nowMs: number, { out }: Surroundings): void {
  if (json) {
    out.write(`${watch ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
    return;
  }
  // What goes into a pipe or a file is not cut to the width of some terminal.
  const columns = out.isTerminal ? out.size().columns : Number.POSITIVE_INFINITY;
  const lines = statusLines(report, nowMs, columns, out.palette);
  out.write(`${watch && out.isTerminal ? CLEAR : ""}${lines.join("\n")}\n${watch && !out.isTerminal ? "\n" : ""}`);
}
