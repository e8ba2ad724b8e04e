import { quoteIdentifier } from "../../core/table-schema.ts";
import { Fold } from "./change-rows.ts";
import { quotedColumns, type Target } from "./target.ts";

/**
 * Brings an epoch's changes of a table without a key into its target. Per distinct row the changes are +1 and −1 in
 * order, and a delete of nothing is nothing. With the running sum's least value m (0 or below) and its last value s, the
 * deletes that reach rows of before are −m (`gone`), and s − m of the inserted rows stay (`fresh`). Nulls are equal.
 */
export function keylessFoldSql(target: Target): readonly string[] {
  const { schema, table, changes, last } = target;
  const cells = schema.columns.map((_, i) => `c${i}`).join(", ");
  const same = (alias: string, name: (i: number) => string): string =>
    schema.columns.map((_, i) => `${alias}.${name(i)} IS NOT DISTINCT FROM n.c${i}`).join(" AND ");
  const inTarget = same("t", (i) => quoteIdentifier(schema.columns[i]!.name));
  const inChanges = same("c", (i) => `c${i}`);
  return [
    `CREATE TEMP TABLE ${last} AS
WITH sums AS (SELECT ${cells}, __seq, sum(CASE WHEN __op = ${Fold.delete} THEN -1 ELSE 1 END) OVER (PARTITION BY ${cells} ORDER BY __seq) AS s FROM ${changes}),
net AS (SELECT ${cells}, least(min(s), 0) AS m, arg_max(s, __seq) AS s FROM sums GROUP BY ${cells})
SELECT ${cells}, -m AS gone, s - m AS fresh, row_number() OVER () AS id FROM net`,
    `DELETE FROM ${table} WHERE rowid IN (SELECT id FROM (SELECT t.rowid AS id, n.gone, row_number() OVER (PARTITION BY n.id) AS nth FROM ${table} t JOIN ${last} n ON ${inTarget} AND n.gone > 0) WHERE nth <= gone)`,
    `INSERT INTO ${table} (${quotedColumns(target)}) SELECT ${cells} FROM (SELECT c.*, n.fresh, row_number() OVER (PARTITION BY n.id ORDER BY c.__seq DESC) AS nth FROM ${changes} c JOIN ${last} n ON ${inChanges} AND n.fresh > 0 WHERE c.__op <> ${Fold.delete}) WHERE nth <= fresh`,
    `DROP TABLE ${last}`,
    `DROP TABLE ${changes}`,
  ];
}
