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
  #ops: Uint8Array = new Uint8Array(64);
  readonly #runs: Run[] = [];

  /** `room`: about what each column will have. */
  constructor(schema: TableSchema, room: readonly ColumnRoom[] | null = null) {
    this.schema = schema;
    this.builders = schema.columns.map((column, i) => new ColumnBuilder(column.type, room?.[i]));
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
    const columns = this.builders.map((builder) => {
      const column = builder.finish();
      return column.length === this.length ? column : { ...column, length: this.length };
    });
    return batch(this.schema, columns, this.#ops.subarray(0, this.length), this.#runs);
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
  const columns = all.columns.map((column) => sliceColumn(column, from, to));
  return batch(all.schema, columns, all.ops!.slice(from, to), runs);
}

function batch(schema: TableSchema, columns: readonly Column[], ops: Uint8Array, runs: readonly Run[]): ChangeBatch {
  return { schema, origin: "log", length: ops.length, columns, ops, runs, bytes: batchBytes(columns, ops) };
}
