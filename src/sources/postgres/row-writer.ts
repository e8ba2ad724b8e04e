import { Op } from "../../core/change-batch.ts";
import type { ColumnBuilder } from "../../core/column-builder.ts";
import { MillraceError } from "../../core/errors.ts";
import { fixedWidth } from "../../core/logical-type.ts";
import type { Transaction } from "../../core/position.ts";
import type { ValueRules } from "../../core/source.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { cellType, Outcome, type CellType } from "../../decoding/cell-type.ts";
import type { OpenBatch } from "../../decoding/open-batch.ts";
import { TupleCells, type RelationMessage } from "./pgoutput.ts";
import { appendText } from "./text-value.ts";

/**
 * Writes tuples of one relation, in one of its shapes, into the batch of a table. Hot: once a change. The methods return
 * false where a value did not decode; `failedColumn` and `failedOutcome` then say which and how, and the row is not
 * ended.
 */
export class RowWriter {
  readonly relation: RelationMessage;
  readonly schema: TableSchema;
  /** Bytes a row takes at least, next to its text. */
  readonly rowBytes: number;
  /** How often a value of the log may be written: 2 where rows are kept as they were, too. */
  readonly copies: number;
  failedColumn: number = 0;
  failedOutcome: Outcome = Outcome.done;
  readonly #types: readonly CellType[];
  readonly #keyless: boolean;
  readonly #nullInstead: boolean;
  /** What a delete says: the key; the whole row where there is none. */
  readonly #identifies: Uint8Array;
  /** Per column of the schema: its place in a tuple, −1 where the log does not have it; and whether old tuples have it. */
  readonly #places: Int32Array;
  readonly #inOldTuple: Uint8Array;
  #wroteAbsent = false;

  constructor(relation: RelationMessage, schema: TableSchema, rules: ValueRules) {
    this.relation = relation;
    this.schema = schema;
    const { columns, key } = schema;
    this.rowBytes = columns.reduce((sum, column) => sum + Math.max(fixedWidth(column.type), 4), 1);
    this.#types = columns.map((column) => cellType(column.type, rules));
    this.copies = rules.beforeImages ? 2 : 1;
    this.#keyless = key.length === 0;
    this.#nullInstead = rules.unrepresentable === "null";
    this.#identifies = Uint8Array.from(columns, (_, i) => (this.#keyless || key.includes(i) ? 1 : 0));
    const places = new Map(relation.columns.map((column, i) => [column.name, i]));
    this.#places = Int32Array.from(columns, (column) => places.get(column.name) ?? -1);
    this.#inOldTuple = Uint8Array.from(this.#places, (place) => (relation.columns[place]?.key === true ? 1 : 0));
  }

