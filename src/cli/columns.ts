import type { Paint } from "./paint.ts";
import { cut, fit, textWidth } from "./text-width.ts";

export interface Cell {
  readonly text: string;
  readonly paint?: Paint;
}

export interface ColumnRule {
  readonly align: "left" | "right";
  /** A narrow terminal loses the column with the lowest number first. */
  readonly keep: number;
  readonly widthMax?: number;
  /** It may be cut down to this before a column that is worth keeping is lost. */
  readonly widthMin?: number;
}

/** Columns kept for no more than this are ornaments: they go before anything is cut. */
const ORNAMENT = 1;

const GAP = 2;

/** Rows of cells as aligned lines, none wider than `width`. Columns in which no row has anything take no room. */
export function alignColumns(
  rows: readonly (readonly Cell[])[],
  rules: readonly ColumnRule[],
  width: number,
): readonly string[] {
  const widths = rules.map(({ widthMax = Number.POSITIVE_INFINITY }, column) =>
    Math.min(widthMax, Math.max(0, ...rows.map((row) => textWidth(row[column]?.text ?? "")))),
  );
  let shown = rules.map((_, column) => column).filter((column) => widths[column]! > 0);
  const excess = (): number => shown.reduce((sum, column) => sum + widths[column]! + GAP, -GAP) - width;
  while (shown.length > 1 && excess() > 0) {
    const least = shown.reduce((a, b) => (rules[b]!.keep < rules[a]!.keep ? b : a));
    const elastic = shown.find((column) => widths[column]! - (rules[column]!.widthMin ?? widths[column]!) >= excess());
    if (elastic !== undefined && rules[least]!.keep > ORNAMENT) widths[elastic]! -= excess();
    else shown = shown.filter((column) => column !== least);
  }
  return rows.map((row) => joinCells(row, shown, rules, widths, width));
}

function joinCells(
  row: readonly Cell[],
  shown: readonly number[],
  rules: readonly ColumnRule[],
  widths: readonly number[],
  width: number,
): string {
  const last = shown.findLast((column) => (row[column]?.text ?? "") !== "");
  let line = "";
  let used = 0;
  for (const column of shown) {
    const { text, paint } = row[column] ?? { text: "" };
    const gap = used === 0 ? "" : " ".repeat(GAP);
    const fitted = fit(text, widths[column]!, rules[column]!.align);
    const room = cut(column === last ? fitted.trimEnd() : fitted, Math.max(0, width - used - gap.length));
    line += gap + (paint === undefined ? room : paint(room));
    used += gap.length + textWidth(room);
    if (column === last) break;
  }
  return line;
}
