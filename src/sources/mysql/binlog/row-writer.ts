import { Op } from "../../../core/change-batch.ts";
import type { ColumnBuilder } from "../../../core/column-builder.ts";
import type { MillraceError } from "../../../core/errors.ts";
import { fixedWidth } from "../../../core/logical-type.ts";
import type { Transaction } from "../../../core/position.ts";
import type { ValueRules } from "../../../core/source.ts";
import type { TableSchema } from "../../../core/table-schema.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import type { OpenBatch } from "../../../decoding/open-batch.ts";
import { valueError } from "../../../decoding/value-error.ts";
import type { CellPlan } from "./cell.ts";
import { appendBinlogCells, BinlogCells, MISSING } from "./column.ts";
import { cellPlan } from "./cell-plan.ts";
import type { Charsets } from "../charset/charset.ts";
import { columnWidths, RowImages } from "./row-image.ts";
import { GROUP_ROWS } from "./rows-event.ts";
import { changedError } from "../schema.ts";
import type { TableMap } from "./table-map.ts";
import { lackedKeyError, partialRowError } from "./whole-rows.ts";

/** A row that is replaced is two. */
const NOTED_MAX = GROUP_ROWS * 2;

/**
 * Writes rows of one table map into the batch of its table: first they are noted, then `write` decodes what was noted column
 * by column. Hot.
 */
export class BinlogRowWriter {
  readonly map: TableMap;
  readonly widths: Int32Array;
  /** Bytes a row takes at least, next to its text. */
  readonly rowBytes: number;
  /** How often a value of the log may be written: 2 where rows are kept as they were, too. */
  readonly copies: number;
  #failedColumn = 0;
  #failedOutcome: Outcome = Outcome.done;
  /** What failed was not there to be decoded, in a row of that operation. */
  #lackedIn: Op | null = null;
  readonly #schema: TableSchema;
  /** Per column of the schema: its plan, its place in an image, and whether an update without it leaves it as it was. */
  readonly #plans: readonly CellPlan[];
  readonly #places: Int32Array;
  readonly #stays: Uint8Array;
  readonly #keyless: boolean;
  /** A row is found by its key, so there nothing else can stand. */
  readonly #nullInstead: Uint8Array;
  /** What a delete says: the key; the whole row where there is none. */
  readonly #identifies: Uint8Array;
  /** Of each row that is noted: its operation, and the first cell of its image. */
  readonly #ops = new Uint8Array(NOTED_MAX);
  readonly #firsts = new Int32Array(NOTED_MAX);
  #noted = 0;
  readonly #cells = new BinlogCells(NOTED_MAX);

  constructor(map: TableMap, schema: TableSchema, plans: readonly CellPlan[], rules: ValueRules) {
    this.map = map;
    this.widths = columnWidths(map);
    this.#schema = schema;
    this.#plans = plans;
    const { columns, key } = schema;
    this.rowBytes = columns.reduce((sum, column) => sum + Math.max(fixedWidth(column.type), 4), 1);
    this.copies = rules.beforeImages ? 2 : 1;
    this.#keyless = key.length === 0;
    const nulls = rules.unrepresentable === "null";
    this.#nullInstead = Uint8Array.from(columns, (_, i) => (nulls && !key.includes(i) ? 1 : 0));
    this.#identifies = Uint8Array.from(columns, (_, i) => (this.#keyless || key.includes(i) ? 1 : 0));
    const places = new Map(map.columns.map((column, i) => [column.name, i]));
    this.#places = Int32Array.from(columns, (column) => places.get(column.name)!);
    // MariaDB lets no generated column into a key.
    const stays = (place: number, i: number): boolean => key.includes(i) || map.columns[place]!.staysWhereAbsent;
    this.#stays = Uint8Array.from(this.#places, (place, i) => (stays(place, i) ? 1 : 0));
  }

