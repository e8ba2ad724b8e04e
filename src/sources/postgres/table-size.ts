import type { TableSize } from "../../core/source.ts";
import type { Session } from "./connection.ts";

/** Bytes of a row where nothing is known of any. */
const ROW_BYTES_GUESS = 100;

/**
 * SQL for `oid`, `rows` and `bytes` of the tables with these oids. Of a table or all leaves of a partitioned one: rows by the
 * statistics' density, as the server's own planner reckons. The `OFFSET 0` lets it ask for each size once, and not wherever it
 * stands.
 */
export function sizesQuery(oids: string): string {
  return `
  SELECT part.root AS oid, sum(size.bytes)::float8 AS bytes,
    ceil(sum(CASE WHEN leaf.relpages > 0 AND leaf.reltuples >= 0 THEN size.pages * leaf.reltuples / leaf.relpages
        ELSE size.pages * current_setting('block_size')::int / ${ROW_BYTES_GUESS} END))::float8 AS rows
  FROM (
    SELECT oid AS root, oid FROM pg_class WHERE oid = ANY(${oids}) AND relkind = 'r'
    UNION ALL
    SELECT top.oid AS root, tree.relid FROM pg_class top CROSS JOIN LATERAL pg_partition_tree(top.oid) tree
    WHERE top.oid = ANY(${oids}) AND top.relkind = 'p') part
  JOIN pg_class leaf ON leaf.oid = part.oid AND leaf.relkind = 'r'
  CROSS JOIN LATERAL (SELECT coalesce(pg_relation_size(leaf.oid), 0) / current_setting('block_size')::int AS pages,
    coalesce(pg_table_size(leaf.oid), 0) AS bytes OFFSET 0) size
  GROUP BY part.root`;
}

export async function tableSizes(
  session: Session,
  oids: readonly number[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, TableSize>> {
  type Found = { oid: number; rows: number; bytes: number };
  const found = await session.query<Found>(sizesQuery("$1::oid[]"), [oids], signal);
  return new Map(found.map(({ oid, rows, bytes }) => [oid, { rows, bytes }]));
}
