import { duckdbType, existingRowsDefault, quoteText } from "../../formats/duckdb-sql.ts";
import { quoteIdentifier, type ColumnSchema } from "../../core/table-schema.ts";
import { CHANGE_COLUMNS, type TableEntry } from "./schema.ts";

const { op, sequence, version, unknown } = CHANGE_COLUMNS;

/**
 * DuckDB's SELECT of the rows that a table has now, by its log of changes: `_schema/present.sql`. `files` is a glob of the
 * incarnation's files (a later one may have other types). Per key: what came behind its last delete and behind the table's
 * last emptying, from its first whole row on, each column by the last row that knows it.
 */
export function presentQuery(entry: TableEntry, files: string): string {
  const { schema } = entry;
  // A column may be in no file yet.
  const columns = schema.columns.map(
    ({ name, type }) => `CAST(NULL AS ${duckdbType(type)}) AS ${quoteIdentifier(name)}`,
  );
  const rows = ctes(`SELECT * FROM read_parquet(${quoteText(files)}, union_by_name = true, hive_partitioning = false)
  UNION ALL BY NAME SELECT ${columns.join(", ")} WHERE false`);
  return `${schema.key.length === 0 ? keyless(entry, rows) : keyed(entry, rows)}\n`;
}

/**
 * A value that rows are told apart by. DuckDB takes −0 for 0 there, and may give the one for the other: texts, which it reads
 * back exactly, it does not.
 */
function told({ type }: ColumnSchema, value: string): string {
  return type.kind === "float" ? `CAST(${value} AS VARCHAR)` : value;
}

function readBack({ name, type }: ColumnSchema): string {
  const quoted = quoteIdentifier(name);
  return type.kind === "float" ? `CAST(${quoted} AS ${duckdbType(type)}) AS ${quoted}` : quoted;
}

/** The file names that a table's incarnation has, in its folder and in those of its partitions. */
export function incarnationGlob(place: string, pipeline: string, { folder, incarnation }: TableEntry): string {
  return `${place}/${folder}/**/${pipeline}-i${incarnation}-*.parquet`;
}

function ctes(log: string): string {
  return `WITH log AS (
  ${log}
), since AS (
  SELECT * FROM log
  WHERE ${op} <> 't' AND ${sequence} > coalesce((SELECT max(${sequence}) FROM log WHERE ${op} = 't'), -1)
)`;
}

function keyed(entry: TableEntry, start: string): string {
  const { schema } = entry;
  const keys = schema.key.map((i) => told(schema.columns[i]!, quoteIdentifier(schema.columns[i]!.name))).join(", ");
  const cells = schema.columns.map((column, i) =>
    schema.key.includes(i) ? keyCell(column) : `${lastKnown(entry, column, i)} AS ${quoteIdentifier(column.name)}`,
  );
  return `${start}, ended AS (
  SELECT *, max(${sequence}) FILTER (WHERE ${op} = 'd') OVER (PARTITION BY ${keys}) AS _ended FROM since
), living AS (
  SELECT *, min(${sequence}) FILTER (WHERE ${unknown} IS NULL) OVER (PARTITION BY ${keys}) AS _born
  FROM ended WHERE ${sequence} > coalesce(_ended, -1)
)
SELECT ${cells.join(",\n  ")}
FROM living WHERE ${sequence} >= _born
GROUP BY ${keys}`;
}

/** The rows of a key may be called by it in its text alone. */
function keyCell(column: ColumnSchema): string {
  const name = quoteIdentifier(column.name);
  if (column.type.kind !== "float") return name;
  return `CAST(${told(column, name)} AS ${duckdbType(column.type)}) AS ${name}`;
}

/** Where no row of the key knows the column, they are all older than it: it has the value that rows then had. */
function lastKnown(entry: TableEntry, column: ColumnSchema, i: number): string {
  const conditions = [`NOT list_contains(coalesce(${unknown}, []), ${quoteText(column.name)})`];
  const { since } = entry.columns[i]!;
  if (since > firstVersion(entry)) conditions.push(`${version} >= ${since}`);
  const known = conditions.join(" AND ");
  const last = lastValue(column, known);
  if (column.existingRowsDefault === null) return last;
  return `CASE WHEN bool_or(${known}) THEN ${last} ELSE ${existingRowsDefault(column)} END`;
}

/** DuckDB has an aggregate of its own for doubles, and orders floats by a form in which −0 is 0. */
function lastValue({ name, type }: ColumnSchema, known: string): string {
  const [value, filter] = [quoteIdentifier(name), `FILTER (WHERE ${known})`];
  if (type.kind !== "float" || type.bits !== 32) return `arg_max_null(${value}, ${sequence}) ${filter}`;
  return `CAST(arg_max_null(CAST(${value} AS DOUBLE), ${sequence}) ${filter} AS FLOAT)`;
}

function firstVersion({ columns }: TableEntry): number {
  return Math.min(...columns.map(({ since }) => since));
}

/** Of identical rows there are as many as were inserted and not deleted since; a delete that found none was nothing. */
function keyless(entry: TableEntry, start: string): string {
  const { schema, columns } = entry;
  const first = firstVersion(entry);
  const cells = schema.columns.map((column, i) => {
    const name = quoteIdentifier(column.name);
    const { since } = columns[i]!;
    if (since === first) return `${told(column, name)} AS ${name}`;
    const value = `CASE WHEN ${version} >= ${since} THEN ${name} ELSE ${existingRowsDefault(column)} END`;
    return `${told(column, value)} AS ${name}`;
  });
  const names = schema.columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  return `${start}, cells AS (
  SELECT ${cells.join(", ")}, ${sequence}, CASE WHEN ${op} = 'd' THEN -1 ELSE 1 END AS _count FROM since
), running AS (
  SELECT *, sum(_count) OVER (PARTITION BY ${names} ORDER BY ${sequence}) AS _running FROM cells
), counted AS (
  SELECT ${names}, arg_max(_running, ${sequence}) - least(0, min(_running)) AS _count FROM running GROUP BY ${names}
)
SELECT ${schema.columns.map(readBack).join(", ")} FROM counted, range(_count::BIGINT)`;
}
