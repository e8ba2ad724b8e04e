import type { TableSize } from "../../core/source.ts";
import { tableId, type TableId } from "../../core/table-schema.ts";
import { INDEX_COLUMNS, indexQuery, PRIMARY, tableKey, type IndexRow, type TableKey } from "./catalog-key.ts";
import type { Row, Session } from "./connection.ts";
import type { Flavour } from "./position.ts";
import { Errno, serverErrno } from "./server-error.ts";
import { quoteText } from "./sql-text.ts";

/** A column as `information_schema.COLUMNS` has it, generated and invisible ones too: the binlog has them all. */
export interface CatalogColumn {
  readonly name: string;
  /** `COLUMN_TYPE`: `decimal(12,2) unsigned`. */
  readonly sourceType: string;
  readonly collation: string | null;
  readonly nullable: boolean;
  readonly generated: "virtual" | "stored" | null;
  /** SELECT * has it. */
  readonly visible: boolean;
  /** A literal default, as the catalog prints it; null: none, or an expression. */
  readonly defaultText: string | null;
  /** The default is an expression, or a number that counts: what rows got by it, nothing tells. */
  readonly defaultIsExpression: boolean;
}

export interface CatalogTable extends TableKey {
  readonly namespace: string;
  readonly name: string;
  /** `TABLE_TYPE`: `BASE TABLE`, `VIEW`, MariaDB's `SYSTEM VERSIONED`. */
  readonly kind: string;
  readonly engine: string | null;
  /** What columns of text get where nothing else is said; null: a view. */
  readonly collation: string | null;
  readonly columns: readonly CatalogColumn[];
}

/** Schemas of the server's own. */
const SYSTEM_SCHEMAS = ["information_schema", "mysql", "performance_schema", "sys"];

const CASCADES = ["CASCADE", "SET NULL", "SET DEFAULT"];

export interface TableName {
  readonly namespace: string;
  readonly name: string;
}

/** No tables: what they have comes from elsewhere, or (MariaDB's sequences) is changed where the log has new rows. */
const NO_TABLES = ["VIEW", "SEQUENCE"];

/** Every table that the user may see, the server's own left out. */
export async function tableNames(session: Session, signal: AbortSignal): Promise<readonly TableName[]> {
  return await session.query<TableName>(
    `SELECT TABLE_SCHEMA AS namespace, TABLE_NAME AS name FROM information_schema.TABLES
     WHERE TABLE_SCHEMA NOT IN (?) AND TABLE_TYPE NOT IN (?) ORDER BY 1, 2`,
    [SYSTEM_SCHEMAS, NO_TABLES],
    signal,
  );
}

interface SizeRow {
  readonly rows: string | number | null;
  readonly bytes: string | number | null;
}

const SIZE_COLUMNS = "TABLE_ROWS AS `rows`, DATA_LENGTH AS bytes";

