import type { CommittedRecord, EpochRecord } from "../../core/record.ts";
import type { Json } from "../../core/json.ts";
import { MillraceError } from "../../core/errors.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import type { DuckdbSession, Row } from "./session.ts";
import type { TargetName } from "./target-name.ts";

/** The version of the tables below. A file with a newer one is refused. */
const LAYOUT = 1;

/** What the sink knows of a table it made, kept in `millrace.tables`. */
export interface TableRow {
  readonly pipeline: string;
  readonly id: TableId;
  readonly name: TargetName;
  readonly incarnation: number;
  /** The side table's name within the schema `millrace`; null: the snapshot is complete. */
  readonly touched: string | null;
  /** Bytes of a row, on the average, in the batch that had the widest ones. Written only where they are wide. */
  readonly rowBytes: number;
  readonly schema: TableSchema;
}

/**
 * The sink's own tables, in the file's schema `millrace`: `layout` (their version), `pipelines` (epoch and token),
 * `parts` (the record), `tables` (what was made for whom), and a side table `touched_…` for each table in its snapshot.
 * They have no constraints: rows are deleted and inserted again within one transaction.
 */
export class StateTables {
  readonly #session: DuckdbSession;
  readonly #pipeline: string;

  constructor(session: DuckdbSession, pipeline: string) {
    this.#session = session;
    this.#pipeline = pipeline;
  }

  /** Makes what is missing. */
  async prepare(): Promise<void> {
    await this.#session.run(`BEGIN TRANSACTION;
CREATE SCHEMA IF NOT EXISTS ${this.table("")};
CREATE TABLE IF NOT EXISTS ${this.table("layout")} (version INTEGER);
CREATE TABLE IF NOT EXISTS ${this.table("pipelines")} (pipeline VARCHAR, epoch BIGINT, token BIGINT);
CREATE TABLE IF NOT EXISTS ${this.table("parts")} (pipeline VARCHAR, part VARCHAR, value VARCHAR);
CREATE TABLE IF NOT EXISTS ${this.table("tables")} (pipeline VARCHAR, id VARCHAR, target_schema VARCHAR, target_table VARCHAR, incarnation BIGINT, touched VARCHAR, row_bytes BIGINT, source_schema VARCHAR);
INSERT INTO ${this.table("layout")} SELECT ${LAYOUT} WHERE NOT EXISTS (FROM ${this.table("layout")});
COMMIT`);
    const [layout] = await this.#session.rows(`SELECT max(version) AS version FROM ${this.table("layout")}`);
    if (Number(layout!["version"]) > LAYOUT)
      throw new MillraceError("SINK_NEWER_FORMAT", "The DuckDB file was written by a newer Millrace.");
    // A row from the start, at epoch 0: two runs that both take themselves for the first then update it, and one of them fails.
    await this.#session.execute(
      `INSERT INTO ${this.table("pipelines")} SELECT $1, 0, 0 WHERE NOT EXISTS (FROM ${this.table("pipelines")} WHERE pipeline = $1)`,
      [this.#pipeline],
    );
  }

  /** A table of the schema `millrace`, or that schema (no name). */
  table(name: string): string {
    const schema = `"${this.#session.database.replaceAll('"', '""')}".millrace`;
    return name === "" ? schema : `${schema}."${name}"`;
  }

