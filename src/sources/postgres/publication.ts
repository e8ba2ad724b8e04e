import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { TableRefusal } from "../../core/source.ts";
import { quoteIdentifier, tableId, type TableId } from "../../core/table-schema.ts";
import type { CatalogTable } from "./catalog.ts";
import type { PostgresOptions } from "./config.ts";
import type { Session } from "./connection.ts";
import { quoteLiteral, tableName } from "./sql-text.ts";
import type { ServerFacts } from "./server-facts.ts";

const TABLES_NAMED_MAX = 10;

/** The publication as it is on the server. */
export interface Publication {
  /** The pipeline that made it, by its comment; null: somebody else. */
  readonly madeBy: string | null;
  readonly mayAlter: boolean;
  readonly everyOperation: boolean;
  readonly viaRoot: boolean;
  /** The tables it delivers, under the names it delivers them by. */
  readonly tables: readonly PublishedTable[];
}

export interface PublishedTable {
  readonly namespace: string;
  readonly name: string;
  /** Rows or columns are left out by a filter or a list. */
  readonly partial: boolean;
}

/** The comment that marks what is ours to change and to drop. */
const MARK = "made by millrace for pipeline ";

/**
 * `pg_publication_tables` opens every table, which takes long with thousands. Where a publication is a plain list of tables, as
 * ours are, and not of schemas or of partitions, the list says the same.
 */
function readQuery(facts: ServerFacts): string {
  // Filters, column lists and publications of schemas came with version 15.
  const before15 = facts.versionNumber < 150_000;
  const isPartial = before15 ? "false" : "pr.prqual IS NOT NULL OR pr.prattrs IS NOT NULL";
  const ofSchemas = before15 ? "false" : "EXISTS (SELECT FROM pg_publication_namespace pn WHERE pn.pnpubid = p.oid)";
  const ofPartitions = `EXISTS (SELECT FROM pg_publication_rel pr JOIN pg_class c ON c.oid = pr.prrelid
    WHERE pr.prpubid = p.oid AND (c.relispartition OR c.relkind = 'p' AND NOT p.pubviaroot))`;
  const partial = `EXISTS (SELECT FROM pg_publication_rel pr WHERE pr.prpubid = p.oid AND (${isPartial})
    AND pr.prrelid = to_regclass(quote_ident(t.schemaname) || '.' || quote_ident(t.tablename)))`;
  return `
    SELECT obj_description(p.oid, 'pg_publication') AS comment, pg_has_role(p.pubowner, 'USAGE') AS "mayAlter",
      p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AS "everyOperation", p.pubviaroot AS "viaRoot",
      coalesce(CASE WHEN p.puballtables OR ${ofSchemas} OR ${ofPartitions}
        THEN (SELECT json_agg(json_build_object('namespace', t.schemaname, 'name', t.tablename, 'partial', ${partial}))
          FROM pg_publication_tables t WHERE t.pubname = p.pubname)
        ELSE (SELECT json_agg(json_build_object('namespace', n.nspname, 'name', c.relname, 'partial', ${isPartial}))
          FROM pg_publication_rel pr JOIN pg_class c ON c.oid = pr.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE pr.prpubid = p.oid) END, '[]') AS tables
    FROM pg_publication p WHERE p.pubname = $1`;
}

export async function readPublication(
  options: PostgresOptions,
  session: Session,
  facts: ServerFacts,
  signal: AbortSignal,
): Promise<Publication | null> {
  type Found = Omit<Publication, "madeBy"> & { comment: string | null };
  const [found] = await session.query<Found>(readQuery(facts), [options.publicationName], signal);
  if (found === undefined) return null;
  const { comment, ...rest } = found;
  return { ...rest, madeBy: comment?.startsWith(MARK) === true ? comment.slice(MARK.length) : null };
}

type NamedTable = Pick<CatalogTable, "namespace" | "name">;

function onlyTables(tables: readonly NamedTable[]): string {
  return tables.map((table) => `ONLY ${tableName(table)}`).join(", ");
}

/**
 * What an operator would run to make it. Exactly these tables, never ALL TABLES: one without a usable identity would
 * reject the application's UPDATEs (law 5).
 */
