import { MillraceError } from "../../core/errors.ts";
import { quoteIdentifier, tableId, type TableId } from "../../core/table-schema.ts";
import { IDENTITY, KIND, PERSISTENCE, tablesByOid, type CatalogTable, type ReplicaIdentity } from "./catalog.ts";
import type { PostgresOptions } from "./config.ts";
import type { Session } from "./connection.ts";
import { tableName } from "./sql-text.ts";
import { tableMatcher } from "../../core/table-pattern.ts";

/** A leaf of a partitioned table, where its rows and their log records are. */
export interface LeafFacts {
  readonly namespace: string;
  readonly name: string;
  readonly kind: CatalogTable["kind"];
  readonly persistence: CatalogTable["persistence"];
  readonly identity: ReplicaIdentity;
}

/** A matched table with what we may do with it. */
export interface MatchedTable extends CatalogTable {
  readonly mayRead: boolean;
  readonly mayUseSchema: boolean;
  readonly owned: boolean;
  readonly rowSecurity: boolean;
  readonly leaves: readonly LeafFacts[];
}

const ALL = `
  SELECT c.oid, n.nspname AS namespace, c.relname AS name,
    to_json(ARRAY(SELECT relid::oid::int8 FROM pg_partition_ancestors(c.oid) WHERE relid <> c.oid)) AS ancestors
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'`;

const ACCESS = `
  SELECT c.oid, has_table_privilege(c.oid, 'SELECT') AS "mayRead", has_schema_privilege(n.oid, 'USAGE') AS "mayUseSchema",
    pg_has_role(c.relowner, 'USAGE') AS owned, row_security_active(c.oid) AS "rowSecurity"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1::oid[])`;

const LEAVES = `
  SELECT root.oid AS root, n.nspname AS namespace, c.relname AS name, ${KIND} AS kind, ${PERSISTENCE} AS persistence,
    ${IDENTITY} AS identity
  FROM unnest($1::oid[]) root(oid) CROSS JOIN LATERAL pg_partition_tree(root.oid) tree
  JOIN pg_class c ON c.oid = tree.relid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE tree.isleaf AND c.relkind <> 'p'`;

/** The oids that the patterns match. A partition goes with the table it is part of where that is matched too. */
export async function matchedOids(
  options: PostgresOptions,
  session: Session,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const matches = tableMatcher(options.tables, options.tablesExclude, options.database);
  type Found = { oid: number; namespace: string; name: string; ancestors: readonly number[] };
  const all = await session.query<Found>(ALL, [], signal);
  const matched = all.filter((table) => matches(table.namespace, table.name));
  const oids = new Set(matched.map((table) => table.oid));
  return matched.filter((table) => !table.ancestors.some((oid) => oids.has(oid))).map((table) => table.oid);
}

export async function matchedTables(
  session: Session,
  oids: readonly number[],
  signal: AbortSignal,
): Promise<readonly MatchedTable[]> {
  const tables = await tablesByOid(session, oids, signal);
  type Access = Pick<MatchedTable, "oid" | "mayRead" | "mayUseSchema" | "owned" | "rowSecurity">;
  const access = new Map((await session.query<Access>(ACCESS, [oids], signal)).map((row) => [row.oid, row]));
  const leaves = await session.query<LeafFacts & { root: number }>(LEAVES, [oids], signal);
  // A table that was dropped between the queries has no access row, and is as good as not matched.
  return tables.flatMap((table) => {
    const may = access.get(table.oid);
    if (may === undefined) return [];
    const own = table.kind === "partitioned" ? leaves.filter((leaf) => leaf.root === table.oid) : [];
    return [{ ...table, ...may, leaves: own }];
  });
}

/** Why the table cannot be delivered rightly, with the statement that mends it; null: it can. */
export function tableRefusal(options: PostgresOptions, table: MatchedTable): MillraceError | null {
  const id = tableId(table.namespace, table.name);
  return (
    storageRefusal(id, table) ??
    accessRefusal(options, id, table) ??
    identityRefusal(id, table) ??
    table.leaves.map((leaf) => leafRefusal(table, leaf)).find((error) => error !== null) ??
    null
  );
}

