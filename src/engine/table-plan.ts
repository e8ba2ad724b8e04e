import { MillraceError } from "../core/errors.ts";
import { sameJson } from "../core/json.ts";
import type { TablePart, TableState } from "../core/record.ts";
import type { BeginMode } from "../core/sink.ts";
import type { Inspection, TableOffer } from "../core/source.ts";
import { readsTables, type Startup } from "../core/startup.ts";
import type { TableId, TableSchema } from "../core/table-schema.ts";
import { compareTables, fingerprintOf, type ChangedTable, tablesChanged, type TableTerms } from "./fingerprint.ts";
import type { RecordContent } from "./record-parts.ts";

/** A table that begins an incarnation in this run. */
export interface TableBegin {
  readonly part: TablePart;
  readonly mode: BeginMode;
}

/** What this run does with each table, decided before anything is written. */
export interface TablePlan {
  readonly begin: readonly TableBegin[];
  readonly remove: readonly TableId[];
  /** Tables of the record that stop here, because the source refuses them now or the attempt before failed on them. */
  readonly stop: ReadonlyMap<TableId, MillraceError>;
  /** The shapes that the log goes on with: of every table that is not stopped. */
  readonly live: readonly TableSchema[];
}

export interface TablePlanFacts {
  readonly content: RecordContent;
  readonly inspection: Inspection;
  readonly startup: Startup;
  readonly terms: (offer: TableOffer) => TableTerms;
  readonly resnapshot: readonly TableId[];
  /** `Sink.begun`. */
  readonly begun: ReadonlyMap<TableId, number>;
  readonly failed: ReadonlyMap<TableId, MillraceError>;
}

/**
 * Compares the record with what the pipeline file matches now (design §4: added, removed, changed, kept). Pure. Where no table
 * is left live, there is nothing to run, but the rest of the plan still stands.
 */
export function planTables(facts: TablePlanFacts): TablePlan {
  const { content, inspection, failed } = facts;
  checkIdentity(content, inspection);
  const refused = new Map(inspection.refusals.map((refusal) => [refusal.table, refusal.error]));
  checkRefusals([...refused].filter(([table]) => !content.tables.has(table)));
  const offers = new Map(inspection.offers.map((offer) => [offer.schema.id, offer]));
  const asked = checkResnapshot(facts.resnapshot, offers);
  const again = new Set([...asked, ...resetByOperator(content), ...emptied(content, facts.begun)]);
  const terms = new Map(inspection.offers.map((offer) => [offer.schema.id, facts.terms(offer)]));
  const comparison = compareTables(content.tables, terms);
  const changed = comparison.changed.filter(({ table }) => !again.has(table));
  const altered = new Map(changed.flatMap(alteredBySource));
  if (changed.length > altered.size) throw tablesChanged(changed.filter(({ table }) => !altered.has(table)));

  const begin: TableBegin[] = [];
  const stop = new Map<TableId, MillraceError>();
  const live: TableSchema[] = [];
  for (const [id, tableTerms] of terms) {
    const part = content.tables.get(id);
    const failure = failed.get(id);
    if (part !== undefined && part.state.kind !== "stopped" && failure !== undefined) {
      // Also one without a key, which would begin again, and fail again.
      stop.set(id, failure);
    } else if (part === undefined || again.has(id) || beginsAgain(part)) {
      const read = again.has(id) || readsTables(facts.startup);
      begin.push(newIncarnation(part, tableTerms, read ? { kind: "planned" } : { kind: "streaming", rows: 0 }));
      live.push(tableTerms.schema);
    } else if (part.state.kind !== "stopped") {
      const error = altered.get(id) ?? failed.get(id) ?? unlogged(offers.get(id));
      if (error === undefined) live.push(part.schema);
      else stop.set(id, error);
    }
  }
  for (const [id, error] of refused) if (content.tables.get(id)?.state.kind !== "stopped") stop.set(id, error);
  const remove = comparison.removed.filter((id) => !refused.has(id));
  return { begin, remove, stop, live };
}

/**
 * The tables that begin, but those of which a log from before now is delivered alone: what the source says of a table is of
 * now.
 */
export function definable({ begin }: TablePlan, { kind }: Startup): readonly TableSchema[] {
  const begun = kind === "latest" ? begin : begin.filter(({ part }) => part.state.kind !== "streaming");
  return begun.map(({ part }) => part.schema);
}

