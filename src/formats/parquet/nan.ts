import type { Column } from "../../core/column.ts";
import type { LeafCells } from "./leaf-cells.ts";

/**
 * Whether there is a NaN among the cells. Databases put NaN behind every number, and the bounds of a column chunk leave it
 * out: a reader that asks those whether any cell is above 5 (DuckDB does) loses it. So such a chunk has no bounds.
 */
export function hasNaN({ type, cells }: LeafCells): boolean {
  if (type.kind !== "float") return false;
  const { bits } = type;
  return cells.some((column) => column !== null && isAnyNaN(column, bits));
}

/** Hot: every float. One that only stands in a null cell's place counts too, and costs the bounds. */
function isAnyNaN({ length, values: { buffer, byteOffset } }: Column, bits: 32 | 64): boolean {
  const floats =
    bits === 64 ? new Float64Array(buffer, byteOffset, length) : new Float32Array(buffer, byteOffset, length);
  for (let i = 0; i < length; i++) if (Number.isNaN(floats[i])) return true;
  return false;
}