function createStatement(options: PostgresOptions, tables: readonly NamedTable[]): string {
  const name = quoteIdentifier(options.publicationName);
  // Where every table has stopped there is still a log to acknowledge.
  const contents = tables.length === 0 ? "" : ` FOR TABLE ${onlyTables(tables)}`;
  return `CREATE PUBLICATION ${name}${contents} WITH (publish_via_partition_root = true)`;
}

function markStatement(options: PostgresOptions): string {
  return `COMMENT ON PUBLICATION ${quoteIdentifier(options.publicationName)} IS ${quoteLiteral(MARK + options.pipeline)}`;
}

const idOf = (table: NamedTable): TableId => tableId(table.namespace, table.name);

function missingFrom(publication: Publication, tables: readonly NamedTable[]): readonly NamedTable[] {
  const published = new Set(publication.tables.map(idOf));
  return tables.filter((table) => !published.has(idOf(table)));
}

/** Fails where the publication that is there, or could be made, would not deliver the tables; changes nothing. */
export function checkPublication(
  options: PostgresOptions,
  facts: ServerFacts,
  publication: Publication | null,
  tables: readonly (NamedTable & { readonly owned: boolean; readonly kind: CatalogTable["kind"] })[],
): void {
  const name = quoteIdentifier(options.publicationName);
  const user = quoteIdentifier(options.username);
  if (publication === null) {
    if (!facts.mayCreate)
      throw new MillraceError(
        "SOURCE_PRIVILEGE",
        `user ${options.username} may not make a publication in database ${options.database}`,
        {
          hint: `Run \`GRANT CREATE ON DATABASE ${quoteIdentifier(options.database)} TO ${user}\`, or make it as an owner of the tables: \`${createStatement(options, tables)}\`.`,
        },
      );
    checkOwnership(options, tables, createStatement(options, tables));
    return;
  }
  if (publication.madeBy === options.pipeline && publication.mayAlter) {
    const missing = missingFrom(publication, tables);
    const add = `ALTER PUBLICATION ${name} ADD TABLE ${onlyTables(missing)}`;
    checkOwnership(
      options,
      tables.filter((table) => missing.includes(table)),
      add,
    );
    return;
  }
  checkForeignPublication(options, publication, tables);
}

function checkOwnership(
  options: PostgresOptions,
  tables: readonly (NamedTable & { readonly owned: boolean })[],
  statement: string,
): void {
  const foreign = tables.find((table) => !table.owned);
  if (foreign === undefined) return;
  throw new MillraceError(
    "SOURCE_PRIVILEGE",
    `user ${options.username} does not own ${idOf(foreign)}, and only an owner publishes a table`,
    {
      hint: `Run as an owner of the tables: \`${statement}\`; or \`ALTER TABLE ${tableName(foreign)} OWNER TO ${quoteIdentifier(options.username)}\`.`,
      place: { table: idOf(foreign) },
    },
  );
}

/** A publication made by somebody else is used as it is, where it delivers everything, and never changed. */
function checkForeignPublication(
  options: PostgresOptions,
  publication: Publication,
  tables: readonly (NamedTable & { readonly kind: CatalogTable["kind"] })[],
): void {
  const name = quoteIdentifier(options.publicationName);
  const mismatch = (what: string, statement: string): MillraceError =>
    new MillraceError("PUBLICATION_MISMATCH", `publication ${options.publicationName} ${what}`, {
      hint: `Run \`${statement}\`, or set another \`publication.name\`.`,
    });
  if (publication.madeBy !== null && publication.madeBy !== options.pipeline)
    throw new MillraceError(
      "PUBLICATION_MISMATCH",
      `publication ${options.publicationName} was made by pipeline ${publication.madeBy}, which would take tables out of it again`,
      { hint: "Set another `publication.name`." },
    );
  if (!publication.everyOperation)
    throw mismatch(
      "does not publish every operation",
      `ALTER PUBLICATION ${name} SET (publish = 'insert, update, delete, truncate')`,
    );
  if (!publication.viaRoot && tables.some((table) => table.kind === "partitioned"))
    throw mismatch(
      "delivers partitions instead of their table",
      `ALTER PUBLICATION ${name} SET (publish_via_partition_root = true)`,
    );
  const [refused] = publicationRefusals(options, publication, tables);
  if (refused !== undefined) throw refused.error;
}

/**
 * The tables that a publication of somebody else does not deliver whole. For one that was followed before, changes may
 * be lost meanwhile: mending the publication does not bring them back, so this is the table's end and not the run's.
 */
