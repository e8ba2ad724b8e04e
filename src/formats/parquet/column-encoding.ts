import { bit, type Column } from "../../core/column.ts";
import { fixedWidth, type LogicalType } from "../../core/logical-type.ts";
import type { ColumnSet, FileCells, FileColumn, FileSchema, NestedRows } from "../file-schema.ts";
import { PhysicalType, physicalType } from "./physical-type.ts";

/**
 * How a column's cells are written: their numbers in a dictionary of the values, the differences of integers, or the cells
 * one after the other.
 */
export type ColumnEncoding = "dictionary" | "delta" | "plain";

/** Cells that are looked at, over all sets; and places for as many hashes, a power of two. */
const SAMPLE = 1024;
const PLACES = 4096;
/**
 * A dictionary pays where its values recur so often: measured over numbers and texts with zstd, it is the smaller file up
 * to a sixth or a tenth of the rows, and from there on takes three times as long for a larger one.
 */
const RECURRENCE = 8;
const FNV_PRIME = 0x0100_0193;
const FNV_BASIS = 0x811c_9dc5;
/** So much is hashed of a long text's beginning, and of its end: documents often differ in neither alone. */
const HASHED_BYTES_MAX = 512;

/** What was seen of one leaf. */
interface Sampled {
  readonly cells: number;
  readonly different: number;
  readonly bytes: number;
}

/** Of every column of a schema; of those within columns (`row`, `texts`) all have the one that `nested` says. */
export interface ColumnEncodings {
  readonly columns: readonly ColumnEncoding[];
  readonly nested: "dictionary" | "plain";
}

/**
 * How the columns of these sets are best written, by a sample of their cells. What is within columns goes by what fits most
 * of its bytes: parquet-wasm addresses a column by its name, and knows no paths.
 */
export function columnEncodings(
  schema: FileSchema,
  sets: readonly ColumnSet[],
  dictionaryBytesMax: number,
): ColumnEncodings {
  const bounds = { rows: sets.reduce((sum, { length }) => sum + length, 0), dictionaryBytesMax };
  let recurring = 0;
  const columns = schema.map(({ type }, i): ColumnEncoding => {
    const parts = sets.map((set) => ({ length: set.length, cells: set.columns[i]! }));
    if (type.kind === "row") recurring += recurringBytes(type.fields, parts, bounds);
    return type.kind === "row" || type.kind === "texts" ? "plain" : columnEncoding(type, parts, bounds);
  });
  return { columns, nested: recurring < 0 ? "plain" : "dictionary" };
}

interface Part {
  readonly length: number;
  readonly cells: FileCells;
}

interface Bounds {
  readonly rows: number;
  readonly dictionaryBytesMax: number;
}

function columnEncoding(type: LogicalType, parts: readonly Part[], bounds: Bounds): ColumnEncoding {
  if (type.kind === "bool") return "plain";
  if (isRecurring(sampled(type, parts, bounds.rows), bounds)) return "dictionary";
  return hasDifferences(type) ? "delta" : "plain";
}

/** Of the sample: bytes of fields that recur, less those of fields that do not. */
function recurringBytes(fields: readonly FileColumn[], parts: readonly Part[], bounds: Bounds): number {
  let recurring = 0;
  for (const [i, { type }] of fields.entries()) {
    if (type.kind === "texts" || type.kind === "bool") continue;
    const within = parts.map(({ length, cells }) => ({
      length,
      cells: cells === null ? null : (cells as NestedRows).children[i]!,
    }));
    if (type.kind === "row") {
      recurring += recurringBytes(type.fields, within, bounds);
      continue;
    }
    const seen = sampled(type, within, bounds.rows);
    recurring += isRecurring(seen, bounds) ? seen.bytes : -seen.bytes;
  }
  return recurring;
}

function hasDifferences(type: LogicalType): boolean {
  const physical = physicalType(type);
  return physical === PhysicalType.int32 || physical === PhysicalType.int64;
}

/** Whether as few cells differ as would where the dictionary had its fill of values, each as frequent as the others. */
function isRecurring({ cells, different, bytes }: Sampled, { rows, dictionaryBytesMax }: Bounds): boolean {
  if (cells === 0) return true;
  const valuesMax = Math.min(rows / RECURRENCE, dictionaryBytesMax / Math.max(1, bytes / cells));
  return different <= valuesMax * (1 - Math.exp(-cells / valuesMax));
}

const places: Int32Array = new Int32Array(PLACES);

/** Cells at even distances, nulls aside. Hot: a thousand cells of every column of every row group. */
function sampled(type: LogicalType, parts: readonly Part[], rows: number): Sampled {
  places.fill(0);
  const step = Math.max(1, rows / SAMPLE);
  const seen = { cells: 0, different: 0, bytes: 0 };
  let next = 0;
  let first = 0;
  for (const { length, cells } of parts) {
    const column = cells as Column | null;
    for (; next < first + length; next += step) {
      const row = Math.floor(next) - first;
      if (column === null || (column.validity !== null && !bit(column.validity, row))) continue;
      take(seen, type, column, row);
    }
    first += length;
  }
  return seen;
}

function take(
  seen: { cells: number; different: number; bytes: number },
  type: LogicalType,
  column: Column,
  row: number,
): void {
  const width = fixedWidth(type);
  const start = column.offsets === null ? row * width : column.offsets[row]!;
  const end = column.offsets === null ? start + width : column.offsets[row + 1]!;
  seen.cells++;
  seen.bytes += end - start;
  if (isNew(hashOf(column.values, start, end))) seen.different++;
}

/** Never 0, which is a free place. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_BASIS ^ (end - start);
  const middle = Math.min(end, start + HASHED_BYTES_MAX);
  for (let at = start; at < middle; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  for (let at = Math.max(middle, end - HASHED_BYTES_MAX); at < end; at++)
    hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  return hash | 1;
}

function isNew(hash: number): boolean {
  let place = (hash ^ (hash >>> 15)) & (PLACES - 1);
  for (; places[place] !== 0; place = (place + 1) & (PLACES - 1)) if (places[place] === hash) return false;
  places[place] = hash;
  return true;
}
