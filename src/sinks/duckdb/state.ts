import { listValue } from "@duckdb/node-api";
import type { CommittedRecord, EpochRecord } from "../../core/record.ts";
import type { Json } from "../../core/json.ts";
import { MillraceError } from "../../core/errors.ts";
import type { TableId, TableSchema } from "../../core/table-schema.ts";
import type { DuckdbSession, Row } from "./session.ts";
import { foldedName, type TargetName } from "./target-name.ts";

/** The version of the tables below. A file with a newer one is refused. */
const LAYOUT = 1;

/** Parts of a record that are written by one statement: so many, or until their texts have so many characters. */
const PARTS_MAX = 500;
const PARTS_LENGTH_MAX = 1 << 20;

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
  /**
   * What `tables` has, read once by `recall`: no other process has the file open meanwhile, and a process has one sink at a
   * time. By `foldedName`, of any pipeline.
   */
  readonly #made = new Map<string, TableRow>();
  /** Of this pipeline. */
  readonly #mine = new Map<TableId, TableRow>();
  /** Tables whose snapshot has ended in the open epoch. */
  readonly #ended = new Set<TableId>();

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
    for (const parts of batches(record.parts)) await this.#writeParts(parts);
    await this.#saveEnded();
  }

  async #writeParts(parts: ReadonlyMap<string, string | null>): Promise<void> {
    await this.#session.execute(
      `DELETE FROM ${this.table("parts")} WHERE pipeline = $1 AND part IN (SELECT unnest($2))`,
      [this.#pipeline, listValue([...parts.keys()])],
    );
    const kept = [...parts].flatMap(([part, text]) => (text === null ? [] : [{ part, text }]));
    if (kept.length === 0) return;
    await this.#session.execute(`INSERT INTO ${this.table("parts")} SELECT $1, unnest($2), unnest($3)`, [
      this.#pipeline,
      listValue(kept.map(({ part }) => part)),
      listValue(kept.map(({ text }) => text)),
    ]);
  }

  /** All of them by one statement: each reads the whole table. */
  async #saveEnded(): Promise<void> {
    if (this.#ended.size === 0) return;
    const ids = listValue([...this.#ended]);
    await this.#session.execute(
      `UPDATE ${this.table("tables")} SET touched = NULL WHERE pipeline = $1 AND id IN (SELECT unnest($2))`,
      [this.#pipeline, ids],
    );
    this.#ended.clear();
  }

  /** Takes the record away. The rows of `tables` stay: they say which targets this pipeline may make anew. */
  async forget(): Promise<void> {
    await this.prepare();
    for (const name of ["parts", "pipelines"])
      await this.#session.execute(`DELETE FROM ${this.table(name)} WHERE pipeline = $1`, [this.#pipeline]);
  }

  /** Reads which tables were made, by any pipeline. */
  async recall(): Promise<readonly TableRow[]> {
    const rows = (await this.#session.rows(`FROM ${this.table("tables")}`)).map(tableRow);
    for (const row of rows) {
      if (row.pipeline === this.#pipeline && this.#mine.has(row.id))
        throw new MillraceError("SINK_DAMAGED", `millrace.tables has ${row.id} twice.`);
      this.#remember(row);
    }
    return rows;
  }

  #remember(row: TableRow): void {
    this.#made.set(foldedName(row.name), row);
    if (row.pipeline === this.#pipeline) this.#mine.set(row.id, row);
  }

  /** One that this pipeline made. */
  mine(id: TableId): TableRow {
    const row = this.#mine.get(id);
    if (row === undefined) throw new MillraceError("INTERNAL", `table ${id} was not begun in the sink`);
    return row;
  }

  /** Who made the target of that name, by any spelling DuckDB takes for the same. */
  maker(name: TargetName): TableRow | null {
    return this.#made.get(foldedName(name)) ?? null;
  }

  /** Notes that a table's snapshot has ended. In the file it stands with the record. */
  endSnapshot(id: TableId): void {
    this.#remember({ ...this.mine(id), touched: null });
    this.#ended.add(id);
  }

  /** Writes what is known of a table of this pipeline, inside the open transaction. */
  async saveTable(row: TableRow): Promise<void> {
    if (this.#mine.has(row.id))
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
    this.#remember(row);
  }
}

/** A record's parts as texts, some at a time. */
function* batches(parts: EpochRecord["parts"]): Generator<ReadonlyMap<string, string | null>> {
  let batch = new Map<string, string | null>();
  let length = 0;
  for (const [part, value] of parts) {
    const text = value === null ? null : JSON.stringify(value);
    batch.set(part, text);
    length += text?.length ?? 0;
    if (batch.size < PARTS_MAX && length < PARTS_LENGTH_MAX) continue;
    yield batch;
    batch = new Map();
    length = 0;
  }
  if (batch.size > 0) yield batch;
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
