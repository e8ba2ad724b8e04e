import { writeFile } from "node:fs/promises";
import { MillraceError } from "../core/errors.ts";
import type { HistoryPart, TablePart } from "../core/record.ts";
import { loadPipeline } from "../pipeline/load.ts";
import type { PipelineSpec } from "../pipeline/spec.ts";
import {
  adoptState,
  exportState,
  importState,
  readHistory,
  readState,
  resetState,
  type PipelineState,
} from "../pipeline/state.ts";
import { alignColumns, type ColumnRule } from "./columns.ts";
import { quietAmbient } from "./command-ambient.ts";
import { EXIT_DONE } from "./exit-code.ts";
import { bytes, count, plural } from "./quantity.ts";
import { StopSignals } from "./stop-signals.ts";
import type { Surroundings } from "./surroundings.ts";
import { tableArgument } from "./table-argument.ts";
import { printable } from "./text-width.ts";

export interface StateOptions {
  readonly json: boolean;
  readonly takeOver: boolean;
}

/** What `millrace state ACTION FILE …` does, by its action. */
export type StateAction =
  | { readonly kind: "show" | "history" | "adopt" }
  | { readonly kind: "export" | "import"; readonly path: string }
  | { readonly kind: "reset"; readonly tables: readonly string[] };

/** What an action has to say: as lines for people, or as one JSON value. */
interface Answer {
  readonly lines: readonly string[];
  readonly json: unknown;
}

/** `state …`: looks at a pipeline's state, moves it, or changes what the next run begins with. */
export async function stateCommand(
  file: string,
  action: StateAction,
  options: StateOptions,
  surroundings: Surroundings,
): Promise<number> {
  const spec = await loadPipeline(file, surroundings.environment);
  using signals = new StopSignals(surroundings);
  const { out } = surroundings;
  const done = answer(spec, action, options, surroundings, signals.stop).then(({ lines, json }) => {
    out.write(
      options.json ? `${JSON.stringify(json, null, 2)}\n` : lines.map((line) => `${printable(line)}\n`).join(""),
    );
    return EXIT_DONE;
  });
  return await signals.exitCodeOf(done);
}

async function answer(
  spec: PipelineSpec,
  action: StateAction,
  { takeOver }: StateOptions,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Answer> {
  const ambient = quietAmbient(surroundings);
  const opening = { signal, takeOver };
  switch (action.kind) {
    case "show":
      return shown(await readState(spec, ambient, signal));
    case "history":
      return history(await readHistory(spec, ambient, signal));
    case "adopt": {
      const { epoch, token } = await adoptState(spec, ambient, opening);
      const line =
        epoch === 0
          ? "the sink holds nothing of this pipeline: it begins anew"
          : `the checkpoint is at epoch ${count(epoch)}, as the sink`;
      return { lines: [line], json: { epoch, token } };
    }
    case "export": {
      const content = await exportState(spec, ambient, opening);
      await writeState(action.path, content);
      return { lines: [`exported to ${action.path}`], json: { path: action.path } };
    }
    case "import": {
      const epoch = await importState(spec, action.path, ambient, opening);
      return { lines: [`imported epoch ${count(epoch)}`], json: { epoch } };
    }
    case "reset": {
      const all = action.tables.length === 1 && action.tables[0] === "all";
      const tables = await resetState(spec, all ? "all" : action.tables.map(tableArgument), ambient, opening);
      return { lines: tables.map((table) => `${table} begins anew with the next run`), json: { tables } };
    }
  }
}

/** Never over a file that is there. */
async function writeState(path: string, content: string): Promise<void> {
  try {
    await writeFile(path, content, { flag: "wx", mode: 0o600 });
  } catch (error) {
    throw new MillraceError("USAGE", `${path} cannot be written: ${(error as Error).message}`, {
      hint: "Name a file that is not there yet, in a folder that is.",
    });
  }
}

const TABLE_RULES: readonly ColumnRule[] = [
  { align: "left", keep: 9 },
  { align: "left", keep: 8 },
  { align: "right", keep: 7 },
  { align: "left", keep: 6 },
];

function shown({ pipeline, store, record }: PipelineState): Answer {
  if (record === null)
    return { lines: [`${store} holds nothing of ${pipeline}`], json: { pipeline, store, record: null } };
  const { content, ...facts } = record;
  const tables = [...content.tables]
    .map(([table, { incarnation, state }]) => ({ table, incarnation, state }))
    .sort((a, b) => (a.table < b.table ? -1 : 1));
  const rows = tables.map(({ table, incarnation, state }) => [
    { text: printable(table) },
    { text: state.kind },
    { text: `incarnation ${incarnation}` },
    { text: tableDetail(state) },
  ]);
  const lines = [
    `pipeline    ${pipeline}`,
    `store       ${store}`,
    `epoch       ${count(record.epoch)}, under token ${count(record.token)}; epoch ${count(record.confirmedEpoch)} is surely in the sink`,
    `position    ${record.position ?? "none yet"}`,
    `size        ${bytes(record.bytes)}`,
    "",
    ...alignColumns(rows, TABLE_RULES, Number.POSITIVE_INFINITY),
  ];
  return { lines, json: { pipeline, store, record: { ...facts, tables } } };
}

function tableDetail(state: TablePart["state"]): string {
  switch (state.kind) {
    case "planned":
      return "";
    case "streaming":
      return plural(state.rows, "row");
    case "stopped":
      return `${state.code} at ${state.at}`;
    case "snapshotting":
      return state.progress === null
        ? ""
        : `${plural(state.progress.rows, "row")} in ${plural(state.progress.done.length, "range")}`;
  }
}

const HISTORY_RULES: readonly ColumnRule[] = [
  { align: "right", keep: 9 },
  { align: "left", keep: 8 },
  { align: "right", keep: 7 },
  { align: "left", keep: 6 },
];

function history(epochs: readonly HistoryPart[]): Answer {
  const rows = epochs.map(({ epoch, atMs, rows: delivered, position }) => [
    { text: `epoch ${count(epoch)}` },
    { text: new Date(atMs).toISOString() },
    { text: plural(delivered, "row") },
    { text: printable(position) },
  ]);
  const lines = rows.length === 0 ? ["no epoch yet"] : alignColumns(rows, HISTORY_RULES, Number.POSITIVE_INFINITY);
  return { lines, json: epochs };
}
