import { MillraceError } from "../../core/errors.ts";
import { quoteIdentifier, type TableSchema } from "../../core/table-schema.ts";

/** Schemas that are DuckDB's or ours: a source schema of such a name gets `_` behind it. */
const RESERVED = new Set(["information_schema", "pg_catalog", "millrace", "temp", "system"]);

/**
 * The rule for names: a source table `shop.orders` is `orders` in DuckDB's schema `shop`, with every name kept to the
 * letter. Only the reserved schema names `information_schema`, `pg_catalog`, `millrace`, `temp` and `system` get a `_`
 * behind them. DuckDB's names do not differ by case alone: two that do are refused with `SINK_NAME_CLASH`.
 */
export interface TargetName {
  readonly schema: string;
  readonly table: string;
}

export function targetName(schema: TableSchema): TargetName {
  const reserved = RESERVED.has(schema.namespace.toLowerCase());
  return { schema: reserved ? `${schema.namespace}_` : schema.namespace, table: schema.name };
}

/** In full, with the file's own database name: a schema may be called as the database or as DuckDB's `temp`. */
export function qualifiedName(database: string, name: TargetName): string {
  return [database, name.schema, name.table].map(quoteIdentifier).join(".");
}

export function qualifiedSchema(database: string, name: TargetName): string {
  return [database, name.schema].map(quoteIdentifier).join(".");
}

/** The same for all spellings that DuckDB takes for one. */
export function foldedName({ schema, table }: TargetName): string {
  return JSON.stringify([schema.toLowerCase(), table.toLowerCase()]);
}

/** Columns that DuckDB cannot tell apart, or one that would hide the row id which keyless deletes need; null: neither. */
export function columnProblem(schema: TableSchema): MillraceError | null {
  const seen = new Map<string, string>();
  for (const { name } of schema.columns) {
    const folded = name.toLowerCase();
    const other = seen.get(folded);
    if (other !== undefined) return nameClash(schema, `its columns ${other} and ${name} differ only in case`);
    seen.set(folded, name);
    if (folded === "rowid" && schema.key.length === 0)
      return nameClash(
        schema,
        `it has no key, and its column ${name} hides the row id by which DuckDB tells rows apart`,
      );
  }
  return null;
}

export function checkColumnNames(schema: TableSchema): void {
  const problem = columnProblem(schema);
  if (problem !== null) throw problem;
}

export function nameClash(schema: TableSchema, why: string): MillraceError {
  return new MillraceError("SINK_NAME_CLASH", `Table ${schema.id} cannot be written to DuckDB: ${why}.`, {
    place: { table: schema.id },
  });
}
