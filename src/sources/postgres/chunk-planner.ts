import type { ChunkPlanner, ChunkRange, KeyBound, TableExtent } from "../../core/chunk.ts";
import { MillraceError } from "../../core/errors.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { keyColumns, quoteIdentifier } from "../../core/table-schema.ts";
import { evenWidth, scaled } from "../../decoding/key-width.ts";
import { type CatalogTable, KIND, OPERATOR_SCHEMAS } from "./catalog.ts";
import { hasIntegerKey } from "./chunks.ts";
import type { LazySession, Row } from "./connection.ts";
import { changedError } from "./schema.ts";
import { keyList, rangeCondition } from "./sql-text.ts";
import { fromClause, operatorPath } from "./table-read.ts";
import { sizesQuery } from "./table-size.ts";

/** The key index is walked, whatever the planner believes: it alone answers from a page or two of a large table. */
const INDEX_ONLY = ["enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort", "enable_material"]
  .map((setting) => `SET LOCAL ${setting} = off;`)
  .join(" ");

/** How often the width of a chunk is corrected by the server's estimate of its rows. */
const CORRECTIONS_MAX = 16;
/** An estimate further off than this says nothing of how much smaller the width must be. */
const NEAR = 8;

/** What there is to know of a table before it is cut: once per table, and there may be ten thousand. */
const INSPECT = `
  SELECT ${KIND} AS kind, coalesce(size.rows, 0) AS rows, coalesce(size.bytes, 0) AS bytes,
    coalesce((SELECT (${OPERATOR_SCHEMAS}) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), '[]')
      AS "operatorSchemas",
    EXISTS (SELECT 1 FROM pg_stats WHERE schemaname = $1 AND tablename = $2 AND attname = $3
      AND histogram_bounds IS NOT NULL) AS "hasHistogram"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (${sizesQuery("ARRAY[c.oid]")}) size ON true
  WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname = $1 AND c.relname = $2`;

interface InspectedTable {
  readonly kind: CatalogTable["kind"];
  readonly rows: number;
  readonly bytes: number;
  readonly operatorSchemas: readonly string[];
  /** Whether the server knows how an integer key is distributed; else its estimate of a range is a constant. */
  readonly hasHistogram: boolean;
}

interface PlannedTable extends InspectedTable {
  readonly max: KeyBound | null;
  /** Of an integer key, the width of the last chunk, and the rows that it was to have. */
  last: { readonly width: bigint; readonly rows: number } | null;
}

/**
 * Cuts tables by their key index: integers by arithmetic over the server's statistics; by walking the index for other keys,
 * and where the table was never analyzed, so that nothing is known of how its keys lie.
 */
export class PgChunkPlanner implements ChunkPlanner {
  readonly #sessions: LazySession;
  readonly #tables = new Map<string, PlannedTable>();

  constructor(sessions: LazySession) {
    this.#sessions = sessions;
  }

  async extent(schema: TableSchema, signal: AbortSignal): Promise<TableExtent> {
    const table = await this.#inspect(schema, signal);
    this.#tables.set(schema.id, table);
    return {
      table: schema.id,
      rowsEstimate: table.rows,
      bytesPerRowEstimate: Math.ceil(table.bytes / Math.max(table.rows, 1)),
      max: table.max,
    };
  }

  async next(schema: TableSchema, gap: ChunkRange, rows: number, signal: AbortSignal): Promise<ChunkRange> {
    if (schema.key.length === 0 || gap.upper === null) return gap;
    let table = this.#tables.get(schema.id);
    if (table === undefined) {
      table = await this.#inspect(schema, signal);
      this.#tables.set(schema.id, table);
    }
    // A chunk of the whole table: if it has more rows than that, after all, it ends at its cap.
    if (gap.lower === null && table.rows <= rows) return gap;
    const upper =
      hasIntegerKey(schema) && table.hasHistogram
        ? await this.#nextInteger(schema, table, gap, rows, signal)
        : await this.#walk(schema, table, gap, rows, signal);
    return { lower: gap.lower, upper: upper ?? gap.upper };
  }

