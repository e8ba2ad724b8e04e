import type { Brand } from "./brand.ts";
import type { Json } from "./json.ts";
import type { LogicalType } from "./logical-type.ts";

/** A source table's name in the whole house: `schema.table`, each part quoted (`"odd.name"`) unless it is a plain lower-case word. */
export type TableId = Brand<string, "TableId">;

const PLAIN = /^[a-z_][a-z0-9_$]*$/;

/** `"` doubled and around, as SQL quotes an identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function tableId(namespace: string, name: string): TableId {
  const part = (p: string): string => (PLAIN.test(p) ? p : quoteIdentifier(p));
  return `${part(namespace)}.${part(name)}` as TableId;
}

export interface ColumnSchema {
  readonly name: string;
  readonly type: LogicalType;
  readonly nullable: boolean;
  /** The source's own name of the type, as its catalog prints it: `numeric(12,2)`, `shop.mood[]`. */
  readonly sourceType: string;
  /** The collation, where the type has one: a change of it changes the order that chunks are cut by. */
  readonly collation: string | null;
  /**
   * For a column added while the pipeline runs: the value that rows written before it have, in the source's text form;
   * null where they have NULL.
   */
  readonly existingRowsDefault: string | null;
}

/**
 * One version of a table's shape. `key` are indices into `columns`, in the order of the primary key; empty for a table
 * without one, whose changes then carry whole rows (a delete removes exactly one of identical rows).
 */
export interface TableSchema {
  readonly id: TableId;
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  readonly columns: readonly ColumnSchema[];
  readonly key: readonly number[];
  /**
   * What the source needs beside it to read the log's rows of this version, in its own form: a log that does not say what
   * its rows are made of is read by the table's definition at that place of it. Not there: nothing.
   */
  readonly definition?: Json;
}

/** The same shape with that definition; undefined: with none. */
export function withDefinition(
  { id, namespace, name, version, columns, key }: TableSchema,
  definition: Json | undefined,
): TableSchema {
  const shape = { id, namespace, name, version, columns, key };
  return definition === undefined ? shape : { ...shape, definition };
}

export function keyColumns(schema: TableSchema): readonly ColumnSchema[] {
  return schema.key.map((i) => schema.columns[i]!);
}
