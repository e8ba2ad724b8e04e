import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBInstance } from "@duckdb/node-api";
import { quoteText } from "../../src/formats/duckdb-sql.ts";
import { quoteIdentifier } from "../../src/core/table-schema.ts";
import { fileDuckdb } from "./file-duckdb.ts";
import { WORKLOAD_KEYS } from "./workload-tables.ts";

/** A log as SQL reads it: all of its files, whatever wrote them. */
export class LakeLog implements AsyncDisposable {
  readonly #folder: string;
  readonly #instance: DuckDBInstance;

  private constructor(folder: string, instance: DuckDBInstance) {
    this.#folder = folder;
    this.#instance = instance;
  }

  /** `folder`: of the tables, so of a schema. */
  static async open(folder: string): Promise<LakeLog> {
    return new LakeLog(folder, await fileDuckdb());
  }

  /** `$name` in the statement stands for the rows of the table's files. */
  async rows(sql: string): Promise<readonly (readonly unknown[])[]> {
    const connection = await this.#instance.connect();
    try {
      const source = sql.replaceAll(/\$([a-z]+)/g, (_, table: string) => this.#files(table));
      return (await connection.runAndReadAll(source)).getRowsJS();
    } finally {
      connection.closeSync();
    }
  }

  #files(table: string): string {
    const files = quoteText(join(this.#folder, table, "**", "*.parquet"));
    return `read_parquet(${files}, filename = true, union_by_name = true, hive_partitioning = false)`;
  }

  async #tables(): Promise<readonly string[]> {
    const names = await readdir(this.#folder, { recursive: true });
    return [...new Set(names.filter((name) => name.endsWith(".parquet")).map((name) => name.split("/")[0]!))];
  }

  /** Rows of all tables that have the same place in the pipeline's order. */
  async #sequenceFaults(): Promise<readonly string[]> {
    const all = (await this.#tables()).map((table) => `SELECT _seq FROM ${this.#files(table)}`).join(" UNION ALL ");
    const found = await this.rows(`SELECT _seq::text FROM (${all}) GROUP BY _seq HAVING count(*) > 1 LIMIT 5`);
    return found.map(([sequence]) => `_seq ${String(sequence)} is there twice`);
  }

  /**
   * Changes of a key that cannot follow each other, since the table was last emptied: a row that came and comes again; one
   * that is gone and is changed, deleted or read by the snapshot. Before its first row, a snapshot may still bring a key.
   */
  async keyFaults(table: string, key: readonly string[]): Promise<readonly string[]> {
    const names = key.map(quoteIdentifier).join(", ");
    const found = await this.rows(`
      WITH life AS (SELECT *, count(*) FILTER (WHERE _op = 't') OVER (ORDER BY _seq) AS life FROM $${table}),
      pairs AS (
        SELECT *, lag(_op) OVER (PARTITION BY life, ${names} ORDER BY _seq) AS before FROM life WHERE _op <> 't'
      )
      SELECT concat_ws(' ', ${names}, before, 'then', _op, 'at', _seq) FROM pairs
      WHERE (before <> 'd' AND _op = 'c') OR (before = 'd' AND _op IN ('r', 'u', 'd'))
      ORDER BY _seq LIMIT 5`);
    return found.map(([text]) => `${table}: ${String(text)}`);
  }

  /** Of the workload's tables: what no database can have done. */
  async workloadFaults(): Promise<readonly string[]> {
    const faults = [...(await this.#sequenceFaults())];
    for (const [table, key] of Object.entries(WORKLOAD_KEYS)) faults.push(...(await this.keyFaults(table, key)));
    return faults;
  }

  /** Of a `Tally`'s tables: each change once, and nothing between two. */
  async tallyFaults(): Promise<readonly string[]> {
    const faults = [...(await this.#sequenceFaults())];
    for (const table of ["tally", "steps"]) faults.push(...(await this.keyFaults(table, ["id"])));
    const counted = await this.rows(`
      WITH counts AS (
        SELECT *, n - lag(n) OVER (PARTITION BY id ORDER BY _seq) AS step FROM $tally WHERE _op <> 't'
      )
      SELECT concat_ws(' ', id, 'goes by', step, 'to', n, 'by', _op) FROM counts
      WHERE step <> CASE _op WHEN 'r' THEN 0 ELSE 1 END LIMIT 5`);
    // MySQL's tables are followed one after the other, in the order of their names: `tally` may come in some steps later.
    const told = await this.rows(`
      WITH counts AS (SELECT _tx, count(*) AS rows FROM $tally WHERE _op = 'u' GROUP BY _tx),
      steps AS (SELECT id, touched, _tx FROM $steps WHERE _op = 'c'),
      first AS (SELECT min(id) AS first FROM steps JOIN counts USING (_tx))
      SELECT concat_ws(' ', 'step', coalesce(id::text, _tx), 'has', coalesce(rows, 0), 'rows and not', touched)
      FROM steps FULL JOIN counts USING (_tx), first
      WHERE coalesce(rows, 0) <> coalesce(touched, 0) AND coalesce(id >= first, true) LIMIT 5`);
    return [...faults, ...[...counted, ...told].map(([text]) => `tally: ${String(text)}`)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#instance.closeSync();
    await Promise.resolve();
  }
}
