import type { Ambient } from "../core/ambient.ts";
import { asMillraceError } from "../core/errors.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import { initialState, reduce, type PipelineState } from "../core/pipeline-state.ts";
import type { TableId } from "../core/table-schema.ts";
import type { LogLevel } from "../observe/logger.ts";
import { StatusFile } from "../observe/status-file.ts";
import { runPipeline } from "../pipeline/compose.ts";
import { loadPipeline } from "../pipeline/load.ts";
import type { PipelineSpec } from "../pipeline/spec.ts";
import { commandAmbient, type LogFormat } from "./command-ambient.ts";
import { EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED } from "./exit-code.ts";
import { LineView } from "./line-view.ts";
import { LiveView } from "./live-view.ts";
import type { RunEnding, RunView } from "./run-view.ts";
import { StopSignals } from "./stop-signals.ts";
import type { Surroundings } from "./surroundings.ts";

export interface RunOptions {
  readonly until: "caught-up" | null;
  /** Null: `info` where lines are written, `warn` beside the progress view. */
  readonly logLevel: LogLevel | null;
  /** Null: plain on a terminal, else JSON. */
  readonly logFormat: LogFormat | null;
  readonly takeOver: boolean;
  readonly resnapshot: readonly TableId[];
}

/** `run FILE`: runs the pipeline here, until it is told to stop, has caught up (`--until caught-up`) or fails. */
export async function runCommand(file: string, options: RunOptions, surroundings: Surroundings): Promise<number> {
  const spec = await loadPipeline(file, surroundings.environment);
  const view = chooseView(spec.name, surroundings);
  const level = options.logLevel ?? (surroundings.out.isTerminal ? "warn" : "info");
  const format = options.logFormat ?? (surroundings.err.isTerminal ? "plain" : "json");
  const ambient = commandAmbient({ level, format, sink: view.log }, surroundings);
  const progress = new RunProgress(spec, view, ambient, surroundings.pid);
  using signals = new StopSignals(surroundings, () => progress.show("interrupted"));
  await using _ = progress;
  try {
    const outcome = await runPipeline(spec, {
      ambient,
      events: (event) => progress.event(event),
      stop: signals.stop,
      until: options.until,
      takeOver: options.takeOver,
      resnapshot: options.resnapshot,
    });
    progress.ended({ kind: "stopped" }, ENDINGS[outcome.kind]);
    if (outcome.kind === "stopped") return signals.received === "SIGINT" ? EXIT_INTERRUPTED : EXIT_DONE;
    return outcome.stoppedTables.length > 0 ? EXIT_FAILED : EXIT_DONE;
  } catch (error) {
    progress.ended({ kind: "failed", error: asMillraceError(error) }, "failed");
    throw error;
  }
}

const ENDINGS: Readonly<Record<Awaited<ReturnType<typeof runPipeline>>["kind"], RunEnding>> = {
  stopped: "stopped",
  "caught-up": "caught up",
  "snapshot-done": "done with its snapshot",
};

function chooseView(pipeline: string, { out, err }: Surroundings): RunView {
  if (!out.isTerminal) return new LineView(out, err, pipeline);
  const live = new LiveView(out, pipeline);
  // A log that goes elsewhere does not stand above the frame.
  return err.isTerminal ? live : withLog(live, err);
}

function withLog(view: RunView, log: RunView["log"]): RunView {
  return {
    intervalMs: view.intervalMs,
    log,
    event: (...given) => view.event(...given),
    tick: (...given) => view.tick(...given),
    end: (...given) => view.end(...given),
  };
}

/** Folds the run's events into its state, and shows it: on the screen and in the status file. */
class RunProgress implements AsyncDisposable {
  readonly #spec: PipelineSpec;
  readonly #view: RunView;
  readonly #ambient: Ambient;
  readonly #pid: number;
  readonly #ticking = new AbortController();
  readonly #ticks: Promise<void>;
  #state: PipelineState;
  #file: StatusFile | null = null;
  #shown = false;

  constructor(spec: PipelineSpec, view: RunView, ambient: Ambient, pid: number) {
    this.#spec = spec;
    this.#view = view;
    this.#ambient = ambient;
    this.#pid = pid;
    this.#state = initialState(ambient.clock.nowMs());
    this.#ticks = this.#tick();
  }

  event(event: PipelineEvent): void {
    if (this.#shown) return;
    const nowMs = this.#ambient.clock.nowMs();
    this.#state = reduce(this.#state, event, nowMs);
    this.#view.event(event, this.#state, nowMs);
    // Before that the checkpoint store may turn out to be another process's, whose status file it then is.
    if (this.#file === null && !["starting", "notice", "failed", "stopped"].includes(event.kind)) this.#openFile();
    this.#file?.update(this.#state);
  }

  /** The run is over, whether or not it said so itself. */
  ended(event: Extract<PipelineEvent, { readonly kind: "stopped" | "failed" }>, ending: RunEnding): void {
    this.event(event);
    const mine = event.kind !== "failed" || event.error.code !== "CHECKPOINT_LOCKED";
    if (this.#file === null && mine) this.#openFile();
    this.#file?.update(this.#state);
    this.show(ending);
  }

  /** Shows the end, once. */
  show(ending: RunEnding): void {
    if (this.#shown) return;
    this.#shown = true;
    this.#ticking.abort();
    this.#view.end(ending, this.#state, this.#ambient.clock.nowMs());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.show("interrupted");
    await this.#ticks;
    await this.#file?.[Symbol.asyncDispose]();
  }

  #openFile(): void {
    const of = { folder: this.#spec.folder, pipeline: this.#spec.name, pid: this.#pid, state: this.#state };
    this.#file = new StatusFile(of, this.#ambient.clock, this.#ambient.logger);
  }

  async #tick(): Promise<void> {
    const { clock } = this.#ambient;
    const { signal } = this.#ticking;
    while (!signal.aborted) {
      this.#view.tick(this.#state, clock.nowMs());
      await clock.sleep(this.#view.intervalMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }
}