  insert(batch: OpenBatch, row: TupleCells, b: Uint8Array, transaction: Transaction): boolean {
    if (!this.#writeRow(batch.builders, row, null, b)) return false;
    batch.endRow(Op.insert, transaction);
    return true;
  }

  /** `old` is null where the log had no reason to send it: the identity is as it was. */
  update(batch: OpenBatch, row: TupleCells, old: TupleCells | null, b: Uint8Array, transaction: Transaction): boolean {
    const replaces = this.#keyless || (old !== null && this.#keyDiffers(row, old, b));
    if (replaces) {
      if (old === null) return this.#fail(0, Outcome.malformed);
      if (!this.delete(batch, old, b, transaction)) return false;
    } else if (old !== null && !this.#writeBefore(batch, old, b)) return false;
    if (!this.#writeRow(batch.builders, row, old, b)) return false;
    batch.endRow(replaces ? (this.#wroteAbsent ? Op.moved : Op.insert) : Op.update, transaction);
    return true;
  }

  delete(batch: OpenBatch, old: TupleCells, b: Uint8Array, transaction: Transaction): boolean {
    const { builders } = batch;
    for (let column = 0; column < builders.length; column++) {
      if (this.#identifies[column] === 0) builders[column]!.appendAbsent();
      else {
        const place = this.#places[column]!;
        if (!this.#writeCell(builders[column]!, column, old.starts[place]!, old.ends[place]!, b)) return false;
      }
    }
    if (!this.#writeBefore(batch, old, b)) return false;
    batch.endRow(Op.delete, transaction);
    return true;
  }

  /** The row as it was, as far as the table's replica identity has it. */
  #writeBefore(batch: OpenBatch, old: TupleCells, b: Uint8Array): boolean {
    if (this.copies === 1) return true;
    for (const [column, builder] of batch.beforeBuilders().entries()) {
      const place = this.#places[column]!;
      const isKnown = this.#inOldTuple[column] === 1 && old.starts[place] !== TupleCells.unchanged;
      if (!isKnown) builder.appendAbsent();
      else if (!this.#writeCell(builder, column, old.starts[place]!, old.ends[place]!, b)) return false;
    }
    return true;
  }

  #writeRow(builders: readonly ColumnBuilder[], row: TupleCells, old: TupleCells | null, b: Uint8Array): boolean {
    this.#wroteAbsent = false;
    for (let column = 0; column < builders.length; column++) {
      const place = this.#places[column]!;
      let start = place < 0 ? TupleCells.unchanged : row.starts[place]!;
      let end = place < 0 ? 0 : row.ends[place]!;
      if (start === TupleCells.unchanged && old !== null && this.#inOldTuple[column] === 1) {
        start = old.starts[place]!;
        end = old.ends[place]!;
      }
      if (start === TupleCells.unchanged && this.#identifies[column] === 0) {
        this.#wroteAbsent = true;
        builders[column]!.appendAbsent();
      } else if (!this.#writeCell(builders[column]!, column, start, end, b)) return false;
    }
    return true;
  }

  #writeCell(builder: ColumnBuilder, column: number, start: number, end: number, b: Uint8Array): boolean {
    if (start >= 0) {
      const outcome = appendText(builder, this.#types[column]!, b, start, end);
      if (outcome === Outcome.done) return true;
      if (outcome !== Outcome.unrepresentable || !this.#nullInstead) return this.#fail(column, outcome);
      builder.appendNull();
      return true;
    }
    if (start !== TupleCells.null) return this.#fail(column, Outcome.malformed);
    builder.appendNull();
    return true;
  }

  /** By the server's text, which is the same for the same bytes of a key and no other. */
  #keyDiffers(row: TupleCells, old: TupleCells, b: Uint8Array): boolean {
    for (const column of this.schema.key) {
      const place = this.#places[column]!;
      const start = row.starts[place]!;
      if (start === TupleCells.unchanged) continue;
      const oldStart = old.starts[place]!;
      const length = row.ends[place]! - start;
      if (start < 0 || oldStart < 0) return start !== oldStart;
      if (old.ends[place]! - oldStart !== length) return true;
      for (let i = 0; i < length; i++) if (b[start + i] !== b[oldStart + i]) return true;
    }
    return false;
  }

  #fail(column: number, outcome: Outcome): false {
    this.failedColumn = column;
    this.failedOutcome = outcome;
    return false;
  }
}

/** Where the log's shape of a table cannot be written under the schema that the catalog's answer named; else null. */
export function relationMismatch(relation: RelationMessage, schema: TableSchema): MillraceError | null {
  const { id, columns, key } = schema;
  const place = { table: id };
  const names = new Set(columns.map((column) => column.name));
  const unknown = relation.columns.find((column) => !names.has(column.name));
  if (unknown !== undefined)
    return new MillraceError("INTERNAL", `the log has a column ${unknown.name} of ${id} that its schema has not`, {
      place,
    });
  const inOldTuple = new Set(relation.columns.filter((column) => column.key).map((column) => column.name));
  const identifying = key.length === 0 ? columns : key.map((i) => columns[i]!);
  if (identifying.every((column) => inOldTuple.has(column.name))) return null;
  return new MillraceError("TABLE_NO_IDENTITY", `the log does not carry what identifies the old rows of ${id}`, {
    place,
  });
}
