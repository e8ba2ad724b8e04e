import pg from "pg";
import { describe, expect, it } from "vitest";
import { deadline, offeredSchemas, openSource } from "../../../test/support/postgres-source.ts";
import { createDatabase, startPrivatePostgres, type TestDatabase } from "../../../test/support/postgres.ts";
import { waitFor, within } from "../../../test/support/wait-for.ts";
import type { MillraceError } from "../../core/errors.ts";
import type { Position } from "../../core/position.ts";
import type { PostgresOptions } from "./config.ts";
import { formatLsn, parseLsn, pgLsn, PgPosition } from "./position.ts";

interface Prepared {
  readonly start: Position;
  readonly said: readonly string[];
}

async function prepared(
  db: TestDatabase,
  tables: string,
  resume: Position | null = null,
  changes: Partial<PostgresOptions> = {},
): Promise<Prepared> {
  await using source = openSource(db, tables, changes);
  const said: string[] = [];
  const { offers, refusals } = await source.inspect(deadline());
  const unpublished = refusals.find(({ error }) => error.code === "PUBLICATION_MISMATCH");
  if (unpublished !== undefined) throw unpublished.error;
  const start = await source.prepare(
    { resume, tables: offers.map(({ schema }) => schema) },
    (what) => said.push(what),
    deadline(),
  );
  return { start, said };
}

async function published(db: TestDatabase): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>("SELECT tablename AS name FROM pg_publication_tables ORDER BY 1");
  return rows.map((row) => row.name);
}

