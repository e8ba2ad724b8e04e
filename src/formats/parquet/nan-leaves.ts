import type { Column } from "../../core/column.ts";
import type { ColumnSet, FileCells, FileColumn, FileSchema, NestedRows } from "../file-schema.ts";

interface Cells {
  readonly length: number;
  readonly cells: FileCells;
}

/**
 * Which leaves (counted as column chunks are) have a NaN among their cells. Databases put NaN behind every number, and the
 * bounds of a column chunk leave it out: a reader that asks those whether any cell is above 5 (DuckDB does) loses it. So
 * such a chunk has no bounds.
 */
export function nanLeaves(schema: FileSchema, sets: readonly ColumnSet[]): readonly number[] {
  const found: number[] = [];
  let leaf = 0;
  const look = (column: FileColumn, parts: readonly Cells[]): void => {
    const { type } = column;
    if (type.kind === "row") {
      for (const [i, field] of type.fields.entries())
        look(
          field,
          parts.map((part) => childOf(part, i)),
        );
      return;
    }
    if (type.kind === "float" && parts.some((part) => hasNaN(part, type.bits))) found.push(leaf);
    leaf++;
  };
  for (const [i, column] of schema.entries())
    look(
      column,
      sets.map(({ length, columns }) => ({ length, cells: columns[i]! })),
    );
  return found;
}

function childOf({ length, cells }: Cells, i: number): Cells {
  return { length, cells: cells === null ? null : (cells as NestedRows).children[i]! };
}

/** Hot: every float. One that only stands in a null cell's place counts too, and costs the bounds. */
function hasNaN({ length, cells }: Cells, bits: 32 | 64): boolean {
  if (cells === null) return false;
  const { buffer, byteOffset } = (cells as Column).values;
  const floats =
    bits === 64 ? new Float64Array(buffer, byteOffset, length) : new Float32Array(buffer, byteOffset, length);
  for (let i = 0; i < length; i++) if (Number.isNaN(floats[i])) return true;
  return false;
}