function storageRefusal(
  id: TableId,
  table: Pick<MatchedTable, "kind" | "persistence" | "namespace" | "name">,
): MillraceError | null {
  if (table.kind === "foreign")
    return new MillraceError("TABLE_NOT_LOGGED", `${id} is a foreign table: its changes are not in this server's log`, {
      place: { table: id },
    });
  if (table.persistence === "permanent") return null;
  return new MillraceError("TABLE_NOT_LOGGED", `${id} is ${table.persistence}: its changes are not in the log`, {
    hint: `Run \`ALTER TABLE ${tableName(table)} SET LOGGED\`, or leave it out with \`tables.exclude\`.`,
    place: { table: id },
  });
}

function accessRefusal(options: PostgresOptions, id: TableId, table: MatchedTable): MillraceError | null {
  const user = quoteIdentifier(options.username);
  const refused = (what: string, statement: string): MillraceError =>
    new MillraceError("SOURCE_PRIVILEGE", `user ${options.username} ${what}`, {
      hint: `Run \`${statement}\`.`,
      place: { table: id },
    });
  if (!table.mayUseSchema)
    return refused(
      `may not use schema ${table.namespace}`,
      `GRANT USAGE ON SCHEMA ${quoteIdentifier(table.namespace)} TO ${user}`,
    );
  if (!table.mayRead) return refused(`may not read ${id}`, `GRANT SELECT ON ${tableName(table)} TO ${user}`);
  if (table.rowSecurity)
    return refused(
      `sees only the rows of ${id} that its row-level security lets through`,
      `ALTER ROLE ${user} BYPASSRLS`,
    );
  return null;
}

function identityRefusal(id: TableId, table: MatchedTable): MillraceError | null {
  const name = tableName(table);
  const refused = (what: string, ...statements: string[]): MillraceError =>
    new MillraceError("TABLE_NO_IDENTITY", `${id} ${what}`, {
      hint: `Run ${statements.map((statement) => `\`${statement}\``).join(" or ")}, or leave it out with \`tables.exclude\`.`,
      place: { table: id },
    });
  const full = `ALTER TABLE ${name} REPLICA IDENTITY FULL`;
  const { key, identity } = table;
  if (table.columns.every((column) => column.generated))
    return refused("has no column of its own", `DROP TABLE ${name}`);
  if (
    key !== null &&
    key.usable &&
    table.columns.some((column) => column.generated && key.columns.includes(column.name))
  )
    return refused(
      "has a generated column in its primary key, which the log does not carry",
      `ALTER TABLE ${name} DROP CONSTRAINT …`,
    );
  if (identity === "full") return null;
  if (key === null)
    return refused(
      "has no primary key, and its replica identity is not FULL",
      `ALTER TABLE ${name} ADD PRIMARY KEY (…)`,
      full,
    );
  if (!key.usable)
    return refused("has a primary key that cannot identify rows in the log (deferrable, or not a B-tree)", full);
  if (identity === "nothing")
    return refused("has REPLICA IDENTITY NOTHING", `ALTER TABLE ${name} REPLICA IDENTITY DEFAULT`);
  if (identity === "other-index")
    return refused(
      "has its replica identity on another index than the primary key",
      `ALTER TABLE ${name} REPLICA IDENTITY DEFAULT`,
    );
  return null;
}

/** The log records of a partitioned table are its leaves', and so is what they say of the old row. */
function leafRefusal(root: MatchedTable, leaf: LeafFacts): MillraceError | null {
  const id = tableId(root.namespace, root.name);
  const storage = storageRefusal(tableId(leaf.namespace, leaf.name), leaf);
  if (storage !== null) return storage;
  const keyed = root.key !== null && root.key.usable;
  if (leaf.identity === "full" || (keyed && (leaf.identity === "default" || leaf.identity === "key-index")))
    return null;
  return new MillraceError("TABLE_NO_IDENTITY", `a partition of ${id}, ${leaf.name}, has another replica identity`, {
    hint: `Run \`ALTER TABLE ${tableName(leaf)} REPLICA IDENTITY ${keyed ? "DEFAULT" : "FULL"}\`.`,
    place: { table: id },
  });
}
