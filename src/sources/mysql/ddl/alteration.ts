import type { ColumnPlace, WrittenColumn } from "./column-definition.ts";

/** What one action of an ALTER TABLE does to the form of the table's rows in the log. */
export type Alteration =
  | { readonly kind: "add"; readonly column: WrittenColumn; readonly place: ColumnPlace; readonly unlessThere: boolean }
  | { readonly kind: "drop"; readonly name: string; readonly ifThere: boolean }
  | {
      readonly kind: "change";
      readonly name: string;
      readonly column: WrittenColumn;
      readonly place: ColumnPlace;
      readonly ifThere: boolean;
    }
  | { readonly kind: "rename"; readonly name: string; readonly to: string; readonly ifThere: boolean }
  | { readonly kind: "show"; readonly name: string; readonly visible: boolean }
  /** Or given another name. */
  | { readonly kind: "drop-index"; readonly index: string }
  /** The primary key; without columns where one of them is in it by its first characters alone. */
  | { readonly kind: "add-key"; readonly columns: readonly string[] }
  /** Rows that are equal in some columns may be left out where another table is filled (`INSERT IGNORE`). */
  | { readonly kind: "unique" }
  | { readonly kind: "convert"; readonly charset: string | null; readonly collation: string | null }
  | { readonly kind: "default-charset"; readonly charset: string | null; readonly collation: string | null };
