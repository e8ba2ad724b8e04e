export type Cell = string | null;

/** Rows as text, in any order, with the names of their columns and of the key among them. */
export interface TextTable {
  readonly columns: readonly string[];
  readonly key: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Databases write the same number differently: `1e+20`, `1e20`. `bits` is null for what is no float. */
export function plainFloat(cell: Cell, bits: 32 | 64 | null): Cell {
  if (cell === null || bits === null) return cell;
  if (/^-?inf/i.test(cell)) return cell.startsWith("-") ? "-Infinity" : "Infinity";
  const value = bits === 32 ? Math.fround(Number(cell)) : Number(cell);
  return Object.is(value, -0) ? "-0" : String(value);
}
