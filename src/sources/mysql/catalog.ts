import { tableKey, type TableKey } from "./catalog-key.ts";
import type { Session } from "./connection.ts";
import { Errno, serverErrno } from "./server-error.ts";

/** A column as `information_schema.COLUMNS` has it, generated and invisible ones too: the binlog has them all. */
export interface CatalogColumn {
  readonly name: string;
  /** `COLUMN_TYPE`: `decimal(12,2) unsigned`. */
  readonly sourceType: string;
  readonly collation: string | null;
  readonly nullable: boolean;
  readonly generated: "virtual" | "stored" | null;
  /** A literal default, as the catalog prints it; null: none, or an expression. */
  readonly defaultText: string | null;
  /** The default is an expression: what rows got by it, nothing tells. */
  readonly defaultIsExpression: boolean;
}

export interface CatalogTable extends TableKey {
  readonly namespace: string;
  readonly name: string;
  readonly kind: "table" | "view" | "other";
  readonly engine: string | null;
  readonly columns: readonly CatalogColumn[];
  /** By the server's statistics. */
  readonly rowsEstimate: number;
  readonly bytesEstimate: number;
}

/** Schemas of the server's own. */
const SYSTEM_SCHEMAS = ["information_schema", "mysql", "performance_schema", "sys"];

export interface TableName {
  readonly namespace: string;
  readonly name: string;
}

/** Every table that the user may see, the server's own left out. */
export async function tableNames(session: Session, signal: AbortSignal): Promise<readonly TableName[]> {
  return await session.query<TableName>(
    `SELECT TABLE_SCHEMA AS namespace, TABLE_NAME AS name FROM information_schema.TABLES
     WHERE TABLE_SCHEMA NOT IN (?) AND TABLE_TYPE <> 'VIEW' ORDER BY 1, 2`,
    [SYSTEM_SCHEMAS],
    signal,
  );
}

interface TableRow {
  readonly kind: string;
  readonly engine: string | null;
  readonly rows: string | number | null;
  readonly bytes: string | number | null;
}

interface ColumnRow {
  readonly name: string;
  readonly sourceType: string;
  readonly collation: string | null;
  readonly nullable: string;
  readonly defaultText: string | null;
  readonly extra: string;
  readonly expression: string | null;
}

/** Null: there is no such table, or none that we may see. */
export async function tableByName(
  session: Session,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<CatalogTable | null> {
  try {
    return await readTable(session, namespace, name, signal);
  } catch (error) {
    // Dropped between two questions about it.
    if (serverErrno(error) === Errno.noSuchTable) return null;
    throw error;
  }
}

async function readTable(
  session: Session,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<CatalogTable | null> {
  const [table] = await session.query<TableRow>(
    `SELECT TABLE_TYPE AS kind, ENGINE AS engine, TABLE_ROWS AS \`rows\`, DATA_LENGTH AS bytes
     FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`,
    [namespace, name],
    signal,
  );
  if (table === undefined) return null;
  const rows = await session.query<ColumnRow>(
    `SELECT COLUMN_NAME AS name, COLUMN_TYPE AS sourceType, COLLATION_NAME AS collation, IS_NULLABLE AS nullable,
       COLUMN_DEFAULT AS defaultText, EXTRA AS extra, GENERATION_EXPRESSION AS expression
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    [namespace, name],
    signal,
  );
  const columns = rows.map(session.flavour === "mariadb" ? (row) => mariadbDefault(catalogColumn(row)) : catalogColumn);
  const virtual = columns.filter(({ generated }) => generated === "virtual").map((column) => column.name);
  return {
    namespace,
    name,
    kind: table.kind === "BASE TABLE" ? "table" : table.kind === "VIEW" ? "view" : "other",
    engine: table.engine,
    columns,
    ...(await tableKey(session, namespace, name, new Set(virtual), signal)),
    rowsEstimate: Number(table.rows ?? 0),
    bytesEstimate: Number(table.bytes ?? 0),
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
    defaultText: mysqlExpression ? null : row.defaultText,
    defaultIsExpression: mysqlExpression,
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
