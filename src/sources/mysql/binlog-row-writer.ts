import { Op } from "../../core/change-batch.ts";
import type { ColumnBuilder } from "../../core/column-builder.ts";
import type { MillraceError } from "../../core/errors.ts";
import { fixedWidth } from "../../core/logical-type.ts";
import type { Transaction } from "../../core/position.ts";
import type { ValueRules } from "../../core/source.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { Outcome } from "../../decoding/cell-type.ts";
import type { OpenBatch } from "../../decoding/open-batch.ts";
import { valueError } from "../../decoding/value-error.ts";
import { appendBinlogCell, type CellPlan } from "./binlog-cell.ts";
import { cellPlan } from "./cell-plan.ts";
import { columnWidths, RowImage } from "./row-image.ts";
import { changedError } from "./schema.ts";
import type { TableMap } from "./table-map.ts";
import { partialRowError } from "./whole-rows.ts";

/**
 * Writes row images of one table map into the batch of its table. Hot: once a change. The methods return false where a
 * value did not decode; `failure` then says which and how, and the row is not ended.
 */
export class BinlogRowWriter {
  readonly map: TableMap;
  readonly widths: Int32Array;
  /** Bytes a row takes at least, next to its text. */
  readonly rowBytes: number;
  #failedColumn = 0;
  #failedOutcome: Outcome = Outcome.done;
  /** What failed was not there to be decoded. */
  #lacked = false;
  readonly #schema: TableSchema;
  /** Per column of the schema: its plan, and its place in an image, −1 where the log does not have it. */
  readonly #plans: readonly CellPlan[];
  readonly #places: Int32Array;
  readonly #keyless: boolean;
  readonly #nullInstead: boolean;
  /** What a delete says: the key; the whole row where there is none. */
  readonly #identifies: Uint8Array;
  #wroteAbsent = false;

  constructor(map: TableMap, schema: TableSchema, plans: readonly CellPlan[], rules: ValueRules) {
    this.map = map;
    this.widths = columnWidths(map);
    this.#schema = schema;
    this.#plans = plans;
    const { columns, key } = schema;
    this.rowBytes = columns.reduce((sum, column) => sum + Math.max(fixedWidth(column.type), 4), 1);
    this.#keyless = key.length === 0;
    this.#nullInstead = rules.unrepresentable === "null";
    this.#identifies = Uint8Array.from(columns, (_, i) => (this.#keyless || key.includes(i) ? 1 : 0));
    const places = new Map(map.columns.map((column, i) => [column.name, i]));
    this.#places = Int32Array.from(columns, (column) => places.get(column.name) ?? -1);
  }

  /** A row without all columns got defaults for the others: they are fetched, as those of a row that has moved. */
  insert(batch: OpenBatch, row: RowImage, b: Uint8Array, transaction: Transaction): boolean {
    if (!this.#writeRow(batch.builders, row, null, b)) return false;
    batch.endRow(this.#wroteAbsent ? Op.moved : Op.insert, transaction);
    return true;
  }

  update(batch: OpenBatch, old: RowImage, row: RowImage, b: Uint8Array, transaction: Transaction): boolean {
    const replaces = this.#keyless || this.#keyDiffers(row, old, b);
    if (replaces && !this.delete(batch, old, b, transaction)) return false;
    if (!this.#writeRow(batch.builders, row, old, b)) return false;
    batch.endRow(replaces ? (this.#wroteAbsent ? Op.moved : Op.insert) : Op.update, transaction);
    return true;
  }

  delete(batch: OpenBatch, old: RowImage, b: Uint8Array, transaction: Transaction): boolean {
    const { builders } = batch;
    for (let column = 0; column < builders.length; column++) {
      const place = this.#places[column]!;
      if (this.#identifies[column] === 0 || place < 0) builders[column]!.appendAbsent();
      else if (!this.#writeCell(builders[column]!, column, old.starts[place]!, old.ends[place]!, b)) return false;
    }
    batch.endRow(Op.delete, transaction);
    return true;
  }

  /** What the row does not have is as it was before, and unknown where that is not there either. */
  #writeRow(builders: readonly ColumnBuilder[], row: RowImage, old: RowImage | null, b: Uint8Array): boolean {
    this.#wroteAbsent = false;
    for (let column = 0; column < builders.length; column++) {
      const place = this.#places[column]!;
      let start = place < 0 ? RowImage.absent : row.starts[place]!;
      let end = place < 0 ? 0 : row.ends[place]!;
      if (start === RowImage.absent && place >= 0 && old !== null) {
        start = old.starts[place]!;
        end = old.ends[place]!;
      }
      if (start < RowImage.null && this.#identifies[column] === 0) {
        this.#wroteAbsent = true;
        builders[column]!.appendAbsent();
      } else if (!this.#writeCell(builders[column]!, column, start, end, b)) return false;
    }
    return true;
  }

  #writeCell(builder: ColumnBuilder, column: number, start: number, end: number, b: Uint8Array): boolean {
    if (start >= 0) {
      const outcome = appendBinlogCell(builder, this.#plans[column]!, b, start, end);
      if (outcome === Outcome.done) return true;
      if (outcome !== Outcome.unrepresentable || !this.#nullInstead) return this.#fail(column, outcome);
      builder.appendNull();
      return true;
    }
    if (start !== RowImage.null) {
      this.#lacked = true;
      return this.#fail(column, Outcome.malformed);
    }
    builder.appendNull();
    return true;
  }

  /** `position` is that of the change that was not written. */
  failure(position: string): MillraceError {
    if (this.#keyless && this.#lacked) return partialRowError(this.#schema, this.#failedColumn, position);
    return valueError(this.#failedOutcome, this.#schema, this.#failedColumn, position);
  }

  /**
   * By the stored bytes, which are the same for the same key and no other. A key cell that the row lacks is as it was.
   */
  #keyDiffers(row: RowImage, old: RowImage, b: Uint8Array): boolean {
    for (const column of this.#schema.key) {
      const place = this.#places[column]!;
      const start = row.starts[place]!;
      if (start === RowImage.absent) continue;
      const oldStart = old.starts[place]!;
      const length = row.ends[place]! - start;
      if (start < 0 || oldStart < 0) return start !== oldStart;
      if (old.ends[place]! - oldStart !== length) return true;
      for (let i = 0; i < length; i++) if (b[start + i] !== b[oldStart + i]) return true;
    }
    return false;
  }

  #fail(column: number, outcome: Outcome): false {
    this.#failedColumn = column;
    this.#failedOutcome = outcome;
    return false;
  }
}

/**
 * The writer for a table map under the schema that the catalog's answer named; or why the log's shape of the table
 * cannot be written under it. Columns that the schema has not are passed over.
 */
export function rowWriter(map: TableMap, schema: TableSchema, rules: ValueRules): BinlogRowWriter | MillraceError {
  const byName = new Map(map.columns.map((column) => [column.name, column]));
  const keyNames = schema.key.map((i) => schema.columns[i]!.name);
  const loggedKey = map.key.map((i) => map.columns[i]!.name);
  if (loggedKey.length > 0 || keyNames.length > 0)
    if (keyNames.join("\0") !== loggedKey.join("\0")) return changedError(schema.id, "its key is another one");
  const plans: CellPlan[] = [];
  for (const column of schema.columns) {
    const logged = byName.get(column.name);
    const plan = logged === undefined ? "was not there in the log" : cellPlan(logged, column);
    if (typeof plan === "string") return changedError(schema.id, `column ${column.name} ${plan}`);
    plans.push(plan);
  }
  return new BinlogRowWriter(map, schema, plans, rules);
}
