import { isDeepStrictEqual } from "node:util";
import type { Ambient } from "../../../core/ambient.ts";
import { MillraceError } from "../../../core/errors.ts";
import type { TableSchema } from "../../../core/table-schema.ts";
import { tableByName } from "../catalog.ts";
import type { Session } from "../connection.ts";
import type { MysqlTypeRules } from "../mysql-type.ts";
import { type LogCut, type LogPosition, MysqlPosition } from "../position.ts";
import { catalogSchema } from "../schema.ts";
import { tableName } from "../sql-text.ts";
import { definitionOf, type TableDefinition } from "./table-definition.ts";
import { withHistory } from "./table-history.ts";
import { readError } from "../table-read.ts";

const POLL_MS = 50;

/** Sessions for it: one holds the table still while the other one asks how far the log is. */
export interface DefiningSessions {
  readonly locking: Session;
  /** Answers what is visible, and how far the log is. */
  readonly visible: (signal: AbortSignal) => Promise<LogCut>;
}

/**
 * The tables with their definitions, each as of a position of the log that has exactly the same statements in it.
 *
 * A row read in a transaction keeps the table's metadata locked against DDL, as any SELECT does, to the end of the
 * transaction. A statement that alters the table writes the log before it lets go of that lock. So the definition that
 * the catalog has under our lock is the one behind all statements that the log has at that moment, and before all later
 * ones: what has been written by a cut that is asked then is done, and nothing else is. The log
 * is read from an earlier position, taken before any definition: what it has of the table up to its definition's own
 * position is passed over, rows too, for they may be of an older shape. No chunk may miss those rows, so we wait until
 * snapshots contain all of them.
 */
export async function defineTables(
  sessions: DefiningSessions,
  tables: readonly TableSchema[],
  rules: MysqlTypeRules,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<readonly TableSchema[]> {
  const defined: TableSchema[] = [];
  const bounds: LogPosition[] = [];
  for (const schema of tables) {
    const { table, asOf } = await lockedDefinition(sessions, schema, rules, signal);
    defined.push(withHistory(schema, { table, asOf, copy: null }));
    bounds.push(asOf);
  }
  for (let told = false; ; told = true) {
    const { included } = await sessions.visible(signal);
    if (bounds.every((bound) => included?.covers(bound) === true)) return defined;
    if (!told) ambient.logger.info("waiting until snapshots have what the log has of the tables that begin");
    await ambient.clock.sleep(POLL_MS, signal);
  }
}

async function lockedDefinition(
  { locking, visible }: DefiningSessions,
  schema: TableSchema,
  rules: MysqlTypeRules,
  signal: AbortSignal,
): Promise<{ readonly table: TableDefinition; readonly asOf: LogPosition }> {
  try {
    await locking.script(`START TRANSACTION READ ONLY; SELECT 1 FROM ${tableName(schema)} LIMIT 1`, signal);
  } catch (error) {
    throw readError(schema, error);
  }
  try {
    const table = await tableByName(locking, schema.namespace, schema.name, signal);
    const asOf = doneBy(await visible(signal));
    if (table === null || !isDeepStrictEqual(catalogSchema(table, rules), schema)) throw alteredMeanwhile(schema);
    return { table: definitionOf(table), asOf };
  } finally {
    if (!locking.broken) await locking.query("ROLLBACK", [], signal);
  }
}

/**
 * What has been written when the cut is asked. On MySQL a replica's GTIDs are owned from the beginning of their transaction, so
 * a statement may be in the bound that waits for our lock; what is done with is in the executed set before it lets go of its own.
 */
function doneBy({ included, bound }: LogCut): LogPosition {
  return included instanceof MysqlPosition ? included : bound;
}

/** The next attempt finds it as it is then. */
function alteredMeanwhile({ id }: TableSchema): MillraceError {
  return new MillraceError("SOURCE_LOCK_TIMEOUT", `table ${id} was altered just as it was to be begun`, {
    place: { table: id },
  });
}
