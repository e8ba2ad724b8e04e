import { setImmediate } from "node:timers/promises";
import { tableId, type TableId } from "../../core/table-schema.ts";
import {
  COLUMN_COLUMNS,
  TABLE_COLUMNS,
  type CatalogTable,
  catalogTable,
  tableByName,
  type TableName,
} from "./catalog.ts";
import { HASH, INDEX_COLUMNS, PRIMARY } from "./catalog-key.ts";
import type { LazySession, Row, Session } from "./connection.ts";
import { quoteText } from "./sql-text.ts";

/** Of each statement of a page's script. */
type Answers = readonly (readonly Row[])[];

/** MariaDB makes a join of a list of 1,000 (`in_predicate_conversion_threshold`), which takes it ten times as long. */
const PAGE_TABLES = 800;

/** A server answers two of them at once. */
export interface CatalogSessions {
  readonly session: Session;
  /** Asked where there is more than the other one does at a time. */
  readonly beside: LazySession;
}

/**
 * The tables of these names that are there and that we may see, each as `tableByName` has it, in the order of the names.
 * They come in pages: one by one takes the servers ten to thirty times as long. The next pages are on their way while the
 * caller is at one.
 */
export async function* tablesByName(
  { session, beside }: CatalogSessions,
  names: readonly TableName[],
  signal: AbortSignal,
): AsyncGenerator<readonly CatalogTable[]> {
  const pages: (readonly TableName[])[] = [];
  for (let i = 0; i < names.length; i += PAGE_TABLES) pages.push(names.slice(i, i + PAGE_TABLES));
  const sessions = pages.length > 1 ? [session, await beside.get(signal)] : [session];
  const asked: Promise<Answers>[] = [];
  const ask = (page: number): void => {
    if (page >= pages.length) return;
    const answers = sessions[page % sessions.length]!.script(pageScript(pages[page]!), signal);
    // Where the caller goes no further, nobody waits for it.
    answers.catch(() => undefined);
    asked.push(answers);
  };
  for (const page of sessions.keys()) ask(page);
  for (const [page, ofPage] of pages.entries()) {
    const answers = await asked.shift()!;
    ask(page + sessions.length);
    // It leaves before what follows takes its time.
    await setImmediate();
    yield await pageOfTables(session, ofPage, answers, signal);
  }
}

async function pageOfTables(
  session: Session,
  names: readonly TableName[],
  answers: Answers,
  signal: AbortSignal,
): Promise<readonly CatalogTable[]> {
  const [rows, columns, keys] = answers.map(byTable);
  const tables: CatalogTable[] = [];
  for (const table of names) {
    const id = tableId(table.namespace, table.name);
    const key = keys!.get(id) ?? [];
    const found = isSure(key)
      ? catalogTable(session.flavour, table, [rows!.get(id) ?? [], columns!.get(id) ?? [], key])
      : await tableByName(session, table.namespace, table.name, signal);
    if (found !== null) tables.push(found);
  }
  return tables;
}

/**
 * Whether what `pageScript` has of a table's indexes tells its key. Where there is no primary key it is the server that
 * chooses, by an order of indexes that only `SHOW INDEX` tells; and where there is nothing, it may be just that we may not see it.
 */
function isSure(parts: readonly Row[]): boolean {
  return parts.length > 0 && parts.every(({ Key_name }) => Key_name === PRIMARY);
}

/** What `catalogScript` asks for, of many tables; of indexes, primary keys and what may stand against their table. */
function pageScript(names: readonly TableName[]): string {
  const ofTables = `TABLE_SCHEMA IN (${list(names.map(({ namespace }) => namespace))}) AND TABLE_NAME IN (${list(names.map(({ name }) => name))})`;
  const select = (columns: string, from: string): string =>
    `SELECT TABLE_SCHEMA AS namespace, TABLE_NAME AS tableName, ${columns} FROM information_schema.${from} WHERE ${ofTables}`;
  return [
    select(TABLE_COLUMNS, "TABLES"),
    `${select(COLUMN_COLUMNS, "COLUMNS")} ORDER BY ORDINAL_POSITION`,
    `${select(INDEX_COLUMNS, "STATISTICS")} AND (INDEX_NAME = '${PRIMARY}' OR INDEX_TYPE = '${HASH}') ORDER BY SEQ_IN_INDEX`,
  ].join("; ");
}

function list(names: readonly string[]): string {
  return [...new Set(names)].map(quoteText).join(", ");
}

/** The servers take a name for another one that differs in its case alone, so there may be rows of tables that we did not ask for. */
function byTable(rows: readonly Row[]): ReadonlyMap<TableId, readonly Row[]> {
  const tables = new Map<TableId, Row[]>();
  for (const row of rows) {
    const id = tableId(row["namespace"] as string, row["tableName"] as string);
    const ofTable = tables.get(id);
    if (ofTable === undefined) tables.set(id, [row]);
    else ofTable.push(row);
  }
  return tables;
}
