import { describe, expect, it } from "vitest";
import { AMBIENT, batchRows, deadline, offeredSchemas, openSource } from "../../../test/support/postgres-source.ts";
import { createDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { waitFor } from "../../../test/support/wait-for.ts";
import { Op } from "../../core/change-batch.ts";
import type { LogItem } from "../../core/line.ts";
import { DurablePosition, type Position } from "../../core/position.ts";
import type { LogReader, Source } from "../../core/source.ts";
import type { TableSchema } from "../../core/table-schema.ts";

const said = (): void => undefined;

/** A source that was prepared for all tables, and its log from there. */
class Reading implements AsyncDisposable {
  readonly source: Source;
  readonly start: Position;
  readonly reader: LogReader;
  readonly seen: LogItem[] = [];
  position: Position;
  readonly #items: AsyncIterator<LogItem>;

  private constructor(source: Source, start: Position, schemas: readonly TableSchema[]) {
    this.source = source;
    this.start = this.position = start;
    this.reader = source.log({
      from: start,
      tables: schemas,
      batchBytesMax: 1 << 20,
      flushIntervalMs: 20,
      flushRows: 1e6,
    });
    this.#items = this.reader.items(deadline())[Symbol.asyncIterator]();
  }

  static async open(db: TestDatabase, resume: Position | null = null, tables = "public.\\.*"): Promise<Reading> {
    const source = openSource(db, tables);
    const schemas = await offeredSchemas(source);
    const start = await source.prepare({ resume, tables: schemas }, said, deadline());
    return new Reading(source, start, schemas);
  }

  async next(): Promise<LogItem> {
    const { value } = (await this.#items.next()) as { value: LogItem };
    this.seen.push(value);
    if (value.kind === "progress") this.position = value.position;
    return value;
  }

  /** Reads until the log has passed everything committed before the call. */
  async catchUp(): Promise<void> {
    const head = await this.source.head(deadline());
    await this.reader.nudge(deadline());
    while (!this.position.covers(head)) await this.next();
  }

  rows(): readonly (readonly unknown[])[] {
    const names = Object.keys(Op);
    return this.seen.flatMap((item) =>
      item.kind === "rows" ? batchRows(item.batch).map((row, i) => [names[item.batch.ops![i]!], ...row]) : [],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#items.return?.();
    await this.reader[Symbol.asyncDispose]();
    await this.source[Symbol.asyncDispose]();
  }
}

async function confirmed(db: TestDatabase): Promise<string> {
  const [slot] = await db.query<{ lsn: string }>(
    "SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1",
    [`slot_${db.database}`],
  );
  return slot!.lsn;
}

describe.each(["oldest", "newest"] as const)("the log of the %s PostgreSQL", (version) => {
  it("delivers changes, and the slot stands exactly where it was acknowledged", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    let resume: Position;
    {
      await using log = await Reading.open(db);
      await db.query("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
      await db.query("UPDATE t SET v = 'c' WHERE id = 1");
      await db.query("DELETE FROM t WHERE id = 2");
      await log.catchUp();
      expect(log.rows()).toEqual([
        ["insert", "1", "a"],
        ["insert", "2", "b"],
        ["update", "1", "c"],
        ["delete", "2", undefined],
      ]);
      log.reader.acknowledge(DurablePosition.committed(log.position));
      resume = log.position;
      await waitFor("the acknowledgement", async () => (await confirmed(db)) === resume.toString());
    }
    await db.query("INSERT INTO t VALUES (3, 'd')");
    await using again = await Reading.open(db, resume);
    await again.catchUp();
    expect(again.rows()).toEqual([["insert", "3", "d"]]);
    expect(await confirmed(db)).toBe(resume.toString());
  });

  it("does not keep WAL back for the traffic of other tables", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (v text)");
    await using log = await Reading.open(db, null, "public.t");
    for (let i = 0; i < 5; i++) {
      await db.query("INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
      await log.catchUp();
      log.reader.acknowledge(DurablePosition.committed(log.position));
    }
    const status = await waitFor("the WAL to be given free", async () => {
      await log.catchUp();
      log.reader.acknowledge(DurablePosition.committed(log.position));
      await db.query("CHECKPOINT");
      const now = await log.source.status(deadline());
      return now.retainedBytes! < 2_000_000 ? now : null;
    });
    expect(log.rows()).toEqual([]);
    expect(status.facts.map((fact) => fact.name)).toEqual(["slot", "wal_status", "confirmed_flush_lsn"]);
  });

  it("follows added columns and stops a table for anything else", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, v text)");
    await using log = await Reading.open(db);
    await db.query("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 'x')");
    await db.query("ALTER TABLE a ADD COLUMN n int DEFAULT 7; ALTER TABLE b DROP COLUMN v");
    await db.query("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)");
    await db.query("INSERT INTO a VALUES (3, 3); INSERT INTO b VALUES (3)");
    await log.catchUp();
    const others = log.seen.filter((item) => item.kind === "schema" || item.kind === "stop");
    expect(others).toMatchObject([
      {
        kind: "schema",
        schema: { id: "public.a", version: 2, columns: [{}, { name: "n", existingRowsDefault: "7" }] },
      },
      { kind: "stop", table: "public.b", error: { code: "SCHEMA_CHANGED" } },
    ]);
    expect(log.rows().filter((row) => row.length === 3)).toEqual([
      ["insert", "1", "x"],
      ["insert", "2", "7"],
      ["insert", "3", "3"],
    ]);
  });

  it.each([
    // Whichever comes first: its rows in the log, or the look at the catalog.
    [
      "ALTER TABLE t RENAME TO u",
      "INSERT INTO u VALUES (2, 'x')",
      expect.stringMatching(/^(SCHEMA_CHANGED|TABLE_UNPUBLISHED)$/) as string,
    ],
    ["ALTER TABLE t ALTER COLUMN v TYPE varchar(9)", "INSERT INTO t VALUES (2, 'x')", "SCHEMA_CHANGED"],
    ["ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v)", "INSERT INTO t VALUES (2, 'x')", "SCHEMA_CHANGED"],
    ["ALTER TABLE t REPLICA IDENTITY NOTHING", "INSERT INTO t VALUES (2, 'x')", "SCHEMA_CHANGED"],
    ["ALTER TABLE t ADD COLUMN w float8 DEFAULT random()", "INSERT INTO t VALUES (2, 'x')", "DDL_UNCLEAR"],
    ["ALTER TABLE t ADD COLUMN w serial", "INSERT INTO t VALUES (2, 'x')", "DDL_UNCLEAR"],
    [
      "ALTER TABLE t ADD COLUMN w uuid NOT NULL DEFAULT gen_random_uuid(); ALTER TABLE t ALTER COLUMN w DROP DEFAULT",
      "INSERT INTO t VALUES (2, 'x', gen_random_uuid())",
      "DDL_UNCLEAR",
    ],
    [
      "CREATE DOMAIN d AS uuid NOT NULL; ALTER TABLE t ADD COLUMN w d DEFAULT gen_random_uuid(); ALTER TABLE t ALTER COLUMN w DROP DEFAULT",
      "INSERT INTO t VALUES (2, 'x', gen_random_uuid())",
      "DDL_UNCLEAR",
    ],
    [
      "ALTER TABLE t ADD COLUMN w int GENERATED BY DEFAULT AS IDENTITY; ALTER TABLE t ALTER COLUMN w DROP IDENTITY",
      "INSERT INTO t VALUES (2, 'x', 9)",
      "DDL_UNCLEAR",
    ],
  ])("stops the table after %s", async (ddl, change, code) => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL)");
    await using log = await Reading.open(db);
    await db.query("INSERT INTO t VALUES (1, 'a')");
    await db.query(ddl);
    await db.query(change);
    await log.catchUp();
    expect(log.seen.filter((item) => item.kind === "stop")).toMatchObject([{ table: "public.t", error: { code } }]);
    expect(log.rows()).toEqual([["insert", "1", "a"]]);
  });

  it("stops a table under REPLICA IDENTITY FULL whose primary key goes, though the log describes it as before", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL");
    await using log = await Reading.open(db);
    await db.query("INSERT INTO t VALUES (1, 'a')");
    await log.catchUp();
    await db.query("ALTER TABLE t DROP CONSTRAINT t_pkey");
    await db.query("INSERT INTO t VALUES (1, 'b')");
    await log.catchUp();
    expect(log.seen.filter((item) => item.kind === "stop")).toMatchObject([
      { table: "public.t", error: { code: "SCHEMA_CHANGED", message: expect.stringContaining("primary key") } },
    ]);
    expect(log.rows()).toEqual([["insert", "1", "a"]]);
  });

  it("stops a table whose last column was another one before the log came to it", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await using log = await Reading.open(db);
    await db.query("ALTER TABLE t DROP COLUMN v, ADD COLUMN v text DEFAULT 'new'");
    await db.query("INSERT INTO t VALUES (1, 'a')");
    await log.catchUp();
    expect(log.seen.filter((item) => item.kind === "stop")).toMatchObject([
      { table: "public.t", error: { code: "SCHEMA_CHANGED", message: expect.stringContaining("column v") } },
    ]);
    expect(log.rows()).toEqual([]);
  });

  it("stops tables within seconds for what the log does not say of them", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE swapped (id int PRIMARY KEY); CREATE TABLE swapped_new (id int PRIMARY KEY)");
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await using log = await Reading.open(db, null, "public.(swapped|t)");
    await db.query("INSERT INTO swapped VALUES (1); INSERT INTO t VALUES (1, 'a')");
    await log.catchUp();
    await db.query(
      "BEGIN; ALTER TABLE swapped RENAME TO swapped_old; ALTER TABLE swapped_new RENAME TO swapped; COMMIT",
    );
    await db.query("ALTER TABLE t DROP COLUMN v, ADD COLUMN v text DEFAULT 'new'");
    const stops = (): readonly LogItem[] => log.seen.filter((item) => item.kind === "stop");
    while (stops().length < 2) await log.next();
    expect(stops()).toMatchObject([
      { table: "public.swapped", error: { code: "TABLE_UNPUBLISHED" } },
      { table: "public.t", error: { code: "SCHEMA_CHANGED" } },
    ]);
  });

  it("delivers more than its queue holds while nobody takes it, and answers the server meanwhile", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await using log = await Reading.open(db);
    await log.next();
    await db.query("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 60000) g");
    await log.catchUp();
    expect(log.rows()).toHaveLength(60_000);
  });

  it("says when the connection is lost, when the slot is gone, and when somebody else has it", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const request = { batchBytesMax: 1 << 20, flushIntervalMs: 20, flushRows: 1e6 };
    await using second = openSource(db, "public.t");
    const tables = await offeredSchemas(second);
    const from = await second.prepare({ resume: null, tables }, said, deadline());
    {
      await using log = await Reading.open(db, from);
      await log.catchUp();
      await using other = second.log({ from, tables, ...request });
      const items = other.items(deadline())[Symbol.asyncIterator]();
      await expect(items.next()).rejects.toMatchObject({
        code: "SLOT_IN_USE",
        message: expect.stringMatching(/process \d+ \(millrace tested\)/) as unknown,
      });
      await db.query(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()",
      );
      const lost = (async (): Promise<void> => {
        for (;;) await log.next();
      })();
      await expect(lost).rejects.toMatchObject({ code: "SOURCE_CONNECTION_LOST", retry: "timed" });
    }
    // The server tells the client of its end before it gives the slot up.
    const active = "SELECT FROM pg_replication_slots WHERE database = current_database() AND active";
    await waitFor("the slot to be free", async () => (await db.query(active)).length === 0);
    await db.query("SELECT pg_drop_replication_slot($1)", [`slot_${db.database}`]);
    await using reader = second.log({ from, tables, ...request });
    await expect(reader.items(deadline())[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "LOG_LOST" });
  });

  it("passes the head of a quiet log when it is nudged", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using log = await Reading.open(db);
    await db.query("SET synchronous_commit = off");
    await db.query("INSERT INTO t VALUES (1)");
    const beganMs = AMBIENT.clock.monotonicMs();
    await log.catchUp();
    expect(log.rows()).toEqual([["insert", "1"]]);
    expect(AMBIENT.clock.monotonicMs() - beganMs).toBeLessThan(10_000);
  });
});

describe("the log of a PostgreSQL that lets no transaction last", () => {
  it("is read all the same, for the server decodes a transaction of the log in one of its own", async () => {
    await using db = await createDatabase("newest");
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    // Of sessions from now on. To decode the rows takes longer.
    await db.query(`ALTER DATABASE "${db.database}" SET transaction_timeout = '450ms'`);
    await using log = await Reading.open(db);
    await db.query("INSERT INTO t SELECT generate_series(1, 600000)");
    await log.catchUp();
    const counts = log.seen.map((item) => (item.kind === "rows" ? item.batch.length : 0));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(600_000);
  });
});
