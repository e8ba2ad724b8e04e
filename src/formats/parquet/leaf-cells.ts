import type { Column } from "../../core/column.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import type { ColumnSet, FileCells, FileColumn, FileSchema, NestedRows, TextLists } from "../file-schema.ts";

/** A leaf of some rows by itself: a file of these sets has the same column chunk as one with all that was beside it. */
export interface LeafCells {
  /** `before.id` of a field of the row `before`. */
  readonly path: string;
  /** What leads to the leaf and nothing else: of a `row` one field. */
  readonly column: FileColumn;
  /** Of that column. */
  readonly sets: readonly ColumnSet[];
  readonly type: LogicalType;
  /** The leaf's own cells in each set, of a list its items; null: it has none. */
  readonly cells: readonly (Column | null)[];
}

interface Leaf {
  readonly path: string;
  readonly column: FileColumn;
  /** The column's cells in each set. */
  readonly parts: readonly FileCells[];
  readonly type: LogicalType;
  readonly cells: readonly (Column | null)[];
}

/** In the order of their column chunks. */
export function leafCells(schema: FileSchema, sets: readonly ColumnSet[]): readonly LeafCells[] {
  return schema.flatMap((column, i) => {
    const parts = sets.map(({ columns }) => columns[i]!);
    return leavesOf(column, parts).map((leaf) => ({
      path: leaf.path,
      column: leaf.column,
      sets: sets.map(({ length }, set) => ({ length, columns: [leaf.parts[set]!] })),
      type: leaf.type,
      cells: leaf.cells,
    }));
  });
}

function leavesOf(column: FileColumn, parts: readonly FileCells[]): readonly Leaf[] {
  const { name: path, type } = column;
  if (type.kind === "row") return type.fields.flatMap((field, i) => leavesWithin(column, field, parts, i));
  if (type.kind !== "texts") return [{ path, column, parts, type, cells: parts as readonly (Column | null)[] }];
  const cells = parts.map((part) => part && (part as TextLists).items);
  return [{ path, column, parts, type: { kind: "text" }, cells }];
}

/** Of one field of a `row`: each stands in a row that has nothing else. */
function leavesWithin(column: FileColumn, field: FileColumn, parts: readonly FileCells[], i: number): readonly Leaf[] {
  const rows = parts as readonly (NestedRows | null)[];
  const within = rows.map((row) => row && row.children[i]!);
  return leavesOf(field, within).map((leaf) => ({
    ...leaf,
    path: `${column.name}.${leaf.path}`,
    column: { ...column, type: { kind: "row", fields: [leaf.column] } },
    parts: rows.map((row, set) => row && { children: [leaf.parts[set]!], validity: row.validity }),
  }));
}
