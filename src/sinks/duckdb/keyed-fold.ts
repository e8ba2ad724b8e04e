import { quoteIdentifier } from "../../core/table-schema.ts";
import { Fold, MASK_BITS } from "./change-rows.ts";
import { existingRowsDefault } from "../../formats/duckdb-sql.ts";
import { cellsOf, changeKey, lastKey, quotedColumns, sameKey, targetKey, type Target } from "./target.ts";

/**
 * Joins a snapshot's rows (`f`) with the keys that the log has touched, in committed epochs, flushed, or waiting in this
 * epoch's changes. ANTI: those it has not, which go straight in. SEMI: those it has, which become changes. The cost
 * follows the touched keys and the rows, never the target's size.
 */
export function touchedJoin(kind: "ANTI" | "SEMI", target: Target, changes: boolean): string {
  const parts = target.schema.key.map((_, part) => `k${part}`).join(", ");
  const waiting = target.schema.key.map((column, part) => `c${column} AS k${part}`).join(", ");
  const keys = [`SELECT ${parts} FROM ${target.touched!}`];
  if (changes) keys.push(`SELECT ${waiting} FROM ${target.changes}`);
  return `${kind} JOIN (${keys.join(" UNION ALL ")}) k ON ${sameKey(target, changeKey("f"), lastKey("k"))}`;
}

/**
 * Brings changes into their target as they are fed, while none of the table wait: none of them may be partial. Each
 * statement reads the feed for its keys, and the last one for its rows too.
 */
export function keyedApplySql(target: Target, mapping: readonly number[], from: string): readonly string[] {
  const fed = { ...target, last: `(${lastOf(target, from)})` };
  return [...clearSql(fed), insertWholeSql(fed, cellsOf(target, mapping, "c"), from)];
}

/**
 * Brings an epoch's changes of a table with a key into its target: one change per key, the target deleted from and
 * inserted into once. (MERGE and INSERT OR REPLACE update in place, which is ten times slower and makes the checkpoint
 * write the table anew: measured.) `partial`: some of the changes are `part` or `older`.
 */
export function keyedFoldSql(target: Target, partial: boolean): readonly string[] {
  const statements = [`CREATE TEMP TABLE ${target.last} AS ${lastOf(target, target.changes)}`];
  if (partial) statements.push(laidSql(target));
  const cells = target.schema.columns.map((_, i) => `c.c${i}`).join(", ");
  statements.push(...clearSql(target), insertWholeSql(target, cells, target.changes));
  if (partial) statements.push(insertLaidSql(target), `DROP TABLE ${target.laid}`);
  statements.push(`DROP TABLE ${target.last}`, `DROP TABLE ${target.changes}`);
  return statements;
}

/** The last change of each key. */
function lastOf(target: Target, from: string): string {
  const keys = target.schema.key.map((column, part) => `c${column} AS k${part}`).join(", ");
  return `SELECT ${keys}, max(__seq) AS seq, arg_max(__op, __seq) AS op FROM ${from} GROUP BY ALL`;
}

/** Notes the changed keys as touched, and takes their rows out of the target. */
function clearSql(target: Target): readonly string[] {
  const touch = target.touched === null ? [] : [touchSql(target)];
  const same = sameKey(target, targetKey(target, "t"), lastKey("l"));
  return [...touch, `DELETE FROM ${target.table} t USING ${target.last} l WHERE ${same}`];
}

function touchSql(target: Target): string {
  const keys = target.schema.key.map((_, part) => `l.k${part}`).join(", ");
  const known = sameKey(target, lastKey("l"), lastKey("k"));
  return `INSERT INTO ${target.touched!} SELECT ${keys} FROM ${target.last} l ANTI JOIN ${target.touched!} k ON ${known}`;
}

function insertWholeSql(target: Target, cells: string, from: string): string {
  return `INSERT INTO ${target.table} (${quotedColumns(target)}) SELECT ${cells} FROM ${from} c SEMI JOIN ${target.last} l ON c.__seq = l.seq AND l.op = ${Fold.whole}`;
}

/**
 * The rows whose last change is not whole: the known cells since the last whole row or delete, laid over it, or over
 * what the target has. `base` says which: a whole row, a delete, or (`part`) the target. It stands before the DELETE.
 */
function laidSql(target: Target): string {
  const { schema } = target;
  const keyNames = schema.key.map((column) => `c${column}`).join(", ");
  const cells = schema.columns.flatMap((column, i) => {
    if (schema.key.includes(i)) return [];
    const known = `__op <> ${Fold.delete} AND (__absent${Math.floor(i / MASK_BITS)} & ${1 << (i % MASK_BITS)}) = 0`;
    return [
      `arg_max_null(c${i}, __seq) FILTER (WHERE ${known}) AS c${i}`,
      `coalesce(bool_or(${known}), false) AS known${i}`,
    ];
  });
  const inKey = sameKey(target, changeKey("c"), lastKey("l"));
  const laid = ["any_value(base) AS base", `bool_or(__op = ${Fold.older}) AS older`, ...cells].join(", ");
  const values = schema.columns.map((column, i) => {
    if (schema.key.includes(i)) return `r.c${i} AS c${i}`;
    const there = `t.${quoteIdentifier(column.name)}`;
    return `CASE WHEN r.known${i} THEN r.c${i} WHEN ${isThere(target)} THEN ${there} ELSE ${existingRowsDefault(column)} END AS c${i}`;
  });
  return `CREATE TEMP TABLE ${target.laid} AS
WITH mine AS (SELECT c.* FROM ${target.changes} c SEMI JOIN ${target.last} l ON ${inKey} AND l.op >= ${Fold.part}),
bases AS (SELECT ${keyNames}, max(__seq) AS seq, arg_max(__op, __seq) AS base FROM mine WHERE __op < ${Fold.part} GROUP BY ALL),
since AS (SELECT m.*, coalesce(b.base, ${Fold.part}) AS base FROM mine m LEFT JOIN bases b USING (${keyNames}) WHERE b.seq IS NULL OR m.__seq >= b.seq),
laid AS MATERIALIZED (SELECT ${keyNames}, ${laid} FROM since GROUP BY ${keyNames})
SELECT ${values.join(", ")} FROM laid r LEFT JOIN ${rowsOfKeys(target, "laid")} t ON ${sameKey(target, changeKey("r"), targetKey(target, "t"))}
WHERE r.base = ${Fold.whole} OR r.older OR ${isThere(target)}`;
}

/**
 * The target's rows of these keys, found by the key columns alone and then fetched by row id: a join with the target
 * would read all of its other columns, and partial updates are those of tables with large values.
 */
function rowsOfKeys(target: Target, keys: string): string {
  if (target.schema.columns.some(({ name }) => name.toLowerCase() === "rowid")) return target.table;
  const same = sameKey(target, targetKey(target, "t"), changeKey("k"));
  return `(FROM ${target.table} WHERE rowid IN (SELECT t.rowid FROM ${target.table} t SEMI JOIN ${keys} k ON ${same}))`;
}

/** The target's row is what the cells are laid over. A key column is never null in it. */
function isThere(target: Target): string {
  return `(r.base = ${Fold.part} AND ${targetKey(target, "t")(target.schema.key[0]!)} IS NOT NULL)`;
}

function insertLaidSql(target: Target): string {
  const cells = target.schema.columns.map((_, i) => `c${i}`).join(", ");
  return `INSERT INTO ${target.table} (${quotedColumns(target)}) SELECT ${cells} FROM ${target.laid}`;
}