/** Of all tables of these schemas, by the server's statistics. */
export async function tableSizes(
  session: Session,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<TableId, TableSize>> {
  const where = "TABLE_SCHEMA IN (?)";
  const found = await session.query<TableName & SizeRow>(
    `SELECT TABLE_SCHEMA AS namespace, TABLE_NAME AS name, ${SIZE_COLUMNS} FROM information_schema.TABLES WHERE ${where}`,
    [namespaces],
    signal,
  );
  return new Map(found.map((row) => [tableId(row.namespace, row.name), sizeOf(row)]));
}

/**
 * The size of one table, as `tableSizes` has it, and the index of its key, as `tableByName` has it; null: there is no such
 * table. Of one with a primary key it asks for neither columns nor other indexes.
 */
export async function keyedTableSize(
  session: Session,
  table: TableName,
  signal: AbortSignal,
): Promise<(TableSize & { readonly index: string | null }) | null> {
  const script = [
    `SELECT ${SIZE_COLUMNS} FROM information_schema.TABLES WHERE ${isTable(table)}`,
    `SELECT ${INDEX_COLUMNS} FROM information_schema.STATISTICS WHERE ${isTable(table)} AND INDEX_NAME = '${PRIMARY}' ORDER BY SEQ_IN_INDEX`,
  ];
  const results = await session.script(script.join("; "), signal);
  const [[size], primary] = results as unknown as readonly [readonly SizeRow[], readonly IndexRow[]];
  if (size === undefined) return null;
  if (primary.length > 0) return { ...sizeOf(size), index: tableKey(primary, new Set()).key?.index ?? null };
  const catalog = await tableByName(session, table.namespace, table.name, signal);
  return catalog === null ? null : { ...sizeOf(size), index: catalog.key?.index ?? null };
}

function sizeOf({ rows, bytes }: SizeRow): TableSize {
  return { rows: Number(rows ?? 0), bytes: Number(bytes ?? 0) };
}

/** A foreign key that changes rows of its own table when those that they refer to are changed. */
export interface CascadingKey extends TableName {
  readonly constraint: string;
}

/** Of all tables that the user may see. */
export async function cascadingKeys(session: Session, signal: AbortSignal): Promise<readonly CascadingKey[]> {
  return await session.query<CascadingKey>(
    `SELECT CONSTRAINT_SCHEMA AS namespace, TABLE_NAME AS name, CONSTRAINT_NAME AS \`constraint\`
     FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE DELETE_RULE IN (?) OR UPDATE_RULE IN (?) ORDER BY 1, 2, 3`,
    [CASCADES, CASCADES],
    signal,
  );
}

/** A line of `information_schema.TABLES`, by `TABLE_COLUMNS`. */
interface TableRow {
  readonly kind: string;
  readonly engine: string | null;
  readonly collation: string | null;
}

/** A line of `information_schema.COLUMNS`, by `COLUMN_COLUMNS`. */
interface ColumnRow {
  readonly name: string;
  readonly sourceType: string;
  readonly collation: string | null;
  readonly nullable: string;
  readonly defaultText: string | null;
  readonly extra: string;
  readonly expression: string | null;
}

export const TABLE_COLUMNS = "TABLE_TYPE AS kind, ENGINE AS engine, TABLE_COLLATION AS collation";
export const COLUMN_COLUMNS =
  "COLUMN_NAME AS name, COLUMN_TYPE AS sourceType, COLLATION_NAME AS collation, IS_NULLABLE AS nullable, COLUMN_DEFAULT AS defaultText, EXTRA AS extra, GENERATION_EXPRESSION AS expression";

/** What the servers say of a table that is not there, was dropped between two questions, or is not for us. */
const NOT_SEEN: readonly (number | null)[] = [Errno.noSuchTable, Errno.unknownDatabase, Errno.tableAccessDenied];

/** Null: there is no such table, or none that we may see. */
export async function tableByName(
  session: Session,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<CatalogTable | null> {
  const table = { namespace, name };
  try {
    return catalogTable(session.flavour, table, await session.script(catalogScript(table).join("; "), signal));
  } catch (error) {
    if (NOT_SEEN.includes(serverErrno(error))) return null;
    throw error;
  }
}

/** The statements that ask for a table: others may share their round trip. The last fails where there is none. */
export function catalogScript(table: TableName): readonly string[] {
  const ofTable = isTable(table);
  return [
    `SELECT ${TABLE_COLUMNS} FROM information_schema.TABLES WHERE ${ofTable}`,
    `SELECT ${COLUMN_COLUMNS} FROM information_schema.COLUMNS WHERE ${ofTable} ORDER BY ORDINAL_POSITION`,
    indexQuery(table),
  ];
}

function isTable({ namespace, name }: TableName): string {
  return `TABLE_SCHEMA = ${quoteText(namespace)} AND TABLE_NAME = ${quoteText(name)}`;
}

/** The table, from what its `catalogScript` has answered. Null: as `tableByName`. */
export function catalogTable(
  flavour: Flavour,
  { namespace, name }: TableName,
  results: readonly (readonly Row[])[],
): CatalogTable | null {
  const [[table], rows, indexes] = results as unknown as readonly [
    tables: readonly TableRow[],
    columns: readonly ColumnRow[],
    indexes: readonly IndexRow[],
  ];
  if (table === undefined) return null;
  const columns = rows.map(flavour === "mariadb" ? (row) => mariadbDefault(catalogColumn(row)) : catalogColumn);
  const virtual = columns.filter(({ generated }) => generated === "virtual").map((column) => column.name);
  return {
    namespace,
    name,
    kind: table.kind,
    engine: table.engine,
    collation: table.collation,
    columns,
    ...tableKey(indexes, new Set(virtual)),
  };
}

/** What an expression looks like where `EXTRA` does not say so: MariaDB prints literals quoted or as numbers. */
const MARIADB_LITERAL = /^(?:'(?:[^']|'')*'|-?[0-9][0-9.eE+-]*|NULL)$/;

function catalogColumn(row: ColumnRow): CatalogColumn {
  const extra = row.extra.toUpperCase();
  const mysqlExpression = extra.includes("DEFAULT_GENERATED");
  return {
    name: row.name,
    sourceType: row.sourceType,
    collation: row.collation,
    nullable: row.nullable === "YES",
    generated: (row.expression ?? "") === "" ? null : extra.includes("VIRTUAL") ? "virtual" : "stored",
    visible: !extra.includes("INVISIBLE"),
    defaultText: mysqlExpression ? null : row.defaultText,
    defaultIsExpression: mysqlExpression || extra.includes("AUTO_INCREMENT"),
  };
}

/** MariaDB prints a default as it would stand in a statement; this is the value that it means, or that it is no literal. */
function mariadbDefault(column: CatalogColumn): CatalogColumn {
  const text = column.defaultText;
  if (text === null) return column;
  if (!MARIADB_LITERAL.test(text)) return { ...column, defaultText: null, defaultIsExpression: true };
  if (text === "NULL") return { ...column, defaultText: null };
  const quoted = text.startsWith("'");
  return { ...column, defaultText: quoted ? text.slice(1, -1).replaceAll("''", "'") : text };
}