describe.each(["oldest", "newest"] as const)("preparing the %s PostgreSQL", (version) => {
  it("makes publication and slot for exactly the tables, follows the pipeline file, and takes both away", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int)");
    const first = await prepared(db, "public.\\.*");
    const slot = `slot_${db.database}`;
    expect(first.said).toEqual([
      "publication tested_publication was created for public.a, public.b",
      `replication slot ${slot} was created at ${first.start.toString()}`,
    ]);
    expect(await published(db)).toEqual(["a", "b"]);
    // A published table without an identity would reject these.
    await db.query("INSERT INTO c VALUES (1); UPDATE c SET id = 2; DELETE FROM c");

    const second = await prepared(db, "public.[bd]", first.start);
    expect(second.said).toEqual(["public.a: taken out of publication tested_publication"]);
    await db.query("CREATE TABLE d (id int PRIMARY KEY)");
    const third = await prepared(db, "public.[bd]", first.start);
    expect(third.said).toEqual(["public.d: added to publication tested_publication"]);
    expect(await published(db)).toEqual(["b", "d"]);
    expect((await prepared(db, "public.[bd]", first.start)).said).toEqual([]);
    const many = Array.from({ length: 15 }, (_, i) => `m${String(i).padStart(2, "0")}`);
    await db.query(many.map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY)`).join("; "));
    const names = many.slice(0, 10).map((name) => `public.${name}`);
    expect((await prepared(db, "public.([bd]|m\\d+)", first.start)).said).toEqual([
      `${names.join(", ")} and 5 more: added to publication tested_publication`,
    ]);
    expect(await published(db)).toEqual(["b", "d", ...many]);
    expect((await prepared(db, "public.[bd]", first.start)).said).toEqual([
      `${names.join(", ")} and 5 more: taken out of publication tested_publication`,
    ]);

    await using source = openSource(db, "public.\\.*");
    const removed: string[] = [];
    await source.drop((what) => removed.push(what), deadline());
    await source.drop((what) => removed.push(what), deadline());
    expect(removed).toEqual([
      `replication slot ${slot} was dropped`,
      "publication tested_publication was dropped",
      `replication slot ${slot} was already gone`,
      "publication tested_publication was already gone",
    ]);
  });

  it("uses a publication that somebody else made where it delivers everything, and leaves it alone", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
    await db.query("CREATE PUBLICATION tested_publication FOR TABLE a WITH (publish = 'insert')");
    const refused = async (): Promise<string> => {
      const error = await prepared(db, "public.\\.*").then(
        () => null,
        (reason: unknown) => reason as MillraceError,
      );
      expect([undefined, "PUBLICATION_MISMATCH"]).toContain(error?.code);
      return error === null ? "" : /`([^`]+)`/.exec(error.hint)![1]!;
    };
    const statements: string[] = [];
    for (let statement = await refused(); statement !== ""; statement = await refused()) {
      statements.push(statement);
      await db.query(statement);
    }
    expect(statements).toEqual([
      `ALTER PUBLICATION "tested_publication" SET (publish = 'insert, update, delete, truncate')`,
      `ALTER PUBLICATION "tested_publication" ADD TABLE ONLY "public"."b"`,
    ]);
    await using source = openSource(db, "public.\\.*");
    const removed: string[] = [];
    await source.drop((what) => removed.push(what), deadline());
    expect(removed[1]).toBe("publication tested_publication stays: this pipeline did not make it");
    expect(await published(db)).toEqual(["a", "b"]);
  });

  it("refuses a table alone that somebody else's publication has lost, so that what was missed is read again", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
    await db.query("CREATE PUBLICATION tested_publication FOR TABLE a");
    await using source = openSource(db, "public.\\.*");
    const { offers, refusals } = await source.inspect(deadline());
    expect(offers.map(({ schema }) => schema.id)).toEqual(["public.a"]);
    expect(refusals).toMatchObject([{ table: "public.b", error: { code: "PUBLICATION_MISMATCH" } }]);
    expect(refusals[0]!.error.hint).toContain("--resnapshot public.b");
  });

  it("prepares for no table at all, where every one has stopped", async () => {
    await using db = await createDatabase(version);
    await using source = openSource(db, "public.\\.*");
    const start = await source.prepare({ resume: null, tables: [] }, () => undefined, deadline());
    await using reader = source.log({
      from: start,
      tables: [],
      batchBytesMax: 1 << 20,
      flushIntervalMs: 20,
      flushRows: 1e6,
    });
    for await (const item of reader.items(deadline())) {
      expect(item).toMatchObject({ kind: "progress" });
      break;
    }
  });

  it("refuses a publication of another pipeline", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY)");
    await prepared(db, "public.a", null, { pipeline: "other", slotName: `other_${db.database}` });
    await expect(prepared(db, "public.a")).rejects.toMatchObject({ code: "PUBLICATION_MISMATCH" });
  });

  it("begins at the present where a slot was left by a run that committed nothing", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY)");
    const first = await prepared(db, "public.a");
    await db.query("INSERT INTO a VALUES (1)");
    const second = await prepared(db, "public.a");
    expect(second.said).toEqual([]);
    expect(second.start.covers(first.start) && !first.start.covers(second.start)).toBe(true);
  });

  it("resumes only where the log still is, and where it was delivered from", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY)");
    const { start } = await prepared(db, "public.a");
    const shifted = (bytes: bigint): PgPosition => new PgPosition(pgLsn((start as PgPosition).lsn + bytes));
    await expect(prepared(db, "public.a", shifted(-1n))).rejects.toMatchObject({ code: "LOG_LOST" });
    await expect(prepared(db, "public.a", shifted(1n << 40n))).rejects.toMatchObject({ code: "SOURCE_BEHIND" });
    await db.query("DROP PUBLICATION tested_publication");
    await expect(prepared(db, "public.a", start)).rejects.toMatchObject({ code: "LOG_LOST" });
    await db.query("SELECT pg_drop_replication_slot($1)", [`slot_${db.database}`]);
    await expect(prepared(db, "public.a", start)).rejects.toMatchObject({ code: "LOG_LOST", exitCode: 1 });
    await db.query("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", [`slot_${db.database}`]).then(
      () => expect(prepared(db, "public.a")).rejects.toMatchObject({ code: "SLOT_MISMATCH" }),
      // A server without contrib modules has no other plugin to make the wrong slot with.
      (error: { message: string }) => expect(error.message).toContain("test_decoding"),
    );
  });

  it("refuses a slot that another process reads, naming it", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY)");
    await using source = openSource(db, "public.a");
    const schemas = await offeredSchemas(source);
    const start = await source.prepare({ resume: null, tables: schemas }, () => undefined, deadline());
    await using reader = source.log({
      from: start,
      tables: schemas,
      batchBytesMax: 1 << 20,
      flushIntervalMs: 20,
      flushRows: 1e6,
    });
    const items = reader.items(deadline())[Symbol.asyncIterator]();
    await items.next();
    const refused = { code: "SLOT_IN_USE", message: expect.stringContaining("(millrace tested)") as unknown };
    await expect(prepared(db, "public.a", start)).rejects.toMatchObject(refused);
    await expect(source.drop(() => undefined, deadline())).rejects.toMatchObject({ code: "SLOT_IN_USE" });
    await items.return?.();
    expect((await prepared(db, "public.a", start)).start).toBe(start);
  });

  it("waits for no table lock longer than it may", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY)");
    await using source = openSource(db, "public.a", { lockTimeoutMs: 100 });
    const schemas = await offeredSchemas(source);
    const holder = await db.client();
    await holder.query("BEGIN; LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE");
    const preparing = source.prepare({ resume: null, tables: schemas }, () => undefined, deadline());
    await expect(preparing).rejects.toMatchObject({ code: "SOURCE_LOCK_TIMEOUT" });
  });

  it("opens no chunk while a transaction from before is open, and names it", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
    await prepared(db, "public.a");
    const old = await db.client({ application_name: "an old one" });
    await old.query("BEGIN; INSERT INTO b VALUES (1)");
    await using source = openSource(db, "public.[ab]");
    const schemas = await offeredSchemas(source);
    const resume = new PgPosition(parseLsn(await flushed(db)));
    await source.prepare({ resume, tables: schemas }, () => undefined, deadline());
    const waiting: string[] = [];
    const state = { settled: false };
    const settling = source
      .settled([], (what) => waiting.push(what), deadline())
      .then(() => {
        state.settled = true;
      });
    // Transactions of other tests, on the same server, may have to end before it.
    const named = /^transaction \d+ of process \d+ \(user postgres, an old one, idle in transaction, since /;
    await waitFor("the wait to be told", () => waiting.some((what) => named.test(what)));
    expect(state.settled).toBe(false);
    await old.query("COMMIT");
    await within("the old transaction's end to be noticed", settling);
  });

  it("locks one table at a time, so that it cannot deadlock with the application", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
    const application = await db.client();
    await application.query("BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE");
    const preparing = prepared(db, "public.[ab]");
    await waitFor("the second table to be waited for", async () => {
      const rows = await db.query("SELECT FROM pg_locks WHERE relation = 'b'::regclass AND NOT granted");
      return rows.length > 0;
    });
    // With the first table still locked this would be a cycle, and one of the two would be ended.
    await application.query("LOCK TABLE a IN ACCESS EXCLUSIVE MODE; COMMIT");
    expect((await within("both to be published", preparing)).said[0]).toContain("public.a, public.b");
  });

  it("makes the slot when the transactions before it have ended", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE a (id int PRIMARY KEY)");
    const old = await db.client();
    await old.query("BEGIN; INSERT INTO a VALUES (1)");
    const preparing = prepared(db, "public.a");
    await waitFor("the slot to be waited for", async () => {
      const rows = await db.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'millrace tested'",
      );
      return rows.length > 0;
    });
    await old.query("COMMIT");
    expect((await within("the slot", preparing)).said).toHaveLength(2);
  });
});

