import { MillraceError } from "../../core/errors.ts";
import type { StopItem } from "../../core/line.ts";
import type { TableId } from "../../core/table-schema.ts";
import type { PostgresOptions } from "./config.ts";
import type { LazySession } from "./connection.ts";

/** Each delivered table's OID: a table of the same name with another OID is another table. */
export type TableOids = ReadonlyMap<TableId, number>;

/**
 * Notices tables that the log says no more about. DROP TABLE and ALTER PUBLICATION … DROP TABLE are not in the log: a table
 * that was dropped, even if it was created again, would just fall silent.
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

  /** The tables that are not published any more, each told once. */
  async look(signal: AbortSignal): Promise<readonly StopItem[]> {
    if (this.#watched.size === 0) return [];
    const session = await this.#sessions.get(signal);
    const { publicationName } = this.#options;
    const rows = await session.query<{ relid: number }>(
      "SELECT relid FROM pg_get_publication_tables($1)",
      [publicationName],
      signal,
    );
    const published = new Set(rows.map((row) => row.relid));
    const gone = [...this.#watched].filter(([, oid]) => !published.has(oid)).map(([table]) => table);
    for (const table of gone) this.#watched.delete(table);
    return gone.map((table) => ({ kind: "stop", table, error: unpublished(table, publicationName) }));
  }
}

function unpublished(table: TableId, publication: string): MillraceError {
  return new MillraceError(
    "TABLE_UNPUBLISHED",
    `${table} was dropped, or taken out of publication ${publication}: the log says nothing more about it`,
    { place: { table } },
  );
}
