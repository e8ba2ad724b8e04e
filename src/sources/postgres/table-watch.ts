import { MillraceError } from "../../core/errors.ts";
import type { StopItem } from "../../core/line.ts";
import { tableId, type TableId, type TableSchema } from "../../core/table-schema.ts";
import { columnNumbers } from "./column-numbers.ts";
import type { PostgresOptions } from "./config.ts";
import type { LazySession } from "./connection.ts";
import { replacedError } from "./schema.ts";

/** Each delivered table's OID: a table of the same name with another OID is another table. */
export type TableOids = ReadonlyMap<TableId, number>;

/** A watched table that is published, and its columns behind the last one that we know. */
interface Found {
  readonly oid: number;
  readonly namespace: string;
  readonly name: string;
  readonly newer: readonly string[];
}

/** Little comes back for a thousand tables: only a column that took the place of another one is behind the last. */
const LOOK = `
  SELECT c.oid, n.nspname AS namespace, c.relname AS name,
    to_json(ARRAY(SELECT a.attname FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > watched.last AND NOT a.attisdropped)) AS newer
  FROM unnest($2::oid[], $3::int2[]) watched(oid, last)
  JOIN pg_class c ON c.oid = watched.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid IN (SELECT published.relid FROM pg_get_publication_tables($1) published)`;

/**
 * Notices tables that the log says no more about, or not the truth. DROP TABLE and ALTER PUBLICATION … DROP TABLE are not in
 * the log: a table that was dropped, even if it was created again, would just fall silent. So would one that another took
 * the name of, as its rows come under its new name. And the log describes a table as before whose last column was dropped
 * and added again.
 */
export class TableWatch {
  readonly #options: PostgresOptions;
  readonly #sessions: LazySession;
  readonly #watched: Map<TableId, number>;

  constructor(options: PostgresOptions, sessions: LazySession, tables: TableOids) {
    this.#options = options;
    this.#sessions = sessions;
    this.#watched = new Map(tables);
  }

  /** Those of the delivered tables that cannot go on, each told once. The catalog is that of a later moment than the log's. */
  async look(delivered: readonly TableSchema[], signal: AbortSignal): Promise<readonly StopItem[]> {
    const tables = delivered.filter((schema) => this.#watched.has(schema.id));
    if (tables.length === 0) return [];
    const session = await this.#sessions.get(signal);
    const oids = tables.map((schema) => this.#watched.get(schema.id)!);
    const lasts = tables.map(lastNumber);
    const rows = await session.query<Found>(LOOK, [this.#options.publicationName, oids, lasts], signal);
    const found = new Map(rows.map((row) => [row.oid, row]));
    const stops = tables.flatMap((schema, i): readonly StopItem[] => {
      const error = this.#problem(schema, found.get(oids[i]!));
      return error === null ? [] : [{ kind: "stop", table: schema.id, error }];
    });
    for (const { table } of stops) this.#watched.delete(table);
    return stops;
  }

  #problem(schema: TableSchema, found: Found | undefined): MillraceError | null {
    const table = schema.id;
    const { publicationName } = this.#options;
    if (found === undefined)
      return silent(
        table,
        `was dropped, or taken out of publication ${publicationName}: the log says nothing more about it`,
      );
    const name = tableId(found.namespace, found.name);
    if (name !== table) return silent(table, `was renamed to ${name}: the log says nothing more under its old name`);
    const numbers = columnNumbers(schema);
    const replaced = found.newer.find((column) => numbers.has(column));
    return replaced === undefined ? null : replacedError(table, replaced);
  }
}

/** Null: of none of its columns it is known which one it is. */
function lastNumber(schema: TableSchema): number | null {
  const numbers = columnNumbers(schema);
  return numbers.size === 0 ? null : Math.max(...numbers.values());
}

function silent(table: TableId, what: string): MillraceError {
  return new MillraceError("TABLE_UNPUBLISHED", `${table} ${what}`, { place: { table } });
}