  async #inspect(schema: TableSchema, signal: AbortSignal): Promise<PlannedTable> {
    const session = await this.#sessions.get(signal);
    const values = [schema.namespace, schema.name, keyColumns(schema)[0]?.name ?? ""];
    const [table] = await session.queryAgain<InspectedTable>("millrace_inspect", INSPECT, values, signal);
    if (table === undefined) throw changedError(schema.id, "it was dropped or renamed");
    const max =
      schema.key.length === 0 ? null : await this.#edge(schema, table, { lower: null, upper: null }, "DESC", signal);
    return { ...table, max, last: null };
  }

  /** The first or the last key of a range, as the server prints it. */
  async #edge(
    schema: TableSchema,
    table: InspectedTable,
    range: ChunkRange,
    order: "ASC" | "DESC",
    signal: AbortSignal,
  ): Promise<KeyBound | null> {
    const from = `${fromClause(schema, table)}${rangeCondition(schema, range)}`;
    const sql = `SELECT ${printedKey(schema)} ${from} ORDER BY ${keyList(schema, ` ${order}`)} LIMIT 1`;
    return keyOf(schema, (await this.#onIndex(table, sql, signal))[0]);
  }

  /** The key `rows` further on in the index: an index-only walk. Null: the range ends before. */
  async #walk(
    schema: TableSchema,
    table: InspectedTable,
    gap: ChunkRange,
    rows: number,
    signal: AbortSignal,
  ): Promise<KeyBound | null> {
    const keys = keyList(schema);
    const from = `${fromClause(schema, table)}${rangeCondition(schema, gap)}`;
    const walked = `SELECT ${keys} ${from} ORDER BY ${keys} LIMIT ${Math.max(1, Math.round(rows))}`;
    const sql = `SELECT ${printedKey(schema)} FROM (${walked}) AS t ORDER BY ${keyList(schema, " DESC")} LIMIT 1`;
    return keyOf(schema, (await this.#onIndex(table, sql, signal))[0]);
  }

  /**
   * The upper bound by arithmetic. It starts at a key that exists, so an empty stretch of any width costs one chunk; it
   * is corrected by the server's estimate of the rows in it, so it follows the density of the place. A chunk that holds
   * more rows all the same ends at its cap.
   */
  async #nextInteger(
    schema: TableSchema,
    table: PlannedTable,
    gap: ChunkRange,
    rows: number,
    signal: AbortSignal,
  ): Promise<KeyBound | null> {
    const first = await this.#edge(schema, table, gap, "ASC", signal);
    if (first === null) return null;
    const start = BigInt(first[0]!);
    const end = BigInt(gap.upper![0]!);
    const { last } = table;
    let width = last === null ? evenWidth(table, start, rows) : scaled(last.width, rows / last.rows);
    for (let i = 0; i < CORRECTIONS_MAX; i++) {
      const upper = start + width - 1n;
      const range = { lower: gap.lower, upper: [String(upper < end ? upper : end)] };
      const estimate = await this.#estimate(schema, table, range, signal);
      if (estimate > rows * NEAR) width = BigInt(Math.ceil(Math.sqrt(Number(width))));
      else if (estimate > rows * 1.5) width = scaled(width, rows / estimate);
      else if (estimate < rows / 2 && upper < end) width = scaled(width, Math.min(rows / Math.max(estimate, 1), NEAR));
      else break;
    }
    table.last = { width, rows };
    const upper = start + width - 1n;
    return upper < end ? [String(upper)] : null;
  }

  async #estimate(schema: TableSchema, table: InspectedTable, range: ChunkRange, signal: AbortSignal): Promise<number> {
    const sql = `EXPLAIN (FORMAT JSON) SELECT 1 ${fromClause(schema, table)}${rangeCondition(schema, range)}`;
    const [row] = await this.#onIndex(table, sql, signal);
    const plan = row?.["QUERY PLAN"] as readonly { readonly Plan: { readonly "Plan Rows": number } }[];
    return plan[0]!.Plan["Plan Rows"];
  }

  async #onIndex(table: InspectedTable, sql: string, signal: AbortSignal): Promise<readonly Row[]> {
    const session = await this.#sessions.get(signal);
    const results = await session.script(
      `BEGIN READ ONLY; ${INDEX_ONLY} ${operatorPath(table.operatorSchemas)}${sql}; COMMIT`,
      signal,
    );
    return results.at(-2)!;
  }
}

/** `format` prints a value with its type's output function, as COPY and the log do; a cast need not. */
function printedKey(schema: TableSchema): string {
  return keyColumns(schema)
    .map((column, i) => `format('%s', t.${quoteIdentifier(column.name)}) AS k${i}`)
    .join(", ");
}

function keyOf(schema: TableSchema, row: Row | undefined): KeyBound | null {
  if (row === undefined) return null;
  return schema.key.map((_, i) => {
    const text = row[`k${i}`];
    if (typeof text !== "string") throw new MillraceError("INTERNAL", `a key of ${schema.id} has no text`);
    return text;
  });
}
