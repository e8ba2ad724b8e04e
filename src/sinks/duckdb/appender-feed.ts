import duckdb, { type Connection, type Vector } from "@duckdb/node-bindings";
import { quoteIdentifier } from "../../core/table-schema.ts";
import type { VectorData } from "./encode.ts";
import { nativeType, RowCursor, type Feed, type FeedRows } from "./feed.ts";
import { duckdbType } from "../../formats/duckdb-sql.ts";

const STAGE = "millrace_stage";

/**
 * The plain way in, through DuckDB's documented appender and a temporary table. Slower, and it keeps the event loop
 * busy; it leans on nothing undocumented, so it is what `TableFeed` is compared with, and what to fall back to should
 * DuckDB change its string layout.
 */
export class AppenderFeed implements Feed {
  readonly #connection: Connection;
  readonly #query: (sql: string) => Promise<void>;

  constructor(connection: Connection, query: (sql: string) => Promise<void>) {
    this.#connection = connection;
    this.#query = query;
  }

  async run(rows: FeedRows, statements: (relation: string) => readonly string[]): Promise<void> {
    const columns = rows.columns.map(({ name, type }) => `${quoteIdentifier(name)} ${duckdbType(type)}`);
    await this.#query(`CREATE TEMP TABLE ${STAGE} (${columns.join(", ")})`);
    this.#append(rows);
    for (const sql of statements(`temp.main.${STAGE}`)) await this.#query(sql);
    await this.#query(`DROP TABLE temp.main.${STAGE}`);
  }

  #append(rows: FeedRows): void {
    const appender = duckdb.appender_create_ext(this.#connection, "temp", "main", STAGE);
    const chunk = duckdb.create_data_chunk(rows.columns.map(({ type }) => nativeType(type)));
    const cursor = new RowCursor(rows, [...rows.columns.keys()], writeStrings);
    while (cursor.fill(chunk) > 0) {
      duckdb.append_data_chunk(appender, chunk);
      duckdb.data_chunk_reset(chunk);
    }
    duckdb.appender_close_sync(appender);
  }
}

function writeStrings(
  vector: Vector,
  at: number,
  { data, offsets }: VectorData & { readonly kind: "bytes" },
  row: number,
  count: number,
): void {
  for (let i = 0; i < count; i++)
    duckdb.vector_assign_string_element_len(vector, at + i, data.subarray(offsets[row + i], offsets[row + i + 1]));
}
