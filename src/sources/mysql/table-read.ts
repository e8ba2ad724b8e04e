import { MillraceError } from "../../core/errors.ts";
import type { ChunkRange, KeyBound } from "../../core/chunk.ts";
import { keyColumns, type TableSchema } from "../../core/table-schema.ts";
import { catalogScript, catalogTable } from "./catalog.ts";
import type { Row, Session } from "./connection.ts";
import { openSnapshot, type OpenedSnapshot, snapshotScript } from "./log/cut.ts";
import { keysCondition, rangeCondition } from "./key-condition.ts";
import type { MysqlTypeRules } from "./mysql-type.ts";
import type { LogCut } from "./position.ts";
import { changedError, followCatalog } from "./schema.ts";
import type { Selection } from "./selection.ts";
import { Errno, serverErrno } from "./server-error.ts";
import { columnList, quoteName, tableName } from "./sql-text.ts";

/** A table that is altered again and again just when it is opened. */
const OPENINGS_MAX = 5;
/** With many more in one statement, the servers give up on ranges and scan. */
const KEYS_MAX = 500;
/**
 * So often a moment is looked for at which nothing is being committed. Measured, beside writers of the table: one was found 40
 * times of 40 at 10,000 commits a second and sync_binlog = 0; with 1, at 300 to 12,000, between 5 and 36 times.
 */
const QUIET_OPENINGS_MAX = 50;

/** A table in an open transaction, in the shape that it really has there. */
export interface OpenedTable {
  readonly cut: LogCut;
  readonly schema: TableSchema;
  /** Of its key; null: it has none. */
  readonly index: string | null;
}

/**
 * Begins the transaction in which a table is read (design §5). The first row read locks the table's definition (a
 * metadata lock, to the end of the transaction), so its shape is asked for behind that. What alters the table between the
 * snapshot and the lock, the server mostly refuses to read over, and we begin again. The rest (MariaDB reads an old
 * snapshot in a new shape, and a table renamed to this name by what it had in it then) the log tells: the bound is asked
 * for behind the lock, so the log reader has passed the alteration, which is not in the cut, before the chunk enters. An
 * error ends the transaction.
 *
 * Without a key, a change of the table of which the cut is not sure would void all that is read: so it is opened anew, a few
 * times, until the cut is exact.
 */
export async function openTable(
  session: Session,
  known: TableSchema,
  rules: MysqlTypeRules,
  signal: AbortSignal,
): Promise<OpenedTable> {
  const script = snapshotScript(session, `SELECT 1 FROM ${tableName(known)} LIMIT 1`);
  const openingsMax = known.key.length === 0 ? QUIET_OPENINGS_MAX : 1;
  try {
    // In one round trip: an idle server is time lost, and this comes before every chunk.
    const opened = await openUnaltered(session, [...script, ...catalogScript(known)], known, signal);
    let { cut } = opened;
    let catalog: readonly (readonly Row[])[] = opened.results.slice(script.length);
    for (let opening = 1; opening < openingsMax && !cut.isExact; opening++) {
      // Another beginning ends the transaction before it.
      ({ cut } = await openUnaltered(session, script, known, signal));
      catalog = [];
    }
    if (catalog.length === 0) catalog = await session.script(catalogScript(known).join("; "), signal);
    const table = catalogTable(session.flavour, known, catalog);
    const schema = followCatalog(known, table, rules);
    if (schema instanceof MillraceError) throw schema;
    return { cut, schema, index: table?.key?.index ?? null };
  } catch (error) {
    if (!session.broken) await session.query("ROLLBACK", [], signal);
    throw error;
  }
}

async function openUnaltered(
  session: Session,
  script: readonly string[],
  known: TableSchema,
  signal: AbortSignal,
): Promise<OpenedSnapshot> {
  for (let opening = 1; ; opening++) {
    try {
      return await openSnapshot(session, script, signal);
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
    case Errno.noSuchIndex:
      return changedError(known.id, "its key is another one");
    default:
      return error;
  }
}

/** The table as `t`, by its key's index, which in InnoDB is the table itself. */
export function fromClause(schema: TableSchema, index: string | null): string {
  return `FROM ${tableName(schema)} AS t${index === null ? "" : ` FORCE INDEX (${quoteName(index)})`}`;
}

/** The rows of a range in key order, at most `rowsMax` of them. */
export function rangeSelect(selection: Selection, index: string | null, range: ChunkRange, rowsMax: number): string {
  const { schema, list } = selection;
  const order = schema.key.length === 0 ? "" : ` ORDER BY ${columnList(keyColumns(schema))} LIMIT ${rowsMax}`;
  return `SELECT ${list} ${fromClause(schema, index)}${rangeCondition(schema, range)}${order}`;
}

/** The rows that have one of the keys, by as many statements as it takes. */
export function keysSelects(
  { schema, list }: Selection,
  index: string | null,
  keys: readonly KeyBound[],
): readonly string[] {
  const select = `SELECT ${list} ${fromClause(schema, index)}`;
  const statements: string[] = [];
  for (let i = 0; i < keys.length; i += KEYS_MAX)
    statements.push(select + keysCondition(schema, keys.slice(i, i + KEYS_MAX)));
  return statements;
}
