import { z } from "zod";
import type { CatalogTable } from "../catalog.ts";
import type { CatalogKey } from "../catalog-key.ts";

/** A column as the rows of the log have it, in the words of `information_schema.COLUMNS`. */
export interface DefinedColumn {
  readonly name: string;
  /** `COLUMN_TYPE`. */
  readonly sourceType: string;
  /** Of text; of a collation that no statement has named, the character set alone: `utf8mb4`. */
  readonly collation: string | null;
  /** Null: the statement that made it does not say, and servers differ. */
  readonly nullable: boolean | null;
  readonly visible: boolean;
  readonly generated: boolean;
}

/**
 * A table as it is at a position of the log: what the rows of a log without full metadata are read by. It is kept in the
 * record (`TableSchema.definition`), and goes on with each statement that alters the table.
 */
export interface TableDefinition {
  /** In the order of the rows; all of them, generated and invisible ones too. */
  readonly columns: readonly DefinedColumn[];
  /** Null: none. */
  readonly key: CatalogKey | null;
  /** What columns of text have where nothing is said; a character set alone as above; null: not known. */
  readonly collation: string | null;
}

const column = z.strictObject({
  name: z.string(),
  sourceType: z.string(),
  collation: z.string().nullable(),
  nullable: z.boolean().nullable(),
  visible: z.boolean(),
  generated: z.boolean(),
});

export const tableDefinition: z.ZodType<TableDefinition> = z.strictObject({
  columns: z.array(column),
  key: z.strictObject({ index: z.string(), columns: z.array(z.string()) }).nullable(),
  collation: z.string().nullable(),
});

/** The definition of a table as the catalog has it. */
export function definitionOf(table: CatalogTable): TableDefinition {
  return {
    columns: table.columns.map(({ name, sourceType, collation, nullable, visible, generated }) => ({
      name,
      sourceType,
      collation,
      nullable,
      visible,
      generated: generated !== null,
    })),
    key: table.key,
    collation: table.collation,
  };
}
