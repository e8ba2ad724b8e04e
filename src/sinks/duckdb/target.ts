import { quoteIdentifier, type TableId, type TableSchema } from "../../core/table-schema.ts";
import { maskCount } from "./change-rows.ts";
import { duckdbType, existingRowsDefault } from "../../formats/duckdb-sql.ts";
import type { TargetName } from "./target-name.ts";

/** A target table and the tables that serve it, as the SQL of this folder speaks of them. */
export interface Target {
  readonly id: TableId;
  readonly name: TargetName;
  /** Qualified and quoted. */
  readonly table: string;
  readonly schema: TableSchema;
  /** The side table of keys the log has touched since the snapshot began, qualified; null: not in a snapshot. */
  readonly touched: string | null;
  /** The temporary tables of the epoch: its changes, the last one of each key, rows that partial updates were laid over. */
  readonly changes: string;
  readonly last: string;
  readonly laid: string;
}

export function quotedColumns(target: Target): string {
  return target.schema.columns.map((column) => quoteIdentifier(column.name)).join(", ");
}

/** The target's columns out of a relation that `feedColumns` describes; those the batch lacks get their default. */
export function cellsOf(target: Target, mapping: readonly number[], relation: string): string {
  return mapping
    .map((place, i) => (place < 0 ? existingRowsDefault(target.schema.columns[i]!) : `${relation}.c${i}`))
    .join(", ");
}

/** `a.x = b.y AND …` over the key, each side given as what a key column is called there. */
export function sameKey(
  target: Target,
  a: (column: number, part: number) => string,
  b: (column: number, part: number) => string,
): string {
  return target.schema.key.map((column, part) => `${a(column, part)} = ${b(column, part)}`).join(" AND ");
}

export function targetKey(target: Target, alias: string): (column: number) => string {
  return (column) => `${alias}.${quoteIdentifier(target.schema.columns[column]!.name)}`;
}

export const changeKey =
  (alias: string): ((column: number) => string) =>
  (column) =>
    `${alias}.c${column}`;

export const lastKey =
  (alias: string): ((column: number, part: number) => string) =>
  (_column, part) =>
    `${alias}.k${part}`;

function masksOf(target: Target): readonly string[] {
  return Array.from({ length: maskCount(target.schema) }, (_, i) => `__absent${i}`);
}

export function createChangesSql(target: Target): string {
  const cells = target.schema.columns.map((column, i) => `c${i} ${duckdbType(column.type)}`);
  const own = ["__op", "__seq", ...masksOf(target)].map((name) => `${name} INTEGER`);
  return `CREATE TEMP TABLE ${target.changes} (${[...cells, ...own].join(", ")})`;
}

export function createTouchedSql(touched: string, schema: TableSchema): string {
  return `CREATE TABLE ${touched} (${schema.key.map((i, part) => `k${part} ${duckdbType(schema.columns[i]!.type)}`).join(", ")})`;
}

export function insertChangesSql(target: Target, mapping: readonly number[], relation: string, where = ""): string {
  const own = ["__op", "__seq", ...masksOf(target)].map((name) => `f.${name}`).join(", ");
  return `INSERT INTO ${target.changes} SELECT ${cellsOf(target, mapping, "f")}, ${own} FROM ${relation} f ${where}`;
}

export function insertRowsSql(target: Target, mapping: readonly number[], relation: string, where = ""): string {
  const into = `INSERT INTO ${target.table} (${quotedColumns(target)})`;
  return `${into} SELECT ${cellsOf(target, mapping, "f")} FROM ${relation} f ${where}`;
}
