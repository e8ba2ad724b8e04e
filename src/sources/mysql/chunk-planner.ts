import type { ChunkPlanner, ChunkRange, KeyBound, TableExtent } from "../../core/chunk.ts";
import type { ValueRules } from "../../core/source.ts";
import { keyColumns, type TableSchema } from "../../core/table-schema.ts";
import { evenWidth, scaled } from "../../decoding/key-width.ts";
import { keyedTableSize } from "./catalog.ts";
import type { LazySession } from "./connection.ts";
import { mysqlType, rangeCondition } from "./key-condition.ts";
import { streamRows } from "./packet-stream.ts";
import { ResultDecoder } from "./result-decoder.ts";
import { changedError } from "./schema.ts";
import { keySelectionOf } from "./selection.ts";
import { columnList, quoteName, tableName } from "./sql-text.ts";
import { fromClause, readError } from "./table-read.ts";

/** How often the width of a chunk is corrected by the server's estimate of its rows. */
const CORRECTIONS_MAX = 16;
/** An estimate further off than this says nothing of how much smaller the width must be. */
const NEAR = 8;
/** Of the table's rows: InnoDB says half of them at most, whatever a range has. */
const AT_MOST = 0.45;
/** InnoDB counts the rows of so many pages of 16 KB, and doubles what it reckons of more (`btr_estimate_n_rows_in_range`). */
const COUNTED_BYTES = 10 * 16_384;

/** A key has no value that its type cannot hold: the decoder says so, whatever the policy for other columns is. */
const KEY_RULES: ValueRules = {
  unrepresentable: "error",
  nonFinite: { decimalNaN: false, dateInfinity: false, timestampInfinity: false },
  beforeImages: false,
};

const INTEGERS: readonly string[] = ["tinyint", "smallint", "mediumint", "int", "bigint"];

interface PlannedTable {
  /** Of its key; null: it has none. */
  readonly index: string | null;
  readonly rows: number;
  readonly bytes: number;
  readonly max: KeyBound | null;
  /** Of an integer key, the width of the last chunk, and the rows that it was to have. */
  last: { readonly width: bigint; readonly rows: number } | null;
}

/** Whether the key is one integer, whose chunks can be cut by arithmetic. */
function hasIntegerKey(schema: TableSchema): boolean {
  const [column, ...others] = keyColumns(schema);
  return column !== undefined && others.length === 0 && INTEGERS.includes(mysqlType(column).name);
}

/**
 * Cuts tables by their key: integers by arithmetic over the server's estimates, which it takes from a few pages of
 * the index; other keys by walking the index, which in InnoDB is the table: such a chunk's pages are read to plan it.
 */
export class MysqlChunkPlanner implements ChunkPlanner {
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
      bytesPerRowEstimate: Math.ceil(bytesPerRow(table)),
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
    const wanted = Math.max(1, Math.round(rows));
    const upper = hasIntegerKey(schema)
      ? await this.#nextInteger(schema, table, gap, wanted, signal)
      : await this.#keyAt(schema, table.index, gap, "ASC", wanted - 1, signal);
    return { lower: gap.lower, upper: upper ?? gap.upper };
  }

  async #inspect(schema: TableSchema, signal: AbortSignal): Promise<PlannedTable> {
    const session = await this.#sessions.get(signal);
    const table = await keyedTableSize(session, schema, signal);
    if (table === null) throw changedError(schema.id, "it was dropped or renamed");
    const all = { lower: null, upper: null };
    const max = schema.key.length === 0 ? null : await this.#keyAt(schema, table.index, all, "DESC", 0, signal);
    return { ...table, max, last: null };
  }

  /** The key at this place of a range, counted from its beginning or end; null: the range has fewer. */
  async #keyAt(
    schema: TableSchema,
    index: string | null,
    range: ChunkRange,
    order: "ASC" | "DESC",
    place: number,
    signal: AbortSignal,
  ): Promise<KeyBound | null> {
    const selection = keySelectionOf(schema);
    const sorted = columnList(keyColumns(schema), ` ${order}`);
    const from = `${fromClause(schema, index)}${rangeCondition(schema, range)}`;
    const sql = `SELECT ${selection.list} ${from} ORDER BY ${sorted} LIMIT 1 OFFSET ${place}`;
    const decoder = new ResultDecoder(selection.schema, KEY_RULES);
    const session = await this.#sessions.get(signal);
    const sink = {
      packet: (bytes: Uint8Array, start: number, end: number) => decoder.packet(bytes, start, end),
      part: (bytes: Uint8Array, start: number, end: number, last: boolean) => decoder.part(bytes, start, end, last),
      release: () => decoder.release(),
      afterPiece: () => null,
    };
    try {
      await session.run(() => streamRows(session.connection, sql, sink), signal);
    } catch (error) {
      throw signal.aborted ? error : readError(schema, error);
    }
    return decoder.rows === 0 ? null : selection.boundOf(decoder.take(), 0);
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
    const first = await this.#keyAt(schema, table.index, gap, "ASC", 0, signal);
    if (first === null) return null;
    const start = BigInt(first[0]!);
    const end = BigInt(gap.upper![0]!);
    const { last } = table;
    let width = last === null ? evenWidth(table, start, rows) : scaled(last.width, rows / last.rows);
    for (let i = 0; i < CORRECTIONS_MAX; i++) {
      const upper = start + width - 1n;
      const range = { lower: gap.lower, upper: [String(upper < end ? upper : end)] };
      const plain = await this.#estimate(schema, table.index, range, signal);
      const estimate = plain * bytesPerRow(table) > COUNTED_BYTES ? plain / 2 : plain;
      const saysLittle = plain > rows * NEAR || (estimate > rows * 1.5 && plain > table.rows * AT_MOST);
      if (saysLittle) width = BigInt(Math.ceil(Math.sqrt(Number(width))));
      else if (estimate > rows * 1.5) width = scaled(width, rows / estimate);
      else if (estimate < rows / 2 && upper < end) width = scaled(width, Math.min(rows / Math.max(estimate, 1), NEAR));
      else break;
    }
    table.last = { width, rows };
    const upper = start + width - 1n;
    return upper < end ? [String(upper)] : null;
  }

  /** Where an index is forced MySQL does not look into it, and where it is only allowed it does. */
  async #estimate(schema: TableSchema, index: string | null, range: ChunkRange, signal: AbortSignal): Promise<number> {
    const session = await this.#sessions.get(signal);
    const from = `FROM ${tableName(schema)} AS t USE INDEX (${index === null ? "" : quoteName(index)})`;
    const sql = `EXPLAIN FORMAT = TRADITIONAL SELECT 1 ${from}${rangeCondition(schema, range)}`;
    const [plan] = await session.query<{ readonly rows: string | number | null }>(sql, [], signal);
    // Null: the optimizer has seen that there is nothing.
    return Number(plan?.rows ?? 0);
  }
}

function bytesPerRow({ rows, bytes }: PlannedTable): number {
  return bytes / Math.max(rows, 1);
}
