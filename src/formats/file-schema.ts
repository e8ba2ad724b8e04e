import type { Column } from "../core/column.ts";
import type { LogicalType } from "../core/logical-type.ts";

/** What a column of a file holds: a value of the house's, a list of texts without nulls in it, or a row within the row. */
export type FileType =
  | LogicalType
  | { readonly kind: "texts" }
  | { readonly kind: "row"; readonly fields: readonly FileColumn[] };

export interface FileColumn {
  readonly name: string;
  /** By which readers know the column when its name changes. */
  readonly fieldId: number;
  readonly type: FileType;
  /** It has no nulls. */
  readonly required: boolean;
}

export type FileSchema = readonly FileColumn[];

/** Of a `texts` column: row `i` has the items from `offsets[i]` up to `offsets[i + 1]`. The first need not be 0. */
export interface TextLists {
  readonly offsets: Int32Array;
  readonly items: Column;
  /** As of a `Column`. */
  readonly validity: Uint8Array | null;
}

/** Of a `row` column: a cell of each of its fields for every row, of the null ones too. */
export interface NestedRows {
  readonly children: readonly FileCells[];
  /** As of a `Column`. */
  readonly validity: Uint8Array | null;
}

/** The cells of one column. null: there is nothing but nulls, as where a schema version does not have the column. */
export type FileCells = Column | TextLists | NestedRows | null;

/** Some rows, column by column in the order of a schema. What a `Column` says is absent is null in a file. */
export interface ColumnSet {
  readonly length: number;
  readonly columns: readonly FileCells[];
}
