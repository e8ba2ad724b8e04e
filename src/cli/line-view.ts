import { lagMs, type PipelineFacts, type PipelineState, type TableProgress } from "../core/pipeline-state.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { TableId } from "../core/table-schema.ts";
import type { LineSink } from "../observe/logger.ts";
import { changesOf, ProgressMeter, type Pace } from "../observe/progress-meter.ts";
import { doneShare } from "./progress-frame.ts";
import { count, duration, plural } from "./quantity.ts";
import { runSummary } from "./run-summary.ts";
import type { RunEnding, RunView } from "./run-view.ts";
import type { Screen } from "./surroundings.ts";
import { printable } from "./text-width.ts";

const REPORT_EVERY_MS = 10_000;

/** Tables that a start has a line each for. */
const TABLES_LISTED_MAX = 20;

/**
 * The view for a pipe or a log file: a line for what happens, and every ten seconds one for what goes on. What becomes of the
 * tables at the start is said when it is through, and of many tables in a line for all.
 */
export class LineView implements RunView {
  readonly intervalMs = 1000;
  readonly log: LineSink;
  readonly #out: Screen;
  readonly #pipeline: string;
  readonly #meter = new ProgressMeter();
  readonly #lives = new Map<string, string>();
  /** Of the tables, while the run starts. */
  readonly #starting = new Map<TableId, string | null>();
  #kind: PipelineState["kind"] | null = null;
  #reportedMs: number | null = null;

  constructor(out: Screen, log: LineSink, pipeline: string) {
    this.#out = out;
    this.log = log;
    this.#pipeline = pipeline;
  }

  event(event: PipelineEvent, state: PipelineState, nowMs: number): void {
    this.#reportedMs ??= nowMs;
    if (event.kind === "notice") this.#say(nowMs, event.text);
    else if (event.kind === "starting" && state.kind === "starting") this.#say(nowMs, event.step);
    else if (event.kind === "waiting" && event.on !== null) this.#say(nowMs, `waiting for ${event.on}`);
    else if (event.kind === "table") this.#table(event.table, state, nowMs);
    if (state.kind !== this.#kind && (state.kind === "running" || state.kind === "stopping")) {
      this.#sayStarted(state, nowMs);
      this.#say(nowMs, state.kind);
    }
    this.#kind = state.kind;
  }

  tick(state: PipelineState, nowMs: number): void {
    const pace = this.#meter.observe(state, nowMs);
    if (this.#reportedMs === null || nowMs - this.#reportedMs < REPORT_EVERY_MS) return;
    this.#reportedMs = nowMs;
    for (const [id, table] of state.facts.tables)
      if (table.life.kind === "snapshotting") this.#say(nowMs, snapshotLine(id, table, pace));
    const { facts } = state;
    if (facts.committed === null) return;
    const { epoch, position } = facts.committed;
    this.#say(
      nowMs,
      `lag ${duration(lagMs(facts, nowMs))}, ${count(pace.changesPerSecond)} changes/s, ` +
        `${plural(changesOf(facts), "change")} so far, epoch ${count(epoch)} at ${position}`,
    );
  }

  end(ending: RunEnding, state: PipelineState, nowMs: number): void {
    this.#sayStarted(state, nowMs);
    for (const line of runSummary(this.#pipeline, ending, state, nowMs)) this.#say(nowMs, line);
  }

  #table(id: TableId, state: PipelineState, nowMs: number): void {
    const table = state.facts.tables.get(id)!;
    const key = `${table.life.kind} ${table.incarnation}`;
    const before = this.#lives.get(id);
    if (before === key) return;
    this.#lives.set(id, key);
    const line = tableLine(id, table, before !== undefined && /^(planned|snapshotting) /.test(before));
    if (state.kind === "starting") this.#starting.set(id, line);
    else if (line !== null) this.#say(nowMs, line);
  }

  #sayStarted({ facts: { tables } }: PipelineState, nowMs: number): void {
    const listed =
      this.#starting.size <= TABLES_LISTED_MAX
        ? [...this.#starting.values()]
        : [summary(tables), ...[...this.#starting].flatMap(([id, line]) => (isStopped(tables, id) ? [line] : []))];
    for (const line of listed) if (line !== null) this.#say(nowMs, line);
    this.#starting.clear();
  }

  #say(nowMs: number, text: string): void {
    this.#out.write(`${new Date(nowMs).toTimeString().slice(0, 8)} ${printable(text)}\n`);
  }
}

/** Null: there is nothing to say of it yet. `known`: it had a snapshot to come or under way. */
function tableLine(id: string, { life, rowsDone }: TableProgress, known: boolean): string | null {
  switch (life.kind) {
    case "planned":
      return null;
    case "snapshotting":
      return `table ${id}: snapshot${rowsDone > 0 ? ` goes on behind ${count(rowsDone)} rows` : " begins"}`;
    case "streaming":
      return `table ${id}: ${known ? `snapshot done, ${plural(rowsDone, "row")}; ` : ""}streaming`;
    case "stopped":
      return `table ${id}: stopped at ${life.at}: ${life.code}: ${life.message}`;
  }
}

/** All tables by what they are at: the stopped ones have lines of their own. */
function summary(tables: PipelineFacts["tables"]): string {
  const lives = [...tables].map(([, { life }]) => life.kind);
  const parts = (["planned", "snapshotting", "streaming", "stopped"] as const).flatMap((kind) => {
    const of = lives.filter((life) => life === kind).length;
    return of === 0 ? [] : [`${count(of)} ${kind}`];
  });
  return `${plural(lives.length, "table")}: ${parts.join(", ")}`;
}

function isStopped(tables: PipelineFacts["tables"], id: TableId): boolean {
  return tables.get(id)?.life.kind === "stopped";
}

function snapshotLine(id: string, table: TableProgress, pace: Pace): string {
  const share = doneShare(table);
  const of = table.rowsEstimate === null ? "" : ` of about ${count(table.rowsEstimate)}`;
  const percent = share === null ? "" : ` (${Math.floor(share * 100)}%)`;
  const eta = pace.etaMs.get(id);
  const left = eta === undefined ? "" : `, about ${duration(eta)} left`;
  return `table ${id}: ${count(table.rowsDone)}${of} rows${percent}, ${count(pace.rowsPerSecond.get(id) ?? 0)} rows/s${left}`;
}
