import type { Session } from "./connection.ts";

/** Estimates, from the server's statistics and the sizes of its files; neither reads the table. */
export interface TableSize {
  readonly rows: number;
  readonly bytes: number;
}

/** Bytes of a row where nothing is known of any. */
const ROW_BYTES_GUESS = 100;

/** Of a table or all partitions of one: rows by the statistics' density, as the server's own planner reckons. */
const SIZES = `
  SELECT root.oid, sum(size.pages)::float8 AS pages, sum(size.bytes)::float8 AS bytes,
    sum(CASE WHEN leaf.relpages > 0 AND leaf.reltuples >= 0 THEN size.pages * leaf.reltuples / leaf.relpages
        ELSE size.pages * current_setting('block_size')::int / ${ROW_BYTES_GUESS} END)::float8 AS rows
  FROM unnest($1::oid[]) root(oid)
  CROSS JOIN LATERAL (SELECT root.oid AS oid UNION SELECT relid FROM pg_partition_tree(root.oid)) tree
  JOIN pg_class leaf ON leaf.oid = tree.oid AND leaf.relkind = 'r'
  CROSS JOIN LATERAL (SELECT coalesce(pg_relation_size(leaf.oid), 0) / current_setting('block_size')::int AS pages,
    coalesce(pg_table_size(leaf.oid), 0) AS bytes) size
  GROUP BY root.oid`;

export async function tableSizes(
  session: Session,
  oids: readonly number[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, TableSize>> {
  type Found = { oid: number; rows: number; bytes: number };
  const found = await session.query<Found>(SIZES, [oids], signal);
  return new Map(found.map(({ oid, rows, bytes }) => [oid, { rows: Math.ceil(rows), bytes }]));
}