  async committed(): Promise<CommittedRecord | null> {
    const { epoch, token } = await this.#epoch();
    if (epoch === 0) return null;
    const rows = await this.#session.rows(`SELECT part, value FROM ${this.table("parts")} WHERE pipeline = $1`, [
      this.#pipeline,
    ]);
    const parts = new Map(
      rows.map((row) => [String(row["part"]), parsed(row["value"], "parts", "RECORD_DAMAGED") as Json]),
    );
    return { epoch, token, parts };
  }

  async #epoch(): Promise<{ readonly epoch: number; readonly token: number }> {
    const rows = await this.#session.rows(`SELECT epoch, token FROM ${this.table("pipelines")} WHERE pipeline = $1`, [
      this.#pipeline,
    ]);
    if (rows.length !== 1)
      throw new MillraceError("SINK_DAMAGED", `millrace.pipelines has ${rows.length} rows for this pipeline.`);
    return { epoch: Number(rows[0]!["epoch"]), token: Number(rows[0]!["token"]) };
  }

  /** Writes an epoch's record inside the open transaction, or rejects with `FENCED`. */
  async write(record: EpochRecord): Promise<void> {
    const { epoch, token } = await this.#epoch();
    if (epoch !== record.epoch - 1 || token > record.token)
      throw new MillraceError(
        "FENCED",
        `Epoch ${record.epoch} of token ${record.token} cannot follow epoch ${epoch} of token ${token}.`,
      );
    await this.#session.execute(`UPDATE ${this.table("pipelines")} SET epoch = $2, token = $3 WHERE pipeline = $1`, [
      this.#pipeline,
      BigInt(record.epoch),
      BigInt(record.token),
    ]);
    for (const [part, value] of record.parts) {
      await this.#session.execute(`DELETE FROM ${this.table("parts")} WHERE pipeline = $1 AND part = $2`, [
        this.#pipeline,
        part,
      ]);
      if (value !== null)
        await this.#session.execute(`INSERT INTO ${this.table("parts")} VALUES ($1, $2, $3)`, [
          this.#pipeline,
          part,
          JSON.stringify(value),
        ]);
    }
  }

  /** Takes the record away. The rows of `tables` stay: they say which targets this pipeline may make anew. */
  async forget(): Promise<void> {
    await this.prepare();
    for (const name of ["parts", "pipelines"])
      await this.#session.execute(`DELETE FROM ${this.table(name)} WHERE pipeline = $1`, [this.#pipeline]);
  }

  /** The tables that were made, by any pipeline. */
  async tables(): Promise<readonly TableRow[]> {
    return (await this.#session.rows(`FROM ${this.table("tables")}`)).map(tableRow);
  }

  /** One that this pipeline made. */
  async mine(id: TableId): Promise<TableRow> {
    const rows = await this.#session.rows(`FROM ${this.table("tables")} WHERE pipeline = $1 AND id = $2`, [
      this.#pipeline,
      id,
    ]);
    if (rows.length !== 1)
      throw new MillraceError(
        "SINK_DAMAGED",
        `millrace.tables has ${rows.length} rows for ${id}, and should have one.`,
      );
    return tableRow(rows[0]!);
  }

  /** Who made the target of that name, by any spelling DuckDB takes for the same. */
  async maker(name: TargetName): Promise<TableRow | null> {
    const rows = await this.#session.rows(
      `FROM ${this.table("tables")} WHERE lower(target_schema) = lower($1) AND lower(target_table) = lower($2)`,
      [name.schema, name.table],
    );
    return rows.length === 0 ? null : tableRow(rows[0]!);
  }

  async saveTable(row: TableRow): Promise<void> {
    await this.#session.execute(`DELETE FROM ${this.table("tables")} WHERE pipeline = $1 AND id = $2`, [
      row.pipeline,
      row.id,
    ]);
    await this.#session.execute(`INSERT INTO ${this.table("tables")} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, [
      row.pipeline,
      row.id,
      row.name.schema,
      row.name.table,
      BigInt(row.incarnation),
      row.touched,
      BigInt(row.rowBytes),
      JSON.stringify(row.schema),
    ]);
  }
}

function tableRow(row: Row): TableRow {
  return {
    pipeline: String(row["pipeline"]),
    id: String(row["id"]) as TableId,
    name: { schema: String(row["target_schema"]), table: String(row["target_table"]) },
    incarnation: Number(row["incarnation"]),
    touched: row["touched"] === null ? null : String(row["touched"]),
    rowBytes: Number(row["row_bytes"]),
    schema: parsed(row["source_schema"], "tables", "SINK_DAMAGED") as TableSchema,
  };
}

function parsed(text: Row[string] | undefined, table: string, code: "RECORD_DAMAGED" | "SINK_DAMAGED"): unknown {
  try {
    return JSON.parse(String(text));
  } catch (error) {
    throw new MillraceError(code, `A row of millrace.${table} is not what was written there.`, { cause: error });
  }
}
