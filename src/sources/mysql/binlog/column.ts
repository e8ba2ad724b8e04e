import type { ColumnBuilder } from "../../../core/column-builder.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import { appendBinlogCell, CellForm, type CellPlan } from "./cell.ts";
import { readUint32 } from "./fields.ts";
import { RowImages } from "./row-image.ts";

/** In the place of a cell's beginning: it is not in the image, and has to be. */
export const MISSING = -4;

/** Cells of one column: where their values begin, or a code of `RowImages`, and where they end. */
export class BinlogCells {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Of the cell that stopped `appendBinlogCells`. */
  failure: Outcome = Outcome.done;

  constructor(rows: number) {
    this.starts = new Int32Array(rows);
    this.ends = new Int32Array(rows);
  }
}

/**
 * Appends the cells `[from, end)`, and says where it stopped: at `end`, or at a cell that the column cannot have. Hot: every
 * value of the log goes through one of these loops.
 */
export function appendBinlogCells(
  builder: ColumnBuilder,
  plan: CellPlan,
  b: Uint8Array,
  cells: BinlogCells,
  from: number,
  end: number,
): number {
  builder.reserve(end - from);
  switch (plan.form) {
    case CellForm.int32:
      return plan.width === 4
        ? appendInt32s(builder, b, cells, from, end)
        : appendOthers(builder, plan, b, cells, from, end);
    case CellForm.bigint:
    case CellForm.float64:
      return append64s(builder, b, cells, from, end);
    case CellForm.text:
      return plan.textForm === "utf8"
        ? appendTexts(builder, b, cells, from, end)
        : appendOthers(builder, plan, b, cells, from, end);
    default:
      return appendOthers(builder, plan, b, cells, from, end);
  }
}

/** INT, signed or not, into 32 bits. */
function appendInt32s(builder: ColumnBuilder, b: Uint8Array, cells: BinlogCells, from: number, end: number): number {
  const { starts } = cells;
  const { int32 } = builder;
  for (let i = from; i < end; i++) {
    const start = starts[i]!;
    if (start >= 0) {
      int32[builder.row] = readUint32(b, start);
      builder.next();
    } else if (!appendNothing(builder, cells, start)) return i;
  }
  return end;
}

/** BIGINT and DOUBLE: the server's eight bytes are ours. */
function append64s(builder: ColumnBuilder, b: Uint8Array, cells: BinlogCells, from: number, end: number): number {
  const { starts } = cells;
  const { int32 } = builder;
  for (let i = from; i < end; i++) {
    const start = starts[i]!;
    if (start >= 0) {
      const at = builder.row * 2;
      int32[at] = readUint32(b, start);
      int32[at + 1] = readUint32(b, start + 4);
      builder.next();
    } else if (!appendNothing(builder, cells, start)) return i;
  }
  return end;
}

function appendTexts(builder: ColumnBuilder, b: Uint8Array, cells: BinlogCells, from: number, end: number): number {
  const { starts, ends } = cells;
  for (let i = from; i < end; i++) {
    const start = starts[i]!;
    if (start >= 0) builder.appendBytes(b, start, ends[i]!);
    else if (!appendNothing(builder, cells, start)) return i;
  }
  return end;
}

function appendOthers(
  builder: ColumnBuilder,
  plan: CellPlan,
  b: Uint8Array,
  cells: BinlogCells,
  from: number,
  end: number,
): number {
  const { starts, ends } = cells;
  for (let i = from; i < end; i++) {
    const start = starts[i]!;
    if (start >= 0) {
      const outcome = appendBinlogCell(builder, plan, b, start, ends[i]!);
      if (outcome === Outcome.done) continue;
      cells.failure = outcome;
      return i;
    } else if (!appendNothing(builder, cells, start)) return i;
  }
  return end;
}

/** False: it is a value that has to be there. */
function appendNothing(builder: ColumnBuilder, cells: BinlogCells, code: number): boolean {
  if (code === RowImages.null) builder.appendNull();
  else if (code === RowImages.absent) builder.appendAbsent();
  else {
    cells.failure = Outcome.malformed;
    return false;
  }
  return true;
}
