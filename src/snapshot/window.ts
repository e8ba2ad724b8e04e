import { Op, type ChangeBatch, type Run } from "../core/change-batch.ts";
import type { Column } from "../core/column.ts";
import type { Transaction } from "../core/position.ts";
import type { TableSchema } from "../core/table-schema.ts";

/** The rows of a log batch, as far as a chunk may need them: keys, and known cells where some are absent. */
export interface RowsNote {
  readonly kind: "rows";
  readonly length: number;
  readonly ops: Uint8Array;
  readonly runs: readonly Run[];
  readonly keys: readonly Column[];
  /**
   * The whole batch, where its table has no key; without its rows as they were, where an update of it carries only parts.
   */
  readonly batch: ChangeBatch | null;
  /** Bit set: an update that carries only parts of its row. Null: every row is whole. */
  readonly parts: Uint8Array | null;
  readonly bytes: number;
}

/** A TRUNCATE or an alteration of the table: a chunk that does not surely include it is void. */
export interface BarrierNote {
  readonly kind: "barrier";
  readonly transaction: Transaction;
  readonly bytes: number;
}

/** What the merge keeps of a log item that touched a table: shared by all windows of the table, and never changed. */
export type Note = RowsNote | BarrierNote;

const NOTE_BYTES = 256;
const RUN_BYTES = 160;

export function barrierNote(transaction: Transaction): BarrierNote {
  return { kind: "barrier", transaction, bytes: NOTE_BYTES };
}

/**
 * Keeps references and copies nothing; of the other columns' buffers it lets go. `bytes` is what it keeps alive, which is
 * the whole of every buffer that a kept column is a view of.
 */
export function rowsNote(batch: ChangeBatch): RowsNote {
  const ops = batch.ops ?? new Uint8Array(batch.length);
  const parts = partialUpdates(batch, ops);
  const keys = batch.schema.key.map((index) => batch.columns[index]!);
  // Of a table without a key, what the window begins with may go down the line.
  const kept = keys.length === 0 ? batch : parts === null ? null : { ...batch, before: null };
  const columns = kept === null ? keys : [...kept.columns, ...(kept.before ?? [])];
  return {
    kind: "rows",
    length: batch.length,
    ops,
    runs: batch.runs,
    keys,
    batch: kept,
    parts,
    bytes: NOTE_BYTES + batch.runs.length * RUN_BYTES + bytesKeptAlive(columns, ops),
  };
}

function bytesKeptAlive(columns: readonly Column[], ops: Uint8Array): number {
  const buffers = new Set<ArrayBufferLike>([ops.buffer]);
  for (const column of columns)
    for (const view of [column.values, column.offsets, column.validity, column.absent])
      if (view !== null) buffers.add(view.buffer);
  let bytes = 0;
  for (const buffer of buffers) bytes += buffer.byteLength;
  return bytes;
}

/** The updates with an absent cell. A delete's absent cells say nothing, and a moved row's are fetched by *complete*. */
function partialUpdates(batch: ChangeBatch, ops: Uint8Array): Uint8Array | null {
  const absents = batch.columns.flatMap((column) => (column.absent === null ? [] : [column.absent]));
  if (absents.length === 0) return null;
  const parts = new Uint8Array((batch.length + 7) >> 3);
  for (const absent of absents) for (let i = 0; i < parts.length; i++) parts[i]! |= absent[i]!;
  let any = false;
  for (let row = 0; row < batch.length; row++)
    if (ops[row] === Op.update) any ||= (parts[row >> 3]! & (1 << (row & 7))) !== 0;
    else parts[row >> 3]! &= ~(1 << (row & 7));
  return any ? parts : null;
}

export function endOfRun(note: { readonly runs: readonly Run[]; readonly length: number }, run: number): number {
  return note.runs[run + 1]?.firstRow ?? note.length;
}

/** The columns of one batch under the names of a schema; undefined where the batch has no such column. */
export function columnsByName(batch: ChangeBatch, schema: TableSchema): readonly (Column | undefined)[] {
  if (batch.schema === schema) return batch.columns;
  const byName = new Map(batch.schema.columns.map((column, i) => [column.name, batch.columns[i]!]));
  return schema.columns.map((column) => byName.get(column.name));
}
