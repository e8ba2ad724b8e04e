import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { PipelineState } from "../core/pipeline-state.ts";
import type { LineSink } from "../observe/logger.ts";
import { ProgressMeter } from "../observe/progress-meter.ts";
import { progressFrame } from "./progress-frame.ts";
import { runSummary } from "./run-summary.ts";
import type { RunEnding, RunView } from "./run-view.ts";
import type { Screen } from "./surroundings.ts";
import { printable, visibleWidth } from "./text-width.ts";

const ESCAPE = "\u001b[";
const HIDE_CURSOR = `${ESCAPE}?25l`;
const SHOW_CURSOR = `${ESCAPE}?25h`;
const CLEAR_BELOW = `${ESCAPE}0J`;
const up = (lines: number): string => (lines > 0 ? `\r${ESCAPE}${lines}A` : "\r");

/** The view on a terminal: a frame at the bottom that is drawn over itself, above it lines that stay. */
export class LiveView implements RunView {
  readonly intervalMs = 200;
  readonly log: LineSink;
  readonly #screen: Screen;
  readonly #pipeline: string;
  readonly #meter = new ProgressMeter();
  #frame: readonly string[] = [];

  constructor(screen: Screen, pipeline: string) {
    this.#screen = screen;
    this.#pipeline = pipeline;
    this.log = { write: (line) => this.#above(line) };
  }

  event(event: PipelineEvent, state: PipelineState, nowMs: number): void {
    const { dim } = this.#screen.palette;
    if (event.kind === "notice") this.#above(`${dim(printable(event.text))}\n`);
    if (event.kind === "stopping") this.tick(state, nowMs);
  }

  tick(state: PipelineState, nowMs: number): void {
    const { columns, rows } = this.#screen.size();
    const { palette } = this.#screen;
    const pace = this.#meter.observe(state, nowMs);
    const frame = progressFrame({ pipeline: this.#pipeline, state, pace, nowMs, columns, rows, palette });
    this.#screen.write(HIDE_CURSOR + this.#erase() + drawn(frame));
    this.#frame = frame;
  }

  end(ending: RunEnding, state: PipelineState, nowMs: number): void {
    const summary = runSummary(this.#pipeline, ending, state, nowMs).map((line) => `${line}\n`);
    this.#screen.write(this.#erase() + summary.join("") + SHOW_CURSOR);
    this.#frame = [];
  }

  #above(line: string): void {
    this.#screen.write(this.#erase() + line + drawn(this.#frame));
  }

  /** Takes the frame away. In a terminal that became narrower meanwhile, the lines that were longer have wrapped. */
  #erase(): string {
    if (this.#frame.length === 0) return "";
    const { columns } = this.#screen.size();
    const rows = this.#frame.reduce((sum, line) => sum + Math.max(1, Math.ceil(visibleWidth(line) / columns)), 0);
    return up(rows) + CLEAR_BELOW;
  }
}

function drawn(frame: readonly string[]): string {
  return frame.map((line) => `${line}\n`).join("");
}