/** The same plan with the schemas that the source has completed for the tables that begin. */
export function withDefinitions(plan: TablePlan, defined: readonly TableSchema[]): TablePlan {
  const byTable = new Map(defined.map((schema) => [schema.id, schema]));
  const begin = plan.begin.map(({ part, mode }) => ({
    mode,
    part: { ...part, schema: byTable.get(part.schema.id) ?? part.schema },
  }));
  return { ...plan, begin, live: plan.live.map((schema) => byTable.get(schema.id) ?? schema) };
}

function checkIdentity(content: RecordContent, inspection: Inspection): void {
  if (content.source === null || sameJson(content.source.identity, inspection.identity)) return;
  const before = JSON.stringify(content.source.identity);
  const now = JSON.stringify(inspection.identity);
  throw new MillraceError(
    "SOURCE_CHANGED",
    `this pipeline was begun on another source: ${before}, and this one is ${now}`,
  );
}

function checkRefusals(refusals: readonly (readonly [TableId, MillraceError])[]): void {
  const first = refusals[0];
  if (first === undefined) return;
  if (refusals.length === 1) throw first[1];
  const list = refusals.map(([, error]) => error.message).join("; ");
  const hint = refusals.map(([, error]) => error.hint).join("\n");
  throw new MillraceError("TABLES_REFUSED", `${refusals.length} tables cannot be read: ${list}`, { hint });
}

function checkResnapshot(tables: readonly TableId[], offers: ReadonlyMap<TableId, TableOffer>): ReadonlySet<TableId> {
  const unknown = tables.find((table) => !offers.has(table));
  if (unknown === undefined) return new Set(tables);
  const known = [...offers.keys()].join(", ");
  throw new MillraceError("USAGE", `--resnapshot names ${unknown}, which is none of this pipeline's tables`, {
    hint: `The pipeline's tables are ${known}.`,
  });
}

/** By `millrace state reset`. */
function resetByOperator({ tables }: RecordContent): readonly TableId[] {
  return [...tables]
    .filter(([, { state }]) => state.kind === "stopped" && state.code === "TABLE_RESET")
    .map(([id]) => id);
}

/** What a run that was ended before its first epoch had begun anew: the record still tells of the rows that are gone. */
function emptied({ tables }: RecordContent, begun: ReadonlyMap<TableId, number>): readonly TableId[] {
  const isBehind = ([id, { incarnation, state }]: [TableId, TablePart]): boolean =>
    state.kind !== "stopped" && (begun.get(id) ?? 0) > incarnation;
  return [...tables].filter(isBehind).map(([id]) => id);
}

/** A table without a key is read in one go: what an earlier process had of it cannot be continued (design §5). */
function beginsAgain(part: TablePart): boolean {
  const { kind } = part.state;
  return part.schema.key.length === 0 && (kind === "planned" || kind === "snapshotting");
}

/** It was followed, and somebody has taken it out of what the log carries: what changed since is not in the log. */
function unlogged(offer: TableOffer | undefined): MillraceError | undefined {
  if (offer === undefined || offer.logged) return undefined;
  const table = offer.schema.id;
  const message = `${table} was taken out of the publication while the pipeline was stopped: changes of it are lost`;
  return new MillraceError("TABLE_UNPUBLISHED", message, { place: { table } });
}

/** Nobody changed the pipeline: the source did, to this table alone. */
function alteredBySource({ table, aspects }: ChangedTable): readonly (readonly [TableId, MillraceError])[] {
  const recreated = aspects[0] === "the table itself";
  if (!recreated && !aspects.every((aspect) => aspect === "key")) return [];
  const what = recreated ? "was dropped and created again" : "got another primary key";
  const error = new MillraceError("SCHEMA_CHANGED", `${table} ${what} while the pipeline was stopped`, {
    hint: `Begin it anew: \`millrace run FILE --resnapshot ${table}\`.`,
    place: { table },
  });
  return [[table, error]];
}

function newIncarnation(part: TablePart | undefined, terms: TableTerms, state: TableState): TableBegin {
  return {
    mode: part === undefined ? "create" : "truncate",
    part: {
      state,
      incarnation: (part?.incarnation ?? 0) + 1,
      fingerprint: fingerprintOf(terms),
      schema: terms.schema,
    },
  };
}