describe("a commit that waits for an absent standby", () => {
  it("keeps nobody from preparing, is in no cut, and is waited for by name", async () => {
    await using server = await startPrivatePostgres();
    const { host, port, user, password } = server;
    const db = { host, port, user, password, database: "postgres" };
    const admin = new pg.Client(db);
    const writer = new pg.Client(db);
    await admin.connect();
    await writer.connect();
    try {
      await admin.query("CREATE TABLE a (id int PRIMARY KEY)");
      await admin.query("ALTER SYSTEM SET synchronous_standby_names = 'absent'");
      await admin.query("SELECT pg_reload_conf()");
      await waitFor("the setting", async () => {
        const { rows } = await writer.query<{ names: string }>(
          "SELECT current_setting('synchronous_standby_names') AS names",
        );
        return rows[0]!.names === "absent";
      });
      await using source = openSource(db, "public.a");
      const tables = await offeredSchemas(source);
      const start = await source.prepare({ resume: null, tables }, () => undefined, deadline());
      await writer.query("BEGIN");
      const { rows } = await writer.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid");
      const xid = rows[0]!.xid;
      const committing = writer.query("INSERT INTO a VALUES (1); COMMIT");
      await using reader = source.log({
        from: start,
        tables,
        batchBytesMax: 1 << 20,
        flushIntervalMs: 20,
        flushRows: 1e6,
      });
      for await (const item of reader.items(deadline())) {
        if (item.kind !== "rows") continue;
        const { transaction } = item.batch.runs[0]!;
        expect(transaction.id).toBe(xid);
        expect((await source.visible(deadline())).surelyIncludes(transaction)).toBe(false);
        break;
      }
      const waiting: string[] = [];
      const settling = source.settled([xid], (what) => waiting.push(what), deadline());
      await waitFor("the wait to be told", () => waiting.length > 0);
      expect(waiting[0]).toContain("waiting for a synchronous standby");
      await admin.query("ALTER SYSTEM RESET synchronous_standby_names");
      await admin.query("SELECT pg_reload_conf()");
      await within("the commit to become visible", settling);
      await committing;
    } finally {
      await writer.end();
      await admin.end();
    }
  });
});

async function flushed(db: TestDatabase): Promise<string> {
  const [row] = await db.query<{ lsn: string }>("SELECT pg_current_wal_flush_lsn()::text AS lsn");
  return formatLsn(parseLsn(row!.lsn));
}
