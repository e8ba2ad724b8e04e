import { alignColumns, type ColumnRule } from "./columns.ts";
import type { Paint, Palette } from "./paint.ts";
import { stateWord } from "./progress-frame.ts";
import { bytes, count, duration, plural } from "./quantity.ts";
import type { SinkStatus } from "../pipeline/sink-status.ts";
import type { WorkersReport } from "../pipeline/work.ts";
import type { SourceReport, StatusReport, TableReport } from "./status-report.ts";
import { fit, printable, textWidth } from "./text-width.ts";

const LABEL_WIDTH_MIN = 11;
const LEASES_SHOWN_MAX = 16;
const RULES: readonly ColumnRule[] = [
  { align: "left", keep: 9, widthMin: 20 },
  { align: "left", keep: 8 },
  { align: "right", keep: 7 },
  { align: "right", keep: 6 },
];

/** The report for people. No line is wider than the terminal but for messages, which may wrap. */
export function statusLines(report: StatusReport, nowMs: number, columns: number, palette: Palette): readonly string[] {
  const { run } = report;
  const facts: (readonly [string, string])[] = [
    ["pipeline", report.pipeline],
    ["run", runText(report, nowMs)],
  ];
  if (run.kind !== "never" && run.state.kind === "failed")
    facts.push(["", run.state.error.message], ["", `hint: ${run.state.error.hint}`]);
  if (run.kind !== "never" && run.state.facts.waitingOn !== null) facts.push(["waiting", run.state.facts.waitingOn]);
  facts.push(["committed", committedText(report, nowMs)]);
  if (report.lagMs !== null) facts.push(["lag", duration(report.lagMs)]);
  facts.push(["sink", sinkText(report.sink)], ...sourceFacts(report.source));
  facts.push(...workerFacts(report.workers, nowMs));
  const labelWidth = Math.max(LABEL_WIDTH_MIN, ...facts.map(([name]) => textWidth(name) + 1));
  const lines = facts.map(([name, text]) => palette.dim(fit(printable(name), labelWidth, "left")) + printable(text));
  if (report.tables.length > 0) lines.push("", ...tableLines(report.tables, columns, palette));
  return lines;
}

function runText({ run, committed }: StatusReport, nowMs: number): string {
  if (run.kind === "never")
    return committed === null ? "has not run yet" : "no run has left its status in the checkpoint store";
  const { pid, state, updatedAtMs } = run;
  const ago = `${duration(Math.max(0, nowMs - updatedAtMs))} ago`;
  switch (run.kind) {
    case "running":
      return `${stateWord(state)} (process ${pid}, for ${duration(Math.max(0, nowMs - state.facts.startedAtMs))})`;
    case "silent":
      return `${stateWord(state)}, but process ${pid} said so ${ago} and nothing since: it hangs, or is another program by now`;
    case "gone":
      return `ended without a last word: process ${pid} is gone, last heard of ${ago}; run it again, it goes on from the last epoch`;
    case "ended":
      return `${stateWord(state)} ${ago}`;
  }
}

function committedText({ committed, checkpointProblem, run }: StatusReport, nowMs: number): string {
  if (checkpointProblem !== null) return `${checkpointProblem.code}: ${checkpointProblem.message}`;
  if (committed === null) return "nothing yet";
  const base = `epoch ${count(committed.epoch)}, up to ${committed.position ?? "the start"}`;
  const last = run.kind === "never" ? null : run.state.facts.committed;
  if (last === null) return base;
  const ago = duration(Math.max(0, nowMs - last.atMs));
  return `${base}; the last one ${ago} ago, ${plural(last.rows, "row")} in ${duration(last.tookMs)}`;
}

function sinkText({ type, place, files }: SinkStatus): string {
  const where = place === null ? type : `${type} ${place}`;
  if (files === null) return where;
  const held = files.count === 0 ? "no file" : `${plural(files.count, "file")}, ${bytes(files.bytes)}`;
  return `${where}; in the last epoch ${held}`;
}

function sourceFacts(source: SourceReport): readonly (readonly [string, string])[] {
  if (source.kind === "unreachable") return [["source", `not reached: ${source.code}: ${source.message}`]];
  const { head, retainedBytes, facts } = source.status;
  const found: (readonly [string, string])[] = [];
  if (head !== null) found.push(["source", `at ${head}`]);
  if (retainedBytes !== null) found.push(["kept back", `${bytes(retainedBytes)} of log`]);
  return [...found, ...facts.map(({ name, value }) => [name, value] as const)];
}

function workerFacts(report: WorkersReport | null, nowMs: number): readonly (readonly [string, string])[] {
  if (report === null) return [];
  if (report.kind === "unreachable") return [["workers", `not known: ${report.code}: ${report.message}`]];
  const { workers, leases, waiting } = report;
  const names = workers.length === 0 ? "none" : `${workers.length}: ${workers.join(", ")}`;
  const lost = leases.reduce((sum, { workersLost }) => sum + workersLost, 0);
  const again = leases.filter(({ attempt, workersLost }) => attempt > 1 || workersLost > 0).length;
  const counts = [
    `${plural(leases.length, "chunk")} being read, ${count(waiting)} waiting`,
    ...(again > 0 ? [`${count(again)} not for the first time`] : []),
    ...(lost > 0 ? [`${plural(lost, "worker")} lost over them`] : []),
  ];
  const held = leases.slice(0, LEASES_SHOWN_MAX).map((lease): readonly [string, string] => {
    return [
      "",
      `${lease.chunk} of ${lease.table}: ${lease.worker ?? "?"} for ${duration(Math.max(0, nowMs - lease.sinceMs))}${lease.silent ? ", not heard of" : ""}`,
    ];
  });
  return [["workers", names], ["leases", counts.join("; ")], ...held];
}

function tableLines(tables: readonly TableReport[], columns: number, palette: Palette): readonly string[] {
  const paints: Readonly<Record<TableReport["life"]["kind"], Paint>> = {
    planned: palette.dim,
    snapshotting: palette.cyan,
    streaming: palette.green,
    stopped: palette.red,
  };
  const rows = tables.map((table) => [
    { text: printable(table.table) },
    { text: table.life.kind, paint: paints[table.life.kind] },
    { text: rowsText(table) },
    { text: table.changes === null || table.changes === 0 ? "" : plural(table.changes, "change"), paint: palette.dim },
  ]);
  const reasons = tables.flatMap(({ table, life }) =>
    life.kind === "stopped" ? [palette.red(printable(`${table} at ${life.at}: ${life.code}: ${life.message}`))] : [],
  );
  return [...alignColumns(rows, RULES, columns), ...reasons];
}

function rowsText({ life, rowsDone, rowsEstimate }: TableReport): string {
  if (life.kind === "planned") return "";
  if (life.kind !== "snapshotting" || rowsEstimate === null) return plural(rowsDone, "row");
  const percent = rowsEstimate > 0 ? ` (${Math.min(99, Math.floor((rowsDone / rowsEstimate) * 100))}%)` : "";
  return `${count(rowsDone)} of about ${count(rowsEstimate)} rows${percent}`;
}
