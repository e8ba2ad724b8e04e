import { batchBytes, type ChangeBatch, type Run } from "../core/change-batch.ts";
import type { Op } from "../core/change-batch.ts";
import { ColumnBuilder, type ColumnRoom } from "../core/column-builder.ts";
import type { Column } from "../core/column.ts";
import type { Transaction } from "../core/position.ts";
import type { TableSchema } from "../core/table-schema.ts";
import { sliceColumn } from "./column-slice.ts";

/** A table's batch while it is filled. A row is written into the builders first, and counts from `endRow`. */
export class OpenBatch {
  readonly schema: TableSchema;
  readonly builders: readonly ColumnBuilder[];
  /** Rows ended. */
  length: number = 0;
  readonly #room: readonly ColumnRoom[] | null;
  /** Of the rows before their changes, as far as such have come; null: none has. */
  #before: readonly ColumnBuilder[] | null = null;
  #ops: Uint8Array = new Uint8Array(64);
  readonly #runs: Run[] = [];

  /** `room`: about what each column will have. */
  constructor(schema: TableSchema, room: readonly ColumnRoom[] | null = null) {
    this.schema = schema;
    this.#room = room;
    this.builders = buildersOf(schema, room);
  }

  /** To write the row into as it was, whose number is `length`; those since the last one that was had none. */
  beforeBuilders(): readonly ColumnBuilder[] {
    this.#before ??= buildersOf(this.schema, this.#room);
    for (const builder of this.#before) while (builder.row < this.length) builder.appendAbsent();
    return this.#before;
  }

  get lastTransaction(): Transaction | null {
    return this.#runs.at(-1)?.transaction ?? null;
  }

  rowsOf(transaction: Transaction): number {
    const run = this.#runs.at(-1);
    return run?.transaction === transaction ? this.length - run.firstRow : 0;
  }

  get usedBytes(): number {
    let bytes = this.length;
    for (const builder of this.builders) bytes += builder.usedBytes;
    for (const builder of this.#before ?? []) bytes += builder.usedBytes;
    return bytes;
  }

  endRow(op: Op, transaction: Transaction): void {
    const row = this.length++;
    if (row === this.#ops.length) {
      const grown = new Uint8Array(row * 2);
      grown.set(this.#ops);
      this.#ops = grown;
    }
    this.#ops[row] = op;
    if (this.#runs.length === 0 || this.#runs[this.#runs.length - 1]!.transaction !== transaction)
      this.#runs.push({ firstRow: row, transaction });
  }

  /** The rows as a batch; this must not be used again. A row that was begun and not ended is cut off. */
  close(): ChangeBatch {
    const { schema, length } = this;
    const columns = this.builders.map((builder) => finished(builder, length));
    const before = this.#before === null ? null : this.beforeBuilders().map((builder) => finished(builder, length));
    return batch({ schema, columns, before, ops: this.#ops.subarray(0, length), runs: this.#runs });
  }

  /** As `close`, in two: what came before the last transaction's rows (null: nothing), and those. */
  closeInTwo(): readonly [earlier: ChangeBatch | null, last: ChangeBatch] {
    const all = this.close();
    const run = all.runs.at(-1)!;
    if (run.firstRow === 0) return [null, all];
    return [
      part(all, 0, run.firstRow, all.runs.slice(0, -1)),
      part(all, run.firstRow, all.length, [{ firstRow: 0, transaction: run.transaction }]),
    ];
  }
}

/** The first rows of a batch of one transaction. */
export function firstRows(all: ChangeBatch, rows: number): ChangeBatch {
  return part(all, 0, rows, all.runs);
}

function part(all: ChangeBatch, from: number, to: number, runs: readonly Run[]): ChangeBatch {
  const sliced = (column: Column): Column => sliceColumn(column, from, to);
  const columns = all.columns.map(sliced);
  const before = all.before?.map(sliced) ?? null;
  return batch({ schema: all.schema, columns, before, ops: all.ops!.slice(from, to), runs });
}

type Parts = Pick<ChangeBatch, "schema" | "columns" | "before" | "runs"> & { readonly ops: Uint8Array };

function batch(parts: Parts): ChangeBatch {
  const { columns, before, ops } = parts;
  return { ...parts, origin: "log", length: ops.length, bytes: batchBytes(columns, ops, before) };
}

function buildersOf({ columns }: TableSchema, room: readonly ColumnRoom[] | null): readonly ColumnBuilder[] {
  return columns.map((column, i) => new ColumnBuilder(column.type, room?.[i]));
}

/** With the rows that were ended. */
function finished(builder: ColumnBuilder, rows: number): Column {
  const column = builder.finish();
  return column.length === rows ? column : { ...column, length: rows };
}
