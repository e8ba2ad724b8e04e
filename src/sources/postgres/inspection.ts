import { MillraceError } from "../../core/errors.ts";
import type { Inspection, TableOffer, TableRefusal, ValueRules } from "../../core/source.ts";
import { keyColumns, tableId } from "../../core/table-schema.ts";
import type { PostgresOptions } from "./config.ts";
import type { Session } from "./connection.ts";
import { checkPublication, publicationRefusals, readPublication } from "./publication.ts";
import { catalogSchema } from "./schema.ts";
import { checkServer, serverFacts, serverNotes, sourceIdentity } from "./server-facts.ts";
import { matchedOids, matchedTables, tableRefusal, type MatchedTable } from "./table-match.ts";

const CUT_METHOD =
  "exact: each chunk is read under a snapshot of its own, and pg_current_snapshot() says which transactions of the log are in it";

const PARTITION_EMPTIED =
  "TRUNCATE or DROP of a single partition is not in the log: its rows stay in the sink until the table is begun anew";

/** What was found, and the catalog's word on every table that can be read. */
export interface Inspected {
  readonly inspection: Inspection;
  readonly tables: readonly MatchedTable[];
}

/** Everything that `plan` shows and that a run rests on; writes nothing. */
export async function inspect(
  options: PostgresOptions,
  rules: ValueRules,
  session: Session,
  signal: AbortSignal,
): Promise<Inspected> {
  const facts = await serverFacts(options, session, signal);
  checkServer(options, facts);
  const oids = await matchedOids(options, session, signal);
  const tables = await matchedTables(session, oids, signal);
  if (tables.length === 0) throw noTables(options);
  const refusals: TableRefusal[] = [];
  const readable: MatchedTable[] = [];
  for (const table of tables) {
    const error = tableRefusal(options, table);
    if (error === null) readable.push(table);
    else refusals.push({ table: tableId(table.namespace, table.name), error });
  }
  const publication = await readPublication(options, session, facts, signal);
  refusals.push(...publicationRefusals(options, publication, readable));
  const refused = new Set(refusals.map((refusal) => refusal.table));
  const offered = readable.filter((table) => !refused.has(tableId(table.namespace, table.name)));
  if (offered.length > 0) checkPublication(options, facts, publication, offered);
  const published = new Set(publication?.tables.map((table) => tableId(table.namespace, table.name)));
  const inspection: Inspection = {
    identity: sourceIdentity(options, facts),
    server: `PostgreSQL ${facts.version}`,
    offers: offered.map((table) => ({
      ...offer(table, rules),
      // Without a publication the whole log is lost and not this table's: `prepare` says so.
      logged: publication === null || published.has(tableId(table.namespace, table.name)),
    })),
    refusals,
    notes: serverNotes(facts),
    cutMethod: CUT_METHOD,
  };
  return { inspection, tables: offered };
}

function noTables(options: PostgresOptions): MillraceError {
  const patterns = options.tables.map((pattern) => pattern.text).join(", ");
  return new MillraceError("SOURCE_NO_TABLES", `no table of database ${options.database} matches ${patterns}`);
}

function offer(table: MatchedTable, rules: ValueRules): Omit<TableOffer, "logged"> {
  const schema = catalogSchema(table, rules);
  const key = keyColumns(schema).map((column) => column.name);
  const generated = table.columns.filter((column) => column.generated).map((column) => column.name);
  const notes: string[] = [];
  if (generated.length > 0)
    notes.push(`generated columns are left out, the log does not carry them: ${generated.join(", ")}`);
  if (table.kind === "partitioned")
    notes.push(`${table.leaves.length} partitions are read and delivered as one table`, PARTITION_EMPTIED);
  return {
    schema,
    object: String(table.oid),
    readBy: key.length > 0 ? `chunks of (${key.join(", ")})` : "one scan under REPLICA IDENTITY FULL",
    notes,
  };
}
