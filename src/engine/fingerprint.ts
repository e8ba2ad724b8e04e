import { createHash } from "node:crypto";
import { MillraceError } from "../core/errors.ts";
import type { NonFiniteSupport, UnrepresentablePolicy } from "../core/logical-type.ts";
import type { TablePart } from "../core/record.ts";
import { keyColumns, type TableId, type TableSchema } from "../core/table-schema.ts";

/** What the pipeline file and the source resolved to for a table. */
export interface TableTerms {
  readonly schema: TableSchema;
  /** The source's own identity of the table. */
  readonly object: string;
  /** The target's name by the sink's rule. */
  readonly target: string;
  readonly unrepresentable: UnrepresentablePolicy;
  readonly nonFinite: NonFiniteSupport;
}

/** What of a table a run cannot change under way, in the words that an error uses. */
const ASPECTS = ["the table itself", "key", "target name", "policy for values"] as const;
type Aspect = (typeof ASPECTS)[number];

/**
 * One short hash for each aspect, so that a difference can be named: `1:<object>:<key>:<target>:<policy>`. Columns that are no
 * part of the key are left out on purpose: their changes are DDL, which the log brings at its place.
 */
export function fingerprintOf(terms: TableTerms): string {
  const key = keyColumns(terms.schema).map((column) => [column.name, column.sourceType, column.collation]);
  const { decimalNaN, dateInfinity, timestampInfinity } = terms.nonFinite;
  const policy = [terms.unrepresentable, decimalNaN, dateInfinity, timestampInfinity];
  return ["1", digest(terms.object), digest(key), digest(terms.target), digest(policy)].join(":");
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);
}

export interface ChangedTable {
  readonly table: TableId;
  readonly aspects: readonly Aspect[];
}

/** The tables of the record beside those that the pipeline file matches now. Each list in the order of its map. */
export interface TableComparison {
  readonly added: readonly TableId[];
  readonly removed: readonly TableId[];
  readonly changed: readonly ChangedTable[];
  readonly kept: readonly TableId[];
}

export function compareTables(
  stored: ReadonlyMap<TableId, TablePart>,
  configured: ReadonlyMap<TableId, TableTerms>,
): TableComparison {
  const added: TableId[] = [];
  const changed: ChangedTable[] = [];
  const kept: TableId[] = [];
  for (const [table, terms] of configured) {
    const part = stored.get(table);
    if (part === undefined) {
      added.push(table);
      continue;
    }
    const aspects = changedAspects(part.fingerprint, fingerprintOf(terms));
    if (aspects.length === 0) kept.push(table);
    else changed.push({ table, aspects });
  }
  const removed = [...stored.keys()].filter((table) => !configured.has(table));
  return { added, removed, changed, kept };
}

function changedAspects(before: string, after: string): Aspect[] {
  const old = before.split(":");
  const now = after.split(":");
  // Fingerprints of another form cannot be compared piece by piece: then everything may have changed.
  if (old[0] !== now[0] || old.length !== now.length) return [...ASPECTS];
  return ASPECTS.filter((_, i) => old[i + 1] !== now[i + 1]);
}

/** Stops a run whose tables are not those it was begun with, naming each and what differs. */
export function tablesChanged(changed: readonly ChangedTable[]): MillraceError {
  const list = changed.map(({ table, aspects }) => `${table} (${aspects.join(", ")})`).join("; ");
  return new MillraceError("TABLES_CHANGED", `these tables are not what the pipeline was begun with: ${list}`);
}
