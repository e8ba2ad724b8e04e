import { createHash } from "node:crypto";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import type pg from "pg";
import type { ShopTable } from "./shop.ts";

export interface TableVerdict {
  readonly table: string;
  readonly sourceRows: number;
  readonly warehouseRows: number;
  /** Over the whole text of every row, whatever their order. */
  readonly sourceChecksum: string;
  readonly warehouseChecksum: string;
  /** Some of the keys that differ. */
  readonly differences: readonly string[];
}

const DIFFERENCES_MAX = 5;

const MICROSECONDS = {
  postgres: (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint::text`,
  duckdb: (column: string) => `epoch_us(${column})::varchar`,
} as const;
type Dialect = keyof typeof MICROSECONDS;

/** A row as one text, in which NULL differs from every value, and no two rows run together. */
function rowText(table: ShopTable, dialect: Dialect): string {
  const cells = table.columns.map(({ name, as }) => {
    const cell = as === "microseconds" ? MICROSECONDS[dialect](name) : castToText(name, dialect);
    return `coalesce(${as === "text" ? `length(${cell}) || ':' || ` : ""}${cell}, 'null')`;
  });
  return cells.join(" || ',' || ");
}

function castToText(expression: string, dialect: Dialect): string {
  return `${expression}::${dialect === "postgres" ? "text" : "varchar"}`;
}

function keyText(table: ShopTable, dialect: Dialect): string {
  return table.key.map((column) => castToText(column, dialect)).join(" || ' ' || ");
}

/** 15 hexadecimal digits fit a bigint of either database. */
function digits(from: number, dialect: Dialect): string {
  const part = `substr(hash, ${from}, 15)`;
  return dialect === "postgres" ? `('x0' || ${part})::bit(64)::bigint` : `('0x' || ${part})::bigint`;
}

/** Rows, and the sums of two independent parts of the rows' md5: equal for equal rows in any order. */
function checksumQuery(table: ShopTable, dialect: Dialect): string {
  const sum = (from: number): string => castToText(`coalesce(sum(${digits(from, dialect)}), 0)`, dialect);
  return `select ${castToText("count(*)", dialect)}, ${sum(1)}, ${sum(16)}
    from (select md5(${rowText(table, dialect)}) as hash from public.${table.name}) as hashed`;
}

/** Compares a table of the quiet source with the warehouse's, row by row. */
export async function compareTable(
  source: pg.Client,
  warehouse: DuckDBConnection,
  table: ShopTable,
): Promise<TableVerdict> {
  const [fromSource, fromWarehouse] = await Promise.all([
    source.query<string[]>({ text: checksumQuery(table, "postgres"), rowMode: "array" }),
    warehouse.runAndReadAll(checksumQuery(table, "duckdb")),
  ]);
  const [sourceRows = "0", ...sourceSums] = fromSource.rows[0] ?? [];
  const [warehouseRows = "0", ...warehouseSums] = (fromWarehouse.getRows()[0] ?? []).map(String);
  const verdict = {
    table: table.name,
    sourceRows: Number(sourceRows),
    warehouseRows: Number(warehouseRows),
    sourceChecksum: checksum(sourceSums),
    warehouseChecksum: checksum(warehouseSums),
  };
  const differences = isEqual(verdict) ? [] : await differingKeys(source, warehouse, table);
  return { ...verdict, differences };
}

export function isEqual(verdict: Omit<TableVerdict, "differences">): boolean {
  return verdict.sourceRows === verdict.warehouseRows && verdict.sourceChecksum === verdict.warehouseChecksum;
}

/** One short text for both sums. */
function checksum(sums: readonly string[]): string {
  return createHash("sha256").update(sums.join()).digest("hex").slice(0, 16);
}

async function differingKeys(
  source: pg.Client,
  warehouse: DuckDBConnection,
  table: ShopTable,
): Promise<readonly string[]> {
  const query = (dialect: Dialect): string =>
    `select ${keyText(table, dialect)} as key, md5(${rowText(table, dialect)}) as hash from public.${table.name}`;
  const fromSource = await source.query<[string, string]>({ text: query("postgres"), rowMode: "array" });
  const fromWarehouse = await warehouse.runAndReadAll(query("duckdb"));
  const left = new Map(fromSource.rows);
  const found: string[] = [];
  for (const [key, hash] of fromWarehouse.getRows().map((row) => row.map(String))) {
    const expected = left.get(key!);
    left.delete(key!);
    if (expected === undefined) found.push(`${key}: only in the warehouse`);
    else if (expected !== hash) found.push(`${key}: differs`);
  }
  for (const key of left.keys()) found.push(`${key}: missing in the warehouse`);
  return found.length <= DIFFERENCES_MAX
    ? found
    : [...found.slice(0, DIFFERENCES_MAX), `and ${found.length - DIFFERENCES_MAX} more`];
}

/** Opens the file, which nobody else may have open, for `use`. */
export async function withWarehouse<Result>(
  file: string,
  use: (warehouse: DuckDBConnection) => Promise<Result>,
): Promise<Result> {
  const instance = await DuckDBInstance.create(file, { access_mode: "READ_ONLY" });
  try {
    const connection = await instance.connect();
    try {
      return await use(connection);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}
