import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import pg from "pg";
import { TestMysqlDatabase } from "./mysql.ts";
import { mysqlTable } from "./mysql-table.ts";
import { clientConfig, type PostgresAddress } from "./private-postgres.ts";
import { type Cell, plainFloat, type TextTable } from "./text-table.ts";

/** A database of PostgreSQL, by its address, or of MySQL or MariaDB. */
export type ComparedDatabase = (PostgresAddress & { readonly database: string }) | TestMysqlDatabase;

export interface Comparison {
  readonly source: ComparedDatabase;
  /** As SQL names it: `public.orders`; of MySQL its name alone. */
  readonly table: string;
  /** The file; nobody else may have it open. */
  readonly duckdb: string;
  /** The target's name as DuckDB's SQL quotes it. */
  readonly target: string;
}

const DIFFERENCES_MAX = 10;

/**
 * How the target's rows differ from the source's as they are now, as multisets of whole rows: empty where they are
 * equal. The first few differing keys are told, with the cells that differ.
 */
export async function tableDifferences(comparison: Comparison): Promise<readonly string[]> {
  const source = await sourceTable(comparison.source, comparison.table);
  const target = await duckdbTable(comparison, source.columns);
  return multisetDifferences(comparison.table, source, target);
}

/** A table of the source as it is now, in the texts that both sides are compared in. */
export async function sourceTable(database: ComparedDatabase, table: string): Promise<TextTable> {
  return database instanceof TestMysqlDatabase
    ? await mysqlTable(database, table)
    : await postgresTable(database, table);
}

async function postgresTable(
  source: PostgresAddress & { readonly database: string },
  table: string,
): Promise<TextTable> {
  const client = new pg.Client({
    ...clientConfig(source, source.database),
    options:
      "-c search_path=pg_catalog,public -c lc_monetary=C -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex",
  });
  await client.connect();
  try {
    const columns = await client.query<{ name: string; type: string; key: boolean }>(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type,
              attnum = ANY (coalesce((SELECT indkey FROM pg_index WHERE indrelid = attrelid AND indisprimary), '')) AS key
         FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
      [table],
    );
    const list = columns.rows.map(({ name, type }) => postgresText(pg.escapeIdentifier(name), type));
    const { rows } = await client.query<Cell[]>({ text: `SELECT ${list.join(", ")} FROM ${table}`, rowMode: "array" });
    return {
      columns: columns.rows.map(({ name }) => name),
      key: columns.rows.filter(({ key }) => key).map(({ name }) => name),
      rows: rows.map((row) => row.map((cell, i) => plainFloat(cell, floatBits(columns.rows[i]?.type ?? "")))),
    };
  } finally {
    await client.end();
  }
}

function postgresText(column: string, type: string): string {
  if (type === "bytea") return `encode(${column}, 'hex')`;
  if (type === "boolean") return `${column}::text`;
  // What the type's output function prints: a cast can be something else (inet, char(n)).
  return `CASE WHEN num_nulls(${column}) = 0 THEN format('%s', ${column}) END`;
}

async function duckdbTable({ duckdb, target }: Comparison, wanted: readonly string[]): Promise<TextTable> {
  const instance = await DuckDBInstance.create(duckdb, { access_mode: "READ_ONLY", memory_limit: "512MB" });
  try {
    const connection = await instance.connect();
    const read = await duckdbTexts(connection, target, wanted);
    connection.closeSync();
    return read;
  } finally {
    instance.closeSync();
  }
}

