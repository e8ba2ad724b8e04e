import duckdb, { type Connection } from "@duckdb/node-bindings";
import { BufferLoan, type BufferPool } from "../../core/buffer-pool.ts";
import { MillraceError } from "../../core/errors.ts";
import type { VectorData } from "./encode.ts";
import { copyToVector, nativeType, RowCursor, type Feed, type FeedRows, type StringWriter } from "./feed.ts";
import { StringArena, stringHeaders } from "./string-vector.ts";

const STRING_BYTES = 16;

/**
 * The fast way in: a table function that fills DuckDB's vectors straight from the batches' buffers. DuckDB calls it on
 * this thread while the statement runs on its own, so the event loop is busy only while a vector is filled. It cannot
 * wait: what it does not have when called is not in the statement, so one statement serves one group of rows.
 */
export class TableFeed implements Feed {
  readonly #name: string;
  readonly #query: (sql: string) => Promise<void>;
  readonly #arena = new StringArena();
  readonly #loan: BufferLoan;
  /** String headers by column data: a second statement over the same rows uses those of the first. */
  #headers = new Map<VectorData, Uint8Array>();
  #rows: FeedRows | null = null;
  #failure: unknown = null;

  /** `name` must be the only one of its kind in the database: functions are known to all of its connections. */
  constructor(connection: Connection, name: string, query: (sql: string) => Promise<void>, pool: BufferPool) {
    this.#loan = new BufferLoan(pool);
    this.#name = name;
    this.#query = query;
    const feed = duckdb.create_table_function();
    duckdb.table_function_set_name(feed, name);
    duckdb.table_function_set_bind(feed, (info) => {
      const rows = this.#rows;
      if (rows === null) return duckdb.bind_set_error(info, "no rows are being fed");
      for (const { name, type } of rows.columns) duckdb.bind_add_result_column(info, name, nativeType(type));
      duckdb.bind_set_cardinality(info, rows.length, true);
    });
    duckdb.table_function_supports_projection_pushdown(feed, true);
    duckdb.table_function_set_init(feed, (info) => {
      if (this.#rows === null) return duckdb.init_set_error(info, "no rows are being fed");
      const count = duckdb.init_get_column_count(info);
      const columns = Array.from({ length: count }, (_, i) => duckdb.init_get_column_index(info, i));
      duckdb.init_set_init_data(info, new RowCursor(this.#rows, columns, this.#writeStrings));
    });
    duckdb.table_function_set_function(feed, (info, chunk) => {
      try {
        const cursor = duckdb.function_get_init_data(info);
        if (!(cursor instanceof RowCursor)) throw new MillraceError("INTERNAL", "a scan of the feed was not begun");
        cursor.fill(chunk);
      } catch (error) {
        this.#failure = error;
        duckdb.function_set_error(info, "the feed failed");
      }
    });
    duckdb.register_table_function(connection, feed);
  }

  async run(rows: FeedRows, statements: (relation: string) => readonly string[]): Promise<void> {
    this.#rows = rows;
    try {
      for (const sql of statements(`"${this.#name}"()`)) await this.#query(sql);
    } catch (error) {
      throw this.#failure ?? error;
    } finally {
      this.#rows = this.#failure = null;
      this.#headers = new Map();
      this.#arena.reset();
      this.#loan.end();
    }
  }

  readonly #writeStrings: StringWriter = (vector, at, strings, row, count) => {
    let headers = this.#headers.get(strings);
    if (headers === undefined) {
      headers = stringHeaders(strings.data, strings.offsets, strings.length, this.#arena, this.#loan);
      this.#headers.set(strings, headers);
    }
    copyToVector(vector, at, headers, STRING_BYTES, row, count);
  };
}
