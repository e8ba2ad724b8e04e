import { MillraceError } from "../../core/errors.ts";
import type { ChunkRange } from "../../core/chunk.ts";
import type { ValueRules } from "../../core/source.ts";
import { keyColumns, quoteIdentifier, type TableSchema } from "../../core/table-schema.ts";
import { catalogQuery, catalogTables, type CatalogTable } from "./catalog.ts";
import type { Row, Session } from "./connection.ts";
import { PgCut } from "./position.ts";
import { changedError, followCatalog, selectList } from "./schema.ts";
import { sqlState } from "./server-error.ts";
import { keyList, quoteLiteral, rangeCondition, tableName, typed } from "./sql-text.ts";
import { INSERT_POSITION, insertPosition, type WalPlace } from "./wal-bound.ts";

/** What the catalog says of one table. It is asked for with every chunk, and takes the server longer to plan than to answer. */
const TABLE_STATEMENT = "millrace_table";
const TABLE_SQL = `(regclass) AS ${catalogQuery("c.oid = $1")}`;

const UNDEFINED_TABLE = "42P01";
const UNDEFINED_SCHEMA = "3F000";

/** A table in an open transaction: locked as by a SELECT, in the shape that it really has there. */
export interface OpenedTable {
  readonly cut: PgCut;
  readonly catalog: CatalogTable;
  readonly schema: TableSchema;
}

/**
 * Begins the transaction in which a table is read (design §5). The lock comes before the snapshot: a rewrite or TRUNCATE
 * that commits between the two would make the read silently empty. An error ends the transaction.
 */
export async function openTable(
  session: Session,
  known: TableSchema,
  rules: ValueRules,
  settings: readonly string[],
  signal: AbortSignal,
): Promise<OpenedTable> {
  const name = tableName(known);
  const script = [
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    ...settings.map((setting) => `SET LOCAL ${setting}`),
    `LOCK TABLE ${name} IN ACCESS SHARE MODE`,
    `SELECT pg_current_snapshot()::text AS snapshot, ${INSERT_POSITION}`,
    `EXECUTE ${TABLE_STATEMENT} (${quoteLiteral(name)})`,
  ];
  await session.prepare(TABLE_STATEMENT, TABLE_SQL, signal);
  let results: readonly (readonly Row[])[];
  try {
    results = await session.script(script.join(";\n"), signal);
  } catch (error) {
    const state = sqlState(error);
    if (state === UNDEFINED_TABLE || state === UNDEFINED_SCHEMA)
      throw changedError(known.id, "it was dropped or renamed");
    throw error;
  }
  const place = results.at(-2)![0] as unknown as WalPlace & { snapshot: string };
  const catalog = catalogTables(results.at(-1)!)[0];
  const schema = followCatalog(known, catalog ?? null, rules);
  if (schema instanceof MillraceError || catalog === undefined) {
    await session.script("ROLLBACK", signal);
    throw schema instanceof MillraceError ? schema : changedError(known.id, "it was dropped or renamed");
  }
  return { cut: new PgCut(place.snapshot, insertPosition(place)), catalog, schema };
}

/** The table as `t`. `ONLY`: rows of an inheriting table are not this one's; those of a partition are. */
export function fromClause(schema: TableSchema, catalog: Pick<CatalogTable, "kind">): string {
  return `FROM ${catalog.kind === "partitioned" ? "" : "ONLY "}${tableName(schema)} AS t`;
}

/** The statement before those that compare keys whose operators live in these schemas, outside pg_catalog; empty: not needed. */
export function operatorPath(schemas: readonly string[]): string {
  if (schemas.length === 0) return "";
  return `SET LOCAL search_path = pg_catalog, ${schemas.map(quoteIdentifier).join(", ")}; `;
}

/** Copies a range in key order, at most `rowsMax` rows; ends the transaction. */
export function rangeCopy(schema: TableSchema, catalog: CatalogTable, range: ChunkRange, rowsMax: number): string {
  const order = schema.key.length === 0 ? "" : ` ORDER BY ${keyList(schema)} LIMIT ${rowsMax}`;
  const select = `SELECT ${selectList(schema, catalog)} ${fromClause(schema, catalog)}${rangeCondition(schema, range)}${order}`;
  return `${operatorPath(catalog.key?.operatorSchemas ?? [])}COPY (${select}) TO STDOUT (FORMAT binary); COMMIT`;
}

/**
 * Copies the rows that have one of the keys; ends the transaction. `texts` has a list of printed values for each key
 * column. The keys drive the join, and each is looked up in the key's index.
 */
export function keysCopy(schema: TableSchema, catalog: CatalogTable, texts: readonly (readonly string[])[]): string {
  const columns = keyColumns(schema);
  const arrays = texts.map((list) => `${quoteLiteral(arrayText(list))}::text[]`).join(", ");
  const names = columns.map((_, i) => `k${i}`).join(", ");
  const wanted = `SELECT DISTINCT ${names} FROM unnest(${arrays}) given(${names})`;
  const equal = columns.map((column, i) => `t.${quoteIdentifier(column.name)} = ${typed(column, `wanted.k${i}`)}`);
  const rows = `SELECT t.* ${fromClause(schema, catalog)} JOIN (${wanted}) wanted ON ${equal.join(" AND ")}`;
  const select = `SELECT ${selectList(schema, catalog)} FROM (${rows}) found`;
  return `${operatorPath(catalog.key?.operatorSchemas ?? [])}COPY (${select}) TO STDOUT (FORMAT binary); COMMIT`;
}

/** As the input function of text arrays reads it. */
function arrayText(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(",")}}`;
}
