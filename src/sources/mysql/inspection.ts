import { MillraceError } from "../../core/errors.ts";
import type { Inspection, TableOffer, TableRefusal } from "../../core/source.ts";
import { tableId, type TableId } from "../../core/table-schema.ts";
import { tableMatcher } from "../../core/table-pattern.ts";
import { cascadingKeys, tableNames, type CatalogTable, type TableName } from "./catalog.ts";
import { type CatalogSessions, tablesByName } from "./catalog-pages.ts";
import type { MysqlOptions } from "./config.ts";
import type { LazySession, Session } from "./connection.ts";
import { typeRules } from "./mysql-type.ts";
import { originalsBeside } from "./history/online-names.ts";
import type { ValueRules } from "../../core/source.ts";
import { catalogSchema } from "./schema.ts";
import {
  checkServer,
  columnsNamedBy,
  seesTransactions,
  serverFacts,
  serverName,
  sourceIdentity,
  type ServerFacts,
  usesGtids,
} from "./server-facts.ts";
import { tableRefusal } from "./table-refusal.ts";

const CUT_METHODS = {
  mysql:
    "by GTIDs: what was executed before a chunk's consistent snapshot is surely in it, and what was executed or being committed behind it bounds it; of a commit in between, the log decides",
  mariadb: "exact: the server tells the binlog position of each chunk's consistent snapshot, and its GTIDs",
} as const;

/** How the cut of a chunk is taken, and why so. */
export function cutMethod(facts: ServerFacts): string {
  if (usesGtids(facts)) return CUT_METHODS[facts.flavour];
  const settleS = Math.ceil(facts.settleMs / 1000);
  const how = seesTransactions(facts)
    ? `no transaction goes on any more that went on when the log had it, or when it has been in the log for ${settleS} s`
    : `it has been in the log for ${settleS} s`;
  return `by binlog file and offset, since gtid_mode is ${facts.gtidMode}: a change counts as visible when ${how}, and until then the log decides`;
}

/** Everything that `plan` shows and that a run rests on; writes nothing. */
export async function inspect(
  options: MysqlOptions,
  rules: ValueRules,
  { session, beside }: CatalogSessions,
  signal: AbortSignal,
): Promise<Inspection> {
  const facts = await serverFacts(session, signal);
  checkServer(options.username, facts);
  const [names, cascades] = await Promise.all([
    matchedNames(options, session, signal),
    facts.logsCascades ? new Map<TableId, string[]>() : cascadeNotes(beside, signal),
  ]);
  const offers: TableOffer[] = [];
  const refusals: TableRefusal[] = [];
  for await (const page of tablesByName({ session, beside }, names, signal))
    for (const table of page) {
      const id = tableId(table.namespace, table.name);
      const error = tableRefusal(table, facts);
      const schema = error === null ? catalogSchema(table, typeRules(options, rules)) : null;
      if (schema !== null) offers.push(offer(table, schema, facts, cascades.get(id) ?? []));
      else if (error !== null) refusals.push({ table: id, error });
    }
  // What was dropped meanwhile is as good as not matched.
  if (offers.length + refusals.length === 0) {
    const patterns = options.tables.map((pattern) => pattern.text).join(", ");
    throw new MillraceError("SOURCE_NO_TABLES", `no table matches ${patterns}, or user ${options.username} sees none`);
  }
  return {
    identity: sourceIdentity(facts),
    server: serverName(facts),
    offers,
    refusals,
    notes: serverNotes(facts),
    cutMethod: cutMethod(facts),
  };
}

async function matchedNames(
  options: MysqlOptions,
  session: Session,
  signal: AbortSignal,
): Promise<readonly TableName[]> {
  const matches = tableMatcher(options.tables, options.tablesExclude, null);
  const all = await tableNames(session, signal);
  const isBeside = options.onlineSchemaChanges ? besideOthers(options, all) : (): boolean => false;
  return all.filter((table) => matches(table.namespace, table.name) && !isBeside(table));
}

/** Tables that a tool has made, or left, beside another one that it alters; but for those that a pattern names. */
function besideOthers(options: MysqlOptions, all: readonly TableName[]): (table: TableName) => boolean {
  const ids = new Set(all.map(({ namespace, name }) => tableId(namespace, name)));
  const named = new Set(options.tables.map(({ schema, table }) => tableId(schema, table)));
  return ({ namespace, name }) =>
    !named.has(tableId(namespace, name)) &&
    originalsBeside(name).some((original) => ids.has(tableId(namespace, original)));
}

async function cascadeNotes(sessions: LazySession, signal: AbortSignal): Promise<ReadonlyMap<TableId, string[]>> {
  const notes = new Map<TableId, string[]>();
  for (const { namespace, name, constraint } of await cascadingKeys(await sessions.get(signal), signal)) {
    const id = tableId(namespace, name);
    const note = `what its foreign key ${constraint} changes or deletes by itself is not in the server's log, and stays as it was in the sink`;
    notes.set(id, [...(notes.get(id) ?? []), note]);
  }
  return notes;
}

function offer(
  table: CatalogTable,
  schema: TableOffer["schema"],
  facts: ServerFacts,
  cascades: readonly string[],
): TableOffer {
  const unsure = usesGtids(facts) ? [] : ["without GTIDs it is read anew until it is not changed meanwhile"];
  const keyless = table.key === null ? [keylessNote(table.keyHasPrefix), ...unsure] : [];
  return {
    schema,
    // What is dropped and created again stands in the log as just that.
    object: schema.id,
    logged: true,
    readBy: readBy(table.key),
    notes: [...keyless, ...cascades],
  };
}

function readBy(key: CatalogTable["key"]): string {
  if (key === null) return "one scan in one transaction";
  const chunks = `chunks of (${key.columns.join(", ")})`;
  return key.index === "PRIMARY" ? chunks : `${chunks}, its unique index ${key.index}`;
}

function keylessNote(hasPrefix: boolean): string {
  const why = hasPrefix
    ? "the primary key is on the first characters of a column, which counts as none"
    : "it has no key";
  return `${why}: a row is found by all its values, and its changes must have them all (binlog_row_image = FULL)`;
}

function serverNotes(facts: ServerFacts): readonly string[] {
  const expiry = facts.flavour === "mysql" ? "binlog_expire_logs_seconds" : "expire_logs_days";
  return [
    `the server keeps its log for \`${expiry}\`: a pipeline that is stopped for longer begins anew`,
    `columns are ${columnsNamedBy(facts)}`,
    ...(usesGtids(facts) ? [] : withoutGtids(facts)),
  ];
}

function withoutGtids(facts: ServerFacts): readonly string[] {
  const slow =
    "without PROCESS a snapshot waits long for what was changed lately: `GRANT PROCESS ON *.* TO …` lets it see";
  return [
    "without GTIDs a position is a place in this server's binlog files, and means nothing on another one that takes over",
    ...(seesTransactions(facts) ? [] : [slow]),
  ];
}