export function publicationRefusals(
  options: PostgresOptions,
  publication: Publication | null,
  tables: readonly NamedTable[],
): readonly TableRefusal[] {
  if (publication === null) return [];
  // Ours to mend, or another pipeline's, which is refused as a whole.
  if (publication.madeBy !== null && (publication.madeBy !== options.pipeline || publication.mayAlter)) return [];
  const name = quoteIdentifier(options.publicationName);
  const missing = new Set(missingFrom(publication, tables));
  const partial = new Set(publication.tables.filter((table) => table.partial).map(idOf));
  const refusal = (table: NamedTable, message: string, hint: string): TableRefusal => {
    const id = idOf(table);
    return { table: id, error: new MillraceError("PUBLICATION_MISMATCH", message, { hint, place: { table: id } }) };
  };
  return tables.flatMap((table) => {
    const add = `ALTER PUBLICATION ${name} ADD TABLE ${onlyTables([table])}`;
    const anew = `Where it was followed before, begin it anew: \`--resnapshot ${idOf(table)}\`.`;
    if (missing.has(table))
      return refusal(
        table,
        `publication ${options.publicationName} lacks ${idOf(table)}`,
        `Run \`${add}\`, or set another \`publication.name\`. ${anew}`,
      );
    if (!partial.has(idOf(table))) return [];
    return refusal(
      table,
      `publication ${options.publicationName} has a row filter or column list on ${idOf(table)}`,
      `Run \`ALTER PUBLICATION ${name} DROP TABLE ${tableName(table)}\` and \`${add}\`, or set another \`publication.name\`: filters belong in the pipeline's \`transform\`. ${anew}`,
    );
  });
}

/** Makes the publication deliver exactly these tables, where it is ours; `created` gets a sentence for each change. */
export async function ensurePublication(
  options: PostgresOptions,
  session: Session,
  publication: Publication | null,
  tables: readonly NamedTable[],
  created: (what: string) => void,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<void> {
  const name = quoteIdentifier(options.publicationName);
  // Each of these is a transaction of its own, which locks one table at the most: with two, it could deadlock with the
  // application, and the server might then choose the application's statement to fail (law 5).
  const steps: (readonly string[])[] = [];
  const said: string[] = [];
  const change = (verb: "ADD" | "DROP", changed: readonly NamedTable[]): void => {
    for (const table of changed) steps.push([`ALTER PUBLICATION ${name} ${verb} TABLE ${onlyTables([table])}`]);
  };
  if (publication === null) {
    steps.push([createStatement(options, []), markStatement(options)]);
    change("ADD", tables);
    said.push(`publication ${options.publicationName} was created for ${named(tables) || "no table"}`);
  } else if (publication.madeBy === options.pipeline && publication.mayAlter) {
    const missing = missingFrom(publication, tables);
    const wanted = new Set(tables.map(idOf));
    const extra = publication.tables.filter((table) => !wanted.has(idOf(table)));
    if (missing.length > 0) {
      change("ADD", missing);
      said.push(`${named(missing)}: added to publication ${options.publicationName}`);
    }
    if (extra.length > 0) {
      change("DROP", extra);
      said.push(`${named(extra)}: taken out of publication ${options.publicationName}`);
    }
  }
  if (steps.length === 0) return;
  for (const statements of steps) await session.script(["BEGIN", ...statements, "COMMIT"].join("; "), signal);
  ambient.failpoint("source.publication-created");
  said.forEach(created);
}

/** There may be ten thousand, and what is said of them is a line. */
function named(tables: readonly NamedTable[]): string {
  const names = tables.slice(0, TABLES_NAMED_MAX).map(idOf).join(", ");
  return tables.length > TABLES_NAMED_MAX ? `${names} and ${tables.length - TABLES_NAMED_MAX} more` : names;
}

/** Drops it where it is ours. */
export async function dropPublication(
  options: PostgresOptions,
  session: Session,
  publication: Publication | null,
  removed: (what: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (publication === null) return removed(`publication ${options.publicationName} was already gone`);
  if (publication.madeBy !== options.pipeline)
    return removed(`publication ${options.publicationName} stays: this pipeline did not make it`);
  await session.query(`DROP PUBLICATION ${quoteIdentifier(options.publicationName)}`, [], signal);
  removed(`publication ${options.publicationName} was dropped`);
}
