import { lagMs, type PipelineState, type TableProgress } from "../core/pipeline-state.ts";
import { changesOf, type Pace } from "../observe/progress-meter.ts";
import { alignColumns, type Cell, type ColumnRule } from "./columns.ts";
import type { Palette } from "./paint.ts";
import { compact, count, duration, plural, remaining } from "./quantity.ts";
import { cut, printable } from "./text-width.ts";

export interface FrameInput {
  readonly pipeline: string;
  readonly state: PipelineState;
  readonly pace: Pace;
  readonly nowMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly palette: Palette;
}

/** Lines of the frame that are no table. */
const OTHER_LINES = 4;
const BAR_WIDTH = 12;

const RULES: readonly ColumnRule[] = [
  { align: "left", keep: 9, widthMax: 40, widthMin: 20 }, // name
  { align: "left", keep: 8 }, // life
  { align: "left", keep: 2 }, // bar
  { align: "right", keep: 7 }, // percent
  { align: "right", keep: 6 }, // rows
  { align: "right", keep: 3 }, // chunks
  { align: "right", keep: 5 }, // rows/s
  { align: "right", keep: 4 }, // time left
  { align: "right", keep: 1 }, // changes
];

/** The progress view as it should stand now: a line per table, then the pipeline's own. None is wider than the terminal. */
export function progressFrame(input: FrameInput): readonly string[] {
  const { state, columns, palette } = input;
  // A line as wide as the terminal makes some of them wrap.
  const width = Math.max(10, columns - 1);
  const entries = [...state.facts.tables].toSorted(byInterest);
  const shown = entries.slice(0, Math.max(1, input.rows - OTHER_LINES - 1));
  const lines = [
    ...alignColumns(
      shown.map(([id, table]) => tableCells(id, table, input)),
      RULES,
      width,
    ),
  ];
  if (shown.length < entries.length) lines.push(palette.dim(cut(hiddenTables(entries.slice(shown.length)), width)));
  lines.push(...stoppedReasons(shown, width, palette).slice(0, Math.max(0, input.rows - OTHER_LINES - lines.length)));
  if (lines.length > 0) lines.push("");
  const { waitingOn } = state.facts;
  if (waitingOn !== null) lines.push(palette.yellow(cut(`waiting for ${printable(waitingOn)}`, width)));
  lines.push(cut(pipelineLine(input), width));
  return lines;
}

type Entry = readonly [string, TableProgress];
const ORDER = { stopped: 0, snapshotting: 1, planned: 2, streaming: 3 } as const;

/** What somebody may have to act on first, then what moves; each by name. */
function byInterest([a, left]: Entry, [b, right]: Entry): number {
  return ORDER[left.life.kind] - ORDER[right.life.kind] || (a < b ? -1 : 1);
}

function tableCells(id: string, table: TableProgress, { pace, palette }: FrameInput): readonly Cell[] {
  const name = { text: printable(id) };
  const snapshotting = table.life.kind === "snapshotting";
  const share = snapshotting ? doneShare(table) : null;
  const rate = snapshotting ? (pace.rowsPerSecond.get(id) ?? 0) : 0;
  const eta = pace.etaMs.get(id);
  return [
    name,
    lifeCell(table, palette),
    { text: share === null ? "" : bar(share), paint: palette.cyan },
    { text: share === null ? "" : `${Math.floor(share * 100)}%` },
    { text: rowsText(table) },
    { text: snapshotting ? chunksText(table) : "", paint: palette.dim },
    { text: rate >= 1 ? `${compact(rate)}/s` : "" },
    { text: eta === undefined ? "" : `${remaining(eta)} left` },
    {
      text: table.changes > 0 ? `${compact(table.changes)} ${table.changes === 1 ? "change" : "changes"}` : "",
      paint: palette.dim,
    },
  ];
}

function lifeCell({ life }: TableProgress, palette: Palette): Cell {
  switch (life.kind) {
    case "planned":
      return { text: "planned", paint: palette.dim };
    case "snapshotting":
      return { text: "snapshot", paint: palette.cyan };
    case "streaming":
      return { text: "streaming", paint: palette.green };
    case "stopped":
      return { text: "stopped", paint: palette.red };
  }
}

/** Estimates are estimates: nothing is done before it is. */
export function doneShare(table: TableProgress): number | null {
  if (table.rowsEstimate === null || table.rowsEstimate <= 0) return null;
  return Math.min(0.99, table.rowsDone / table.rowsEstimate);
}

function bar(share: number): string {
  const eighths = Math.floor(share * BAR_WIDTH * 8);
  const full = "█".repeat(eighths >> 3);
  const part = eighths & 7 ? "▏▎▍▌▋▊▉"[(eighths & 7) - 1]! : "";
  return (full + part).padEnd(BAR_WIDTH, "·");
}

function rowsText({ life, rowsDone, rowsEstimate }: TableProgress): string {
  if (life.kind === "planned") return "";
  if (life.kind !== "snapshotting" || rowsEstimate === null)
    return `${compact(rowsDone)} ${rowsDone === 1 ? "row" : "rows"}`;
  return `${compact(rowsDone)}/${compact(rowsEstimate)} rows`;
}

function chunksText({ chunksDone, chunksEstimate, chunksInFlight }: TableProgress): string {
  const of = chunksEstimate === null ? "" : `/${Math.max(chunksEstimate, chunksDone + chunksInFlight)}`;
  return `${chunksDone}${of} chunks${chunksInFlight > 0 ? ` +${chunksInFlight}` : ""}`;
}

function hiddenTables(hidden: readonly Entry[]): string {
  const kinds = ["stopped", "snapshotting", "planned", "streaming"] as const;
  const counted = kinds.map((kind) => [kind, hidden.filter(([, table]) => table.life.kind === kind).length] as const);
  const parts = counted.filter(([, many]) => many > 0).map(([kind, many]) => `${many} ${kind}`);
  return `and ${plural(hidden.length, "more table")}: ${parts.join(", ")}`;
}

function stoppedReasons(shown: readonly Entry[], width: number, palette: Palette): readonly string[] {
  return shown.flatMap(([id, { life }]) =>
    life.kind === "stopped" ? [palette.red(cut(printable(`${id}: ${life.code}: ${life.message}`), width))] : [],
  );
}

function pipelineLine({ pipeline, state, pace, nowMs }: FrameInput): string {
  const { facts } = state;
  const parts = [`${pipeline} ${stateWord(state)}`];
  if (facts.logPosition !== null || facts.committed !== null) parts.push(`lag ${duration(lagMs(facts, nowMs))}`);
  if (changesOf(facts) > 0) parts.push(`${compact(pace.changesPerSecond)} changes/s`);
  if (facts.committed !== null)
    parts.push(`epoch ${count(facts.committed.epoch)}`, printable(facts.committed.position));
  return parts.join(" · ");
}

/** The state in a word or, while it starts, in the words of its step. */
export function stateWord(state: PipelineState): string {
  switch (state.kind) {
    case "starting":
      return `starting: ${printable(state.step)}`;
    case "running":
    case "stopped":
      return state.kind;
    case "stopping":
      return "stopping: finishing the epoch (once more to stop at once)";
    case "failed":
      return `failed: ${state.error.code}`;
  }
}
