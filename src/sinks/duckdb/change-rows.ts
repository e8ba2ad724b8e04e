import type { BufferLoan } from "../../core/buffer-pool.ts";
import { Op, type ChangeBatch } from "../../core/change-batch.ts";
import { bit } from "../../core/column.ts";
import { MillraceError } from "../../core/errors.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { encodeColumn, int32Vector, type VectorData } from "./encode.ts";
import type { FeedColumn, FeedPart } from "./feed.ts";

/**
 * What a row does when an epoch's changes are folded. `whole`: it is the row from now on. `part`: its known cells are
 * laid over the row, nothing where there is none. `older`: an update that knows every column its version had; columns
 * added since keep what they have, or get their default where the row is new.
 */
export const Fold = { whole: 0, delete: 1, part: 2, older: 3 } as const;

/** Absent cells as bits, 31 columns of the target to an INTEGER: its sign stays out of it. */
export const MASK_BITS = 31;

export function maskCount(schema: TableSchema): number {
  return Math.ceil(schema.columns.length / MASK_BITS);
}

/** The first columns of the relation that `feedPart` makes: `c0`, `c1`, … of the target that the batch has. */
export function valueColumns(target: TableSchema, mapping: readonly number[]): readonly FeedColumn[] {
  const columns: FeedColumn[] = [];
  for (const [i, place] of mapping.entries())
    if (place >= 0) columns.push({ name: `c${i}`, type: target.columns[i]!.type });
  return columns;
}

/** All of its columns: then come our own. */
export function feedColumns(target: TableSchema, mapping: readonly number[]): readonly FeedColumn[] {
  const int32 = { kind: "int", bits: 32 } as const;
  const columns = [...valueColumns(target, mapping)];
  columns.push({ name: "__op", type: int32 }, { name: "__seq", type: int32 });
  for (let i = 0; i < maskCount(target); i++) columns.push({ name: `__absent${i}`, type: int32 });
  return columns;
}

export interface ChangePart {
  readonly part: FeedPart;
  readonly deletes: boolean;
  /** It has `part` or `older` rows. */
  readonly partial: boolean;
}

/** A batch as rows to feed, numbered from `sequence` in the order in which they happened, until the loan ends. */
export function feedPart(
  batch: ChangeBatch,
  mapping: readonly number[],
  sequence: number,
  loan: BufferLoan,
): ChangePart {
  const { length } = batch;
  const int32s = (): Int32Array => new Int32Array(loan.take(length * 4), 0, length).fill(0);
  const sequences = int32s();
  for (let row = 0; row < length; row++) sequences[row] = sequence + row;
  const masks = Array.from({ length: Math.ceil(mapping.length / MASK_BITS) }, int32s);
  const added = mapping.flatMap((place, i) => (place < 0 ? [i] : []));
  const folds = int32s();
  if (batch.ops !== null) noteFolds(batch, folds, added.length > 0);
  for (const [i, place] of mapping.entries())
    if (place >= 0) markAbsent(batch, place, folds, masks[Math.floor(i / MASK_BITS)]!, 1 << (i % MASK_BITS));
  for (const i of added)
    for (let row = 0; row < length; row++)
      if (folds[row]! >= Fold.part) masks[Math.floor(i / MASK_BITS)]![row]! |= 1 << (i % MASK_BITS);
  const columns: VectorData[] = [];
  for (const place of mapping) if (place >= 0) columns.push(encodeColumn(batch.columns[place]!, loan));
  for (const own of [folds, sequences, ...masks]) columns.push(int32Vector(own));
  return {
    part: { length, columns },
    deletes: folds.includes(Fold.delete),
    partial: folds.some((fold) => fold >= Fold.part),
  };
}

function noteFolds(batch: ChangeBatch, folds: Int32Array, older: boolean): void {
  for (let row = 0; row < batch.length; row++) {
    const op = batch.ops![row]!;
    if (op === Op.delete) folds[row] = Fold.delete;
    else if (op === Op.update && older) folds[row] = Fold.older;
  }
}

/** Notes a column's absent cells; an update that has one is a `part`. Only updates may have them here. */
function markAbsent(batch: ChangeBatch, place: number, folds: Int32Array, mask: Int32Array, mark: number): void {
  const { absent } = batch.columns[place]!;
  if (absent === null) return;
  const key = batch.schema.key.includes(place);
  for (let row = 0; row < batch.length; row++) {
    if (!bit(absent, row) || (folds[row] === Fold.delete && !key && batch.schema.key.length > 0)) continue;
    if (key || batch.ops?.[row] !== Op.update)
      throw new MillraceError("INTERNAL", `a row of ${batch.schema.id} came to the sink with a cell that is not known`);
    folds[row] = Fold.part;
    mask[row]! |= mark;
  }
}
