import { MillraceError } from "../../core/errors.ts";
import type { ChunkRange, KeyBound } from "../../core/chunk.ts";
import { keyColumns, type TableSchema } from "../../core/table-schema.ts";
import { tableByName } from "./catalog.ts";
import type { Row, Session } from "./connection.ts";
import { snapshotCut, snapshotScript } from "./cut.ts";
import { keysCondition, rangeCondition } from "./key-condition.ts";
import type { MysqlTypeRules } from "./mysql-type.ts";
import type { LogCut } from "./position.ts";
import { changedError, followCatalog } from "./schema.ts";
import type { Selection } from "./selection.ts";
import { Errno, serverErrno } from "./server-error.ts";
import { columnList, tableName } from "./sql-text.ts";

/** A table that is altered again and again just when it is opened. */
const OPENINGS_MAX = 5;
/** With many more in one statement, the servers give up on ranges and scan. */
const KEYS_MAX = 500;
/** Consistent snapshots are InnoDB's, and InnoDB's tables are their primary key's index. */
const BY_KEY = "FORCE INDEX (PRIMARY)";

/** A table in an open transaction, in the shape that it really has there. */
export interface OpenedTable {
  readonly cut: LogCut;
  readonly schema: TableSchema;
}

/**
 * Begins the transaction in which a table is read (design §5). The first row read locks the table's definition (a
 * metadata lock, to the end of the transaction), so its shape is asked for behind that. What alters the table between the
 * snapshot and the lock, the server mostly refuses to read over, and we begin again. The rest (MariaDB reads an old
 * snapshot in a new shape, and a table renamed to this name by what it had in it then) the log tells: the bound is asked
 * for behind the lock, so the log reader has passed the alteration, which is not in the cut, before the chunk enters. An
 * error ends the transaction.
 */
export async function openTable(
  session: Session,
  known: TableSchema,
  rules: MysqlTypeRules,
  signal: AbortSignal,
): Promise<OpenedTable> {
  const script = snapshotScript(session, `SELECT 1 ${fromClause(known)} LIMIT 1`);
  const results = await runOpening(session, script.join("; "), known, signal);
  try {
    const cut = snapshotCut(session, results);
    const schema = followCatalog(known, await tableByName(session, known.namespace, known.name, signal), rules);
    if (schema instanceof MillraceError) throw schema;
    return { cut, schema };
  } catch (error) {
    if (!session.broken) await session.query("ROLLBACK", [], signal);
    throw error;
  }
}

async function runOpening(
  session: Session,
  script: string,
  known: TableSchema,
  signal: AbortSignal,
): Promise<readonly (readonly Row[])[]> {
  for (let opening = 1; ; opening++) {
    try {
      return await session.script(script, signal);
    } catch (error) {
      if (serverErrno(error) !== Errno.tableDefinitionChanged || opening === OPENINGS_MAX)
        throw readError(known, error);
    }
  }
}

/** The error of a statement that reads the table. A name that is unknown was known. */
export function readError(known: TableSchema, error: unknown): unknown {
  switch (serverErrno(error)) {
    case Errno.noSuchTable:
    case Errno.unknownDatabase:
      return changedError(known.id, "it was dropped or renamed");
    case Errno.badField:
      return changedError(known.id, "a column was dropped or renamed");
    default:
      return error;
  }
}

/** The table as `t`, by its key's index. */
export function fromClause(schema: TableSchema): string {
  return `FROM ${tableName(schema)} AS t${schema.key.length === 0 ? "" : ` ${BY_KEY}`}`;
}

/** The rows of a range in key order, at most `rowsMax` of them; ends the transaction. */
export function rangeSelect(selection: Selection, range: ChunkRange, rowsMax: number): string {
  const { schema, list } = selection;
  const order = schema.key.length === 0 ? "" : ` ORDER BY ${columnList(keyColumns(schema))} LIMIT ${rowsMax}`;
  return `SELECT ${list} ${fromClause(schema)}${rangeCondition(schema, range)}${order}; COMMIT`;
}

/** The rows that have one of the keys, in as many results as it takes; ends the transaction. */
export function keysSelect({ schema, list }: Selection, keys: readonly KeyBound[]): string {
  const select = `SELECT ${list} ${fromClause(schema)}`;
  const statements: string[] = [];
  for (let i = 0; i < keys.length; i += KEYS_MAX)
    statements.push(select + keysCondition(schema, keys.slice(i, i + KEYS_MAX)));
  return [...statements, "COMMIT"].join("; ");
}
