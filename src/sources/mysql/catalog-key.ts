import { tableName } from "./sql-text.ts";

/** The index that tells a table's rows apart. */
export interface CatalogKey {
  /** `PRIMARY`, or a unique index's name. */
  readonly index: string;
  /** In its order. */
  readonly columns: readonly string[];
}

export interface TableKey {
  /** Null: none. */
  readonly key: CatalogKey | null;
  /** There is a primary key, on the first characters of a column: it tells rows apart, but none is found by it. */
  readonly keyHasPrefix: boolean;
  /** MariaDB keeps a unique index on long columns by a hash of them, in a column of its own that only the log shows. */
  readonly hashedIndex: string | null;
}

/** A line of `indexQuery`'s answer: a part of an index. */
export interface IndexRow {
  readonly Key_name: string;
  readonly Non_unique: string | number;
  /** Null: an expression. */
  readonly Column_name: string | null;
  readonly Sub_part: string | number | null;
  readonly Null: string | null;
  readonly Index_type: string;
}

export const PRIMARY = "PRIMARY";
export const HASH = "HASH";

/** What `information_schema.STATISTICS` has of an `IndexRow`. */
export const INDEX_COLUMNS =
  "INDEX_NAME AS Key_name, NON_UNIQUE AS Non_unique, COLUMN_NAME AS Column_name, SUB_PART AS Sub_part, NULLABLE AS `Null`, INDEX_TYPE AS Index_type";

export function indexQuery(table: { readonly namespace: string; readonly name: string }): string {
  return `SHOW INDEX FROM ${tableName(table)}`;
}

/**
 * What both servers take for a table's key, and name in the binlog as such: the primary key; where there is none, the first
 * unique index of whole columns that cannot be null. `virtual`: columns that are generated when they are read, by which no
 * row is found. The servers list indexes in the order in which they look at them.
 */
export function tableKey(parts: readonly IndexRow[], virtual: ReadonlySet<string>): TableKey {
  const names = [...new Set(parts.map((part) => part.Key_name))];
  const key = names
    .map((index) => ({ index, parts: parts.filter((part) => part.Key_name === index) }))
    .find((candidate) => candidate.index === PRIMARY || candidate.parts.every((part) => identifies(part, virtual)));
  const keyHasPrefix = key?.parts.some(({ Sub_part }) => Sub_part !== null) === true;
  const hashedIndex = parts.find(({ Index_type }) => Index_type === HASH)?.Key_name ?? null;
  if (key === undefined || keyHasPrefix) return { key: null, keyHasPrefix, hashedIndex };
  const columns = key.parts.map((part) => part.Column_name!);
  return { key: { index: key.index, columns }, keyHasPrefix, hashedIndex };
}

/** MariaDB's unique index on long columns is a hash of them, and no key. */
function identifies(part: IndexRow, virtual: ReadonlySet<string>): boolean {
  const { Non_unique, Column_name, Sub_part, Null, Index_type } = part;
  if (Number(Non_unique) !== 0 || Column_name === null || virtual.has(Column_name)) return false;
  return Sub_part === null && Null !== "YES" && Index_type === "BTREE";
}
