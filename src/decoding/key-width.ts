import type { KeyBound } from "../core/chunk.ts";

/** What is known of a table with an integer key. */
interface KeyedTable {
  readonly rows: number;
  readonly max: KeyBound | null;
}

/** The width of a chunk if the keys were spread evenly. */
export function evenWidth(table: KeyedTable, start: bigint, rows: number): bigint {
  if (table.max === null) return BigInt(rows);
  const span = BigInt(table.max[0]!) - start + 1n;
  const width = (span * BigInt(rows)) / BigInt(Math.max(table.rows, rows));
  return width > 0n ? width : 1n;
}

/** At least one key wide. */
export function scaled(width: bigint, factor: number): bigint {
  const scale = 1_000_000_000;
  const result = (width * BigInt(Math.max(1, Math.round(factor * scale)))) / BigInt(scale);
  return result > 0n ? result : 1n;
}
