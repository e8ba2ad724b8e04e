import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import { tableId, type TableSchema } from "../../core/table-schema.ts";
import type { PostgresOptions } from "./config.ts";
import type { Session } from "./connection.ts";
import type { PgPosition, Xid64 } from "./position.ts";
import { checkPublication, ensurePublication, type Publication, readPublication } from "./publication.ts";
import { changedError } from "./schema.ts";
import { checkServer, serverFacts, type ServerFacts } from "./server-facts.ts";
import { beginSlot, checkResume, checkSlot, readSlot, type Slot } from "./slot.ts";
import { matchedTables, tableRefusal, type MatchedTable } from "./table-match.ts";
import type { TableOids } from "./table-watch.ts";
import { takeXid } from "./waiting.ts";

/** A process that was killed leaves its walsender behind for a moment. */
const RELEASE_POLL_MS = 100;
const RELEASE_POLLS_MAX = 50;

export interface Prepared {
  readonly start: PgPosition;
  /** No chunk may be opened before a snapshot's xmin has reached it. */
  readonly begin: Xid64;
  readonly oids: TableOids;
}

interface PrepareRequest {
  readonly resume: PgPosition | null;
  readonly tables: readonly TableSchema[];
  /** By their oid, as they were at the start of this attempt. */
  readonly inspected: ReadonlyMap<number, MatchedTable>;
}

/** Publication and slot for exactly these tables. The publication comes first: the slot's log must know it. */
export async function prepare(
  options: PostgresOptions,
  session: Session,
  request: PrepareRequest,
  created: (what: string) => void,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<Prepared> {
  const facts = await serverFacts(options, session, signal);
  checkServer(options, facts);
  const publication = await readPublication(options, session, facts, signal);
  const tables = await presentTables(options, session, request, publication, signal);
  checkPublication(options, facts, publication, tables);
  const slot = await releasedSlot(options, session, facts, ambient, signal);
  if (request.resume !== null) {
    checkResume(options, slot, request.resume);
    if (publication === null) throw publicationLost(options, request.resume);
  } else if (slot !== null) checkSlot(options, slot);
  await ensurePublication(options, session, publication, tables, created, ambient, signal);
  const start = request.resume ?? (await beginSlot(options, session, slot, created, ambient, signal));
  // A transaction may be open from before the slot, or from before a table was published: its changes are not in the
  // log, or half of them. Also on a resume where nothing was made now: the run before may have ended just after it had.
  const oids = new Map(tables.map((table) => [tableId(table.namespace, table.name), table.oid]));
  return { start, begin: await takeXid(session, signal), oids };
}

/**
 * The tables, each still there. Those that are not published yet as they are at this moment, so that none is published that
 * would do harm; the others, of which there may be thousands, as they were inspected.
 */
async function presentTables(
  options: PostgresOptions,
  session: Session,
  { tables: schemas, inspected }: PrepareRequest,
  publication: Publication | null,
  signal: AbortSignal,
): Promise<readonly MatchedTable[]> {
  const found = await session.query<{ oid: number; namespace: string; name: string; place: number }>(
    `SELECT c.oid, wanted.namespace, wanted.name, wanted.place::int FROM unnest($1::text[], $2::text[]) WITH ORDINALITY wanted(namespace, name, place)
     JOIN pg_namespace n ON n.nspname = wanted.namespace JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name`,
    [schemas.map((schema) => schema.namespace), schemas.map((schema) => schema.name)],
    signal,
  );
  const places = new Set(found.map((row) => row.place));
  const missing = schemas.find((_, i) => !places.has(i + 1));
  if (missing !== undefined) throw changedError(missing.id, "it was dropped or renamed");
  const published = new Set(publication?.tables.map((table) => tableId(table.namespace, table.name)));
  const known = found.flatMap(({ oid, namespace, name }) => {
    const table = inspected.get(oid);
    const isKnown = table?.namespace === namespace && table.name === name && published.has(tableId(namespace, name));
    return isKnown ? [table] : [];
  });
  const knownOids = new Set(known.map(({ oid }) => oid));
  const others = found.map(({ oid }) => oid).filter((oid) => !knownOids.has(oid));
  const tables = [...known, ...(await matchedTables(session, others, signal))];
  for (const table of tables) {
    const refusal = tableRefusal(options, table);
    if (refusal !== null) throw refusal;
  }
  return tables;
}

/** The slot when nobody reads it any more, or as it is after a while. */
export async function releasedSlot(
  options: PostgresOptions,
  session: Session,
  facts: ServerFacts,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<Slot | null> {
  for (let i = 0; ; i++) {
    const slot = await readSlot(options, session, facts, signal);
    if (slot === null || !slot.active || i === RELEASE_POLLS_MAX) return slot;
    await ambient.clock.sleep(RELEASE_POLL_MS, signal);
  }
}

function publicationLost(options: PostgresOptions, resume: PgPosition): MillraceError {
  const position = resume.toString();
  return new MillraceError(
    "LOG_LOST",
    `the log from ${position} on cannot be read any more: publication ${options.publicationName} does not exist`,
    { place: { position } },
  );
}