  /** Of an image, the first cell. `complete`: no column of the table is absent in it. */
  insert(images: RowImages, row: number, complete: boolean): void {
    this.#note(row, this.#inserted(images, row, complete));
  }

  /** A row with new values that are not known is replaced: then it is fetched, where an update would leave it as it was. */
  update(images: RowImages, old: number, row: number, complete: boolean, b: Uint8Array): void {
    const isKnown = complete || this.#fillIn(images, old, row);
    const replaces = this.#keyless || !isKnown || this.#keyDiffers(images, old, row, b);
    if (replaces) this.delete(old);
    this.#note(row, replaces ? this.#inserted(images, row, complete) : Op.update);
  }

  delete(old: number): void {
    this.#note(old, Op.delete);
  }

  #note(first: number, op: Op): void {
    this.#ops[this.#noted] = op;
    this.#firsts[this.#noted++] = first;
  }

  /** A row without all columns got defaults for the others: they are fetched, as those of a row that has moved. */
  #inserted({ starts }: RowImages, row: number, complete: boolean): Op {
    if (complete) return Op.insert;
    for (const place of this.#places) if (starts[row + place]! < RowImages.null) return Op.moved;
    return Op.insert;
  }

  /**
   * What the row does not have is as it was before, and unknown where that is not there either. False: it has, or may have,
   * other values than before that are not known.
   */
  #fillIn({ starts, ends }: RowImages, old: number, row: number): boolean {
    const places = this.#places;
    let isKnown = true;
    for (let column = 0; column < places.length; column++) {
      const place = places[column]!;
      const start = starts[row + place]!;
      if (start >= RowImages.null) continue;
      if (start === RowImages.absent && this.#stays[column] === 1) {
        starts[row + place] = starts[old + place]!;
        ends[row + place] = ends[old + place]!;
      } else isKnown = false;
    }
    return isKnown;
  }

  /** The column whose value did not decode. */
  get failedName(): string {
    return this.#schema.columns[this.#failedColumn]!.name;
  }

  /** `position` is that of the change that was not written. */
  failure(position: string): MillraceError {
    const [schema, column] = [this.#schema, this.#failedColumn];
    if (this.#keyless && this.#lackedIn !== null) return partialRowError(schema, column, position);
    if (this.#lackedIn === Op.insert || this.#lackedIn === Op.moved) return lackedKeyError(schema, column, position);
    return valueError(this.#failedOutcome, schema, column, position);
  }

  /** By the stored bytes, which are the same for the same key and no other. */
  #keyDiffers({ starts, ends }: RowImages, old: number, row: number, b: Uint8Array): boolean {
    for (const column of this.#schema.key) {
      const place = this.#places[column]!;
      const start = starts[row + place]!;
      const oldStart = starts[old + place]!;
      if (start < 0 || oldStart < 0) {
        if (start !== oldStart) return true;
        continue;
      }
      const length = ends[row + place]! - start;
      if (ends[old + place]! - oldStart !== length) return true;
      for (let i = 0; i < length; i++) if (b[start + i] !== b[oldStart + i]) return true;
    }
    return false;
  }

  /**
   * Writes the rows that were noted. False: a value did not decode, and only the rows before its own were written;
   * `failure` says which and how. The batch then takes no more.
   */
  write(batch: OpenBatch, images: RowImages, b: Uint8Array, transaction: Transaction): boolean {
    const noted = this.#noted;
    this.#noted = 0;
    let rows = noted;
    for (const [column, builder] of batch.builders.entries()) {
      this.#gather(images, column, rows);
      rows = this.#append(builder, column, b, rows);
    }
    // The rows of an event are all of one kind.
    if (this.copies === 2 && hasBefore(this.#ops[0] as Op)) rows = this.#writeBefore(batch, images, b, rows);
    for (let row = 0; row < rows; row++) batch.endRow(this.#ops[row] as Op, transaction);
    return rows === noted;
  }

  /** The rows as they were. How many could be written: all, or those before the first that cannot be. */
  #writeBefore(batch: OpenBatch, images: RowImages, b: Uint8Array, all: number): number {
    let rows = all;
    for (const [column, builder] of batch.beforeBuilders().entries()) {
      this.#gatherBefore(images, column, rows);
      rows = this.#append(builder, column, b, rows);
    }
    return rows;
  }

  /** A deleted row's image is the one that was noted; that of an updated row stands before it (`RowsReader`). */
  #gatherBefore(images: RowImages, column: number, rows: number): void {
    const place = this.#places[column]!;
    const width = this.map.columns.length;
    const { starts, ends } = this.#cells;
    for (let row = 0; row < rows; row++) {
      const op = this.#ops[row] as Op;
      const cell = this.#firsts[row]! + place - (op === Op.update ? width : 0);
      starts[row] = hasBefore(op) ? images.starts[cell]! : RowImages.absent;
      ends[row] = images.ends[cell]!;
    }
  }

  /** Where the column's cells of the first rows noted are, one behind the other. */
  #gather(images: RowImages, column: number, rows: number): void {
    const place = this.#places[column]!;
    const identifies = this.#identifies[column] === 1;
    const unknown = identifies ? MISSING : RowImages.absent;
    const { starts, ends } = this.#cells;
    const { starts: imageStarts, ends: imageEnds } = images;
    const firsts = this.#firsts;
    const ops = this.#ops;
    for (let row = 0; row < rows; row++) {
      const cell = firsts[row]! + place;
      const start = imageStarts[cell]!;
      // A difference is a value that is not known, and without its key a row is not either.
      starts[row] = start < RowImages.null ? unknown : identifies || ops[row] !== Op.delete ? start : RowImages.absent;
      ends[row] = imageEnds[cell]!;
    }
  }

  /** How many of the cells gathered were written: all, or those before the first that cannot be. */
  #append(builder: ColumnBuilder, column: number, b: Uint8Array, rows: number): number {
    const plan = this.#plans[column]!;
    const cells = this.#cells;
    for (let row = 0; ; row++) {
      row = appendBinlogCells(builder, plan, b, cells, row, rows);
      if (row === rows) return rows;
      if (cells.failure !== Outcome.unrepresentable || this.#nullInstead[column] === 0) {
        this.#failedColumn = column;
        this.#failedOutcome = cells.failure;
        this.#lackedIn = cells.starts[row] === MISSING ? (this.#ops[row] as Op) : null;
        return row;
      }
      builder.appendNull();
    }
  }
}

/** An update that is written as two has it with its delete. */
function hasBefore(op: Op): boolean {
  return op === Op.update || op === Op.delete;
}

/**
 * The writer for a table map under the schema that the catalog's answer named; or why the log's shape of the table
 * cannot be written under it. Columns that the schema has not are passed over.
 */
export function rowWriter(
  map: TableMap,
  schema: TableSchema,
  rules: ValueRules,
  charsets: Charsets,
): BinlogRowWriter | MillraceError {
  const byName = new Map(map.columns.map((column) => [column.name, column]));
  const keyNames = schema.key.map((i) => schema.columns[i]!.name);
  const loggedKey = map.key.map((i) => map.columns[i]!.name);
  if (loggedKey.length > 0 || keyNames.length > 0)
    if (keyNames.join("\0") !== loggedKey.join("\0")) return changedError(schema.id, "its key is another one");
  const plans: CellPlan[] = [];
  for (const [i, column] of schema.columns.entries()) {
    const logged = byName.get(column.name);
    const plan =
      logged === undefined ? "was not there in the log" : cellPlan(logged, column, charsets, schema.key.includes(i));
    if (typeof plan === "string") return changedError(schema.id, `column ${column.name} ${plan}`);
    plans.push(plan);
  }
  return new BinlogRowWriter(map, schema, plans, rules);
}
