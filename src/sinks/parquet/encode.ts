import { Op, type ChangeBatch, type Run } from "../../core/change-batch.ts";
import { bitmapBytes, isAbsent, setBit, type Column } from "../../core/column.ts";
import { MillraceError } from "../../core/errors.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import type { Transaction } from "../../core/position.ts";
import type { ColumnSet, FileCells, TextLists } from "../../formats/file-schema.ts";

/** Where rows stand in the order of everything that the pipeline has ever delivered. */
export interface RowOrder {
  /** The epoch's: the upper half of `_seq`. */
  readonly sequence: number;
  /** Of the batch's first row within the epoch: the lower half. */
  readonly firstRow: number;
  /** Places of the rows behind that one; null: they follow it one by one. */
  readonly rows: Uint32Array | null;
}

/** One letter an op, as `_op` has it; by the numbers of `Op`. A `moved` row that reaches a sink is an insert. */
const LETTERS = Uint8Array.from(["r", "c", "u", "d", "c"], (letter) => letter.charCodeAt(0));
const EMPTIED = "t".charCodeAt(0);

/**
 * A batch's rows with the columns that say what each of them is, in the order of `fileSchema`. The batch's own columns
 * are not copied. Hot: called for every batch; what it makes it makes a column at a time.
 */
export function changeCells(batch: ChangeBatch, order: RowOrder, beforeImages: boolean): ColumnSet {
  const { length, columns, schema, ops, runs } = batch;
  const [time, position, transaction] = transactionCells(runs, length);
  const cells: FileCells[] = [
    ...columns,
    letters(length, ops),
    time,
    position,
    sequences(length, order),
    transaction,
    versions(length, schema.version),
    unknown(batch, columns, (row) => isPartial(batch, row)),
  ];
  if (beforeImages) cells.push(...beforeCells(batch));
  return { length, columns: cells };
}

/**
 * Whether the row's cells may be absent, and are named: of an update, and of a row that was gone before it could be asked
 * for. A delete tells its key, and of a table without one everything. A snapshot's row must be whole.
 */
function isPartial({ ops, columns, schema }: ChangeBatch, row: number): boolean {
  if (ops !== null) return ops[row] !== Op.delete;
  if (columns.some((cells) => isAbsent(cells, row)))
    throw new MillraceError("INTERNAL", `a row of a snapshot of ${schema.id} has cells that are not known`);
  return false;
}

/** The row that says that a table was emptied, or begun anew. It has no cells of the table. */
export function emptiedCells(
  columns: number,
  version: number,
  transaction: Transaction | null,
  order: RowOrder,
  beforeImages: boolean,
): ColumnSet {
  const [time, position, id] = transactionCells(transaction === null ? [] : [{ firstRow: 0, transaction }], 1);
  const cells: FileCells[] = [
    ...Array.from<null>({ length: columns }).fill(null),
    constantText(1, EMPTIED),
    time,
    position,
    sequences(1, order),
    id,
    versions(1, version),
    null,
  ];
  if (beforeImages) cells.push(null, null);
  return { length: 1, columns: cells };
}

function column(type: LogicalType, length: number, values: Uint8Array, offsets: Int32Array | null = null): Column {
  return { type, length, values, offsets, validity: null, absent: null };
}

const TEXT = { kind: "text" } as const;
const INSTANT = { kind: "timestamp", zone: true } as const;
const INT64 = { kind: "int", bits: 64 } as const;
const INT32 = { kind: "int", bits: 32 } as const;

/** 0, 1, 2 …: the offsets of every text of one letter a row. Shared, and never written to again. */
let counting = new Int32Array(0);

function constantText(length: number, letter: number): Column {
  return column(TEXT, length, new Uint8Array(length).fill(letter), offsetsOfOne(length));
}

function offsetsOfOne(length: number): Int32Array {
  if (counting.length <= length) counting = Int32Array.from({ length: Math.max(1024, length * 2) }, (_, i) => i);
  return counting.subarray(0, length + 1);
}

function letters(length: number, ops: Uint8Array | null): Column {
  if (ops === null) return constantText(length, LETTERS[Op.upsert]!);
  const values = new Uint8Array(length);
  for (let row = 0; row < length; row++) values[row] = LETTERS[ops[row]!]!;
  return column(TEXT, length, values, offsetsOfOne(length));
}