/** The same texts of a relation of DuckDB's, in an order where one is asked for. Of the wanted columns those that it has. */
export async function duckdbTexts(
  connection: DuckDBConnection,
  relation: string,
  wanted: readonly string[],
  orderedBy: string | null = null,
): Promise<TextTable> {
  await connection.run("SET TimeZone = 'UTC'");
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${relation}`);
  const types = new Map(described.getRows().map(([name, type]) => [String(name), String(type)]));
  const columns = wanted.filter((name) => types.has(name));
  const list = columns.map((name) => duckdbText(pg.escapeIdentifier(name), types.get(name) ?? ""));
  const order = orderedBy === null ? "" : ` ORDER BY ${orderedBy}`;
  const read = await connection.runAndReadAll(`SELECT ${list.join(", ")} FROM ${relation}${order}`);
  const rows = read
    .getRows()
    .map((row) => row.map((cell, i) => plainFloat(text(cell), floatBits(types.get(columns[i] ?? "") ?? ""))));
  return { columns, key: [], rows };
}

function duckdbText(column: string, type: string): string {
  return type === "BLOB" ? `lower(hex(${column}))` : asPostgres(`CAST(${column} AS VARCHAR)`, type);
}

function text(cell: unknown): Cell {
  return typeof cell === "string" ? cell : null;
}

/** As PostgreSQL prints it: the era behind the time, and a digit before the point. */
function asPostgres(text: string, type: string): string {
  if (/^(DATE|TIMESTAMP)/.test(type)) return `regexp_replace(${text}, '^(.*) \\(BC\\)(.*)$', '\\1\\2 BC')`;
  return type.startsWith("DECIMAL") ? `regexp_replace(${text}, '^(-?)\\.', '\\10.')` : text;
}

function floatBits(type: string): 32 | 64 | null {
  if (["real", "FLOAT"].includes(type)) return 32;
  return ["double precision", "DOUBLE"].includes(type) ? 64 : null;
}

/** Of two tables that have been read; the name is for the message. */
export function multisetDifferences(table: string, source: TextTable, target: TextTable): readonly string[] {
  const missingColumns = source.columns.filter((name) => !target.columns.includes(name));
  if (missingColumns.length > 0) return [`${table}: the target has no column ${missingColumns.join(", ")}`];
  const missing = surplus(source.rows, target.rows);
  const unexpected = surplus(target.rows, source.rows);
  if (missing.length === 0 && unexpected.length === 0) return [];
  const unexpectedByKey = new Map(unexpected.map((row) => [keyText(source, row), row]));
  const lines = missing.map((row) => {
    const key = keyText(source, row);
    const other = unexpectedByKey.get(key);
    unexpectedByKey.delete(key);
    return other === undefined
      ? `${key}: missing in the target`
      : `${key}: ${cellDifferences(source.columns, row, other)}`;
  });
  for (const key of unexpectedByKey.keys()) lines.push(`${key}: in the target alone`);
  const head = `${table}: ${source.rows.length} rows in the source, ${target.rows.length} in the target; ${missing.length} missing, ${unexpected.length} unexpected`;
  return [head, ...lines.slice(0, DIFFERENCES_MAX)];
}

/** Rows of `left` that `right` does not have, as often as it lacks them. */
function surplus(
  left: readonly (readonly Cell[])[],
  right: readonly (readonly Cell[])[],
): readonly (readonly Cell[])[] {
  const counts = new Map<string, number>();
  for (const row of right) {
    const key = JSON.stringify(row);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return left.filter((row) => {
    const key = JSON.stringify(row);
    const count = counts.get(key) ?? 0;
    counts.set(key, count - 1);
    return count <= 0;
  });
}

function keyText({ columns, key }: TextTable, row: readonly Cell[]): string {
  const shown = key.length === 0 ? columns : key;
  return `(${shown.map((name) => `${name}=${short(row[columns.indexOf(name)])}`).join(", ")})`;
}

function cellDifferences(columns: readonly string[], source: readonly Cell[], target: readonly Cell[]): string {
  return columns
    .flatMap((name, i) =>
      source[i] === target[i] ? [] : [`${name} is ${short(source[i])}, in the target ${short(target[i])}`],
    )
    .join("; ");
}

function short(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return "null";
  return cell.length > 40 ? `${cell.slice(0, 30)}… (${cell.length} characters)` : cell;
}
