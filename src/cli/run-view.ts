import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { PipelineState } from "../core/pipeline-state.ts";
import type { LineSink } from "../observe/logger.ts";

/** How a run ended, in a word: `done with its snapshot`: there was no more to do; `interrupted`: a second signal. */
export type RunEnding = "caught up" | "done with its snapshot" | "stopped" | "failed" | "interrupted";

/** What shows a run to whoever started it. Lines of the log go through it, so that they and the view do not mix. */
export interface RunView {
  /** An event, with the state it led to. */
  event(event: PipelineEvent, state: PipelineState, nowMs: number): void;
  /** Called every `intervalMs`. */
  tick(state: PipelineState, nowMs: number): void;
  readonly intervalMs: number;
  readonly log: LineSink;
  /** Shows the end and leaves the terminal as it was. */
  end(ending: RunEnding, state: PipelineState, nowMs: number): void;
}