function versions(length: number, version: number): Column {
  const values = new Int32Array(length).fill(version);
  return column(INT32, length, new Uint8Array(values.buffer));
}

function sequences(length: number, { sequence, firstRow, rows }: RowOrder): Column {
  const halves = new Int32Array(length * 2);
  for (let row = 0; row < length; row++) {
    halves[row * 2] = firstRow + (rows === null ? row : rows[row]!);
    halves[row * 2 + 1] = sequence;
  }
  return column(INT64, length, new Uint8Array(halves.buffer));
}

/** `_commit_ts`, `_position` and `_tx`; null of rows that belong to no transaction. */
function transactionCells(runs: readonly Run[], length: number): [FileCells, FileCells, FileCells] {
  if (runs.length === 0) return [null, null, null];
  const times = new BigInt64Array(length);
  for (const [i, { firstRow, transaction }] of runs.entries())
    times.fill(BigInt(transaction.commitTimeMs) * 1000n, firstRow, runs[i + 1]?.firstRow ?? length);
  return [
    column(INSTANT, length, new Uint8Array(times.buffer)),
    runTexts(runs, length, ({ place }) => place),
    runTexts(runs, length, ({ id }) => id),
  ];
}

const utf8 = new TextEncoder();

/** A text for each run, in every row of it. */
function runTexts(runs: readonly Run[], length: number, textOf: (transaction: Transaction) => string): Column {
  const texts = runs.map(({ transaction }) => utf8.encode(textOf(transaction)));
  const rowsOf = (i: number): number => (runs[i + 1]?.firstRow ?? length) - runs[i]!.firstRow;
  const bytes = texts.reduce((sum, text, i) => sum + text.byteLength * rowsOf(i), 0);
  const values = new Uint8Array(bytes);
  const offsets = new Int32Array(length + 1);
  let row = 0;
  let end = 0;
  for (const [i, text] of texts.entries())
    for (const stop = row + rowsOf(i); row < stop; row++) {
      values.set(text, end);
      end += text.byteLength;
      offsets[row + 1] = end;
    }
  return column(TEXT, length, values, offsets);
}

/**
 * The names of the cells that are not known, of each row that `asked` says yes to; null where every one is.
 */
function unknown(
  { schema, length }: Pick<ChangeBatch, "schema" | "length">,
  columns: readonly Column[],
  asked: (row: number) => boolean,
): FileCells {
  const partial = columns.flatMap((cells, i) =>
    cells.absent === null ? [] : [{ cells, name: utf8.encode(schema.columns[i]!.name) }],
  );
  if (partial.length === 0) return null;
  const offsets = new Int32Array(length + 1);
  const validity = new Uint8Array(bitmapBytes(length));
  const names: Uint8Array[] = [];
  for (let row = 0; row < length; row++) {
    if (asked(row)) for (const { cells, name } of partial) if (isAbsent(cells, row)) names.push(name);
    offsets[row + 1] = names.length;
    if (names.length > offsets[row]!) setBit(validity, row);
  }
  if (names.length === 0) return null;
  return { offsets, items: texts(names), validity } satisfies TextLists;
}

function texts(parts: readonly Uint8Array[]): Column {
  const offsets = new Int32Array(parts.length + 1);
  for (const [i, part] of parts.entries()) offsets[i + 1] = offsets[i]! + part.byteLength;
  return column(TEXT, parts.length, Buffer.concat(parts), offsets);
}

/** `_before`, null of a row of which nothing is known of what it was, and `_before_unknown`. */
function beforeCells(batch: ChangeBatch): [FileCells, FileCells] {
  const { before, length } = batch;
  if (before === null) return [null, null];
  const validity = new Uint8Array(bitmapBytes(length));
  const known = (row: number): boolean => before.some((cells) => !isAbsent(cells, row));
  let any = false;
  for (let row = 0; row < length; row++)
    if (known(row)) {
      setBit(validity, row);
      any = true;
    }
  if (!any) return [null, null];
  return [{ children: before, validity }, unknown(batch, before, known)];
}
