import type pg from "pg";
import { expect, test } from "vitest";
import type { MillraceProcess } from "../support/millrace-process.ts";
import { createDatabase, startPrivatePostgres, TestDatabase } from "../support/postgres.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

/*
 * Four ways in which rows get lost without a word where a rule of the snapshot is missing. Each test names the rule, and
 * fails without it.
 */

const ROWS = 2_000;

/** Touches every chunk of the table in each way there is. */
const TOUCH = `
  UPDATE items SET name = 'changed' WHERE id % 50 = 7;
  DELETE FROM items WHERE id % 50 = 9;
  INSERT INTO items SELECT id + 1, 'new', body FROM items WHERE id % 50 = 11;
  UPDATE items SET id = id + 100000 WHERE id % 50 = 13 AND body IS NULL`;

/** Every second key is taken, so that there is room between them. The bodies lie in TOAST. */
async function createItems(db: TestDatabase): Promise<void> {
  await db.query(`
    CREATE TABLE items (id int PRIMARY KEY, name text, body text);
    ALTER TABLE items ALTER COLUMN body SET STORAGE EXTERNAL;
    INSERT INTO items SELECT i * 2 - 1, 'item ' || i, CASE WHEN i % 4 = 0 THEN repeat(md5(i::text), 100) END
      FROM generate_series(1, ${ROWS}) i;
    ANALYZE items`);
}

interface HeldRun {
  readonly run: MillraceProcess;
  /** From here on chunks are read. */
  readonly letGo: () => Promise<void>;
}

/**
 * A run that reads the log and may read no chunk yet: a transaction is open from before it. Its slot is there already,
 * from a run that was killed at its first chunk, since it could not be made beside that transaction.
 */
async function heldRun(db: TestDatabase, pipeline: TestPipeline): Promise<HeldRun> {
  const first = pipeline.run([], { MILLRACE_FAILPOINT: "snapshot.chunk-opened" });
  expect(await first.exit(), first.output).toEqual({ code: null, signal: "SIGKILL" });
  const holder = await db.client();
  await holder.query("BEGIN; SELECT pg_current_xact_id()");
  const run = pipeline.run();
  await run.untilOutput(/waiting for transaction/);
  return { run, letGo: async () => void (await holder.query("ROLLBACK")) };
}

/** Ends the run, makes up for what is missing, and compares. */
async function expectEqualAfter(
  run: MillraceProcess,
  pipeline: TestPipeline,
  tables: readonly string[],
): Promise<void> {
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  expect(await pipeline.differences(tables)).toEqual([]);
}

/** The sink has everything that is in the log by now. */
async function untilConfirmed(db: TestDatabase, pipeline: TestPipeline): Promise<void> {
  const [head] = await db.query<{ lsn: string }>("SELECT pg_current_wal_flush_lsn()::text AS lsn");
  await waitFor("the log's head to be confirmed", async () => {
    const [slot] = await db.query<{ passed: boolean }>(
      "SELECT confirmed_flush_lsn >= $2::pg_lsn AS passed FROM pg_replication_slots WHERE slot_name = $1",
      [pipeline.slot, head?.lsn],
    );
    return slot?.passed === true;
  });
}

/** A server of its own on which commits wait for a standby that is not there, except those of `db`'s own session. */
async function withAbsentStandby(
  body: (
    db: TestDatabase,
    hang: (sql: string) => Promise<{ readonly released: Promise<unknown> }>,
    release: () => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  await using server = await startPrivatePostgres();
  const admin = new TestDatabase(server, "postgres");
  await admin.query("CREATE DATABASE trap");
  const db = new TestDatabase(server, "trap");
  await db.query("SET synchronous_commit = local");
  await admin.query("SET synchronous_commit = local");
  await createItems(db);
  const setNames = async (names: string): Promise<void> => {
    await admin.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
    await admin.query("SELECT pg_reload_conf()");
    await waitFor("the server to know its standbys", async () => {
      const client = await db.client();
      const { rows } = await client.query<{ synchronous_standby_names: string }>("SHOW synchronous_standby_names");
      await client.end();
      return rows[0]?.synchronous_standby_names === names;
    });
  };
  await setNames("absent");
  const hang = async (sql: string): Promise<{ readonly released: Promise<unknown> }> => {
    const client = await db.client();
    await client.query(`BEGIN; ${sql}`);
    const released = client.query("COMMIT");
    await waitFor("the commit to wait for the standby", () => waitsForStandby(db));
    return { released };
  };
  await body(db, hang, () => setNames(""));
}

async function waitsForStandby(db: TestDatabase): Promise<boolean> {
  const found = await db.query("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  return found.length > 0;
}

/**
 * Rule 2 of the merge, *settle*: what has passed and is not known to be visible begins each new window. Without it each
 * chunk below is read as it was before the commit, enters behind the commit's changes, and takes them back.
 */
test("a commit that waits for an absent standby while chunks are read is not taken back", async () => {
  await withAbsentStandby(async (db, hang, release) => {
    await using pipeline = await testPipeline(db, { parallelism: 3 });
    const { run, letGo } = await heldRun(db, pipeline);
    const { released } = await hang(TOUCH);
    await untilConfirmed(db, pipeline);
    await letGo();
    await pipeline.untilStreaming(["items"]);
    expect(await waitsForStandby(db)).toBe(true);
    await release();
    await released;
    await expectEqualAfter(run, pipeline, ["items"]);
  });
});

/** The same rule across a crash: the record names what is not visible, and no chunk is opened before it is. */
test("a commit that waits for an absent standby over a crash is waited for", async () => {
  await withAbsentStandby(async (db, hang, release) => {
    await using pipeline = await testPipeline(db);
    const { run, letGo } = await heldRun(db, pipeline);
    const { released } = await hang(TOUCH);
    await untilConfirmed(db, pipeline);
    run.signal("SIGKILL");
    await run.exit();
    await letGo();
    const next = pipeline.run();
    await next.untilOutput(/waiting for transaction .* waiting for a synchronous standby/);
    await release();
    await released;
    await pipeline.untilStreaming(["items"]);
    await expectEqualAfter(next, pipeline, ["items"]);
  });
});

/**
 * The log runs ahead of the catalog as of everything else: a column that came with the commit is asked for once that can
 * be seen, and has not "been dropped since".
 */
test("a column that is added by a commit that waits for an absent standby does not stop its table", async () => {
  await withAbsentStandby(async (db, hang, release) => {
    await using pipeline = await testPipeline(db);
    const run = pipeline.run();
    await pipeline.untilStreaming(["items"]);
    const { released } = await hang(`ALTER TABLE items ADD COLUMN added int DEFAULT 7; ${TOUCH}`);
    await run.untilOutput(/waiting for a synchronous standby.*the log waits for a commit|SCHEMA_CHANGED/);
    await release();
    await released;
    await expectEqualAfter(run, pipeline, ["items"]);
  });
});

/** A slot is made only behind the transactions that are open: `createSlot` takes its position from the server alone. */
test("transactions that overlap the making of the slot are not lost", async () => {
  await using db = await createDatabase();
  await createItems(db);
  await using pipeline = await testPipeline(db);
  const [one, other] = [await db.client(), await db.client()];
  await one.query(`BEGIN; ${TOUCH}`);
  const run = pipeline.run();
  await run.untilOutput(/replication slot waits for open transactions/);
  await other.query("BEGIN; UPDATE items SET name = 'other' WHERE id % 50 = 21");
  await one.query("COMMIT");
  await other.query("UPDATE items SET name = 'other again' WHERE id % 50 = 23; COMMIT");
  await pipeline.untilStreaming(["items"]);
  await expectEqualAfter(run, pipeline, ["items"]);
});

/**
 * No chunk before a snapshot's xmin has reached `Prepared.begin`: the publication is younger than this transaction's first
 * changes, so the log has only the later ones. Without it the chunks are read before its commit, and the first are lost.
 */
test("a transaction that is older than the publication of a slot that was there is not lost", async () => {
  await using db = await createDatabase();
  await createItems(db);
  await using pipeline = await testPipeline(db);
  await db.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [pipeline.slot]);
  const writer = await db.client();
  await writer.query(`BEGIN; ${TOUCH}`);
  await overlap(pipeline, writer);

  expect(await pipeline.differences(["items"])).toEqual([]);
});

/** The same rule where a table is added to a publication that is there. */
test("a transaction that overlaps the adding of a table to the publication is not lost", async () => {
  await using db = await createDatabase();
  await createItems(db);
  await db.query("CREATE TABLE letters (id int PRIMARY KEY); INSERT INTO letters VALUES (1)");
  await using pipeline = await testPipeline(db, { tables: ["letters"] });
  await pipeline.catchUp();
  const writer = await db.client();
  await writer.query(`BEGIN; ${TOUCH}`);
  await pipeline.write({ tables: ["letters", "items"] });
  await overlap(pipeline, writer);

  expect(await pipeline.differences(["letters", "items"])).toEqual([]);
});

/** Runs to the end of the snapshot; the writer's transaction goes on and commits when the run waits for it. */
async function overlap(pipeline: TestPipeline, writer: pg.Client): Promise<void> {
  const run = pipeline.run(["--until", "caught-up"]);
  await run.untilOutput(/waiting for transaction/);
  await writer.query("UPDATE items SET name = 'changed late' WHERE id % 50 = 23");
  await writer.query("COMMIT");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
}

/**
 * `LOCK TABLE` before the chunk's snapshot is taken. Without it the snapshot is older than the rewrite, whose rows it does
 * not see, and the chunk that waited for the lock is empty.
 */
test("a rewriting ALTER between a chunk's snapshot and its read loses nothing", async () => {
  await using db = await createDatabase();
  await createItems(db);
  await using pipeline = await testPipeline(db, { parallelism: 1 });
  const { run, letGo } = await heldRun(db, pipeline);
  await letGo();
  const application = await db.client();
  let caught = false;
  while (!caught) {
    await application.query("BEGIN; ALTER TABLE items ALTER COLUMN name TYPE text USING name || ''");
    // Planning waits for it too. It is the reader that is to be caught.
    const waiting = await waitFor("the run to wait for the ALTER", () => waitingStatement(db, pipeline));
    caught = waiting.includes("LOCK TABLE");
    await application.query("COMMIT");
  }
  await pipeline.untilStreaming(["items"]);
  await expectEqualAfter(run, pipeline, ["items"]);
});

/** The statement of the pipeline's that waits for a lock; fails where the snapshot is over. */
async function waitingStatement(db: TestDatabase, pipeline: TestPipeline): Promise<string | undefined> {
  const [found] = await db.query<{ query: string }>(
    "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE $1",
    [`%${pipeline.name}`],
  );
  if (found === undefined && (await pipeline.tableState("items"))?.kind === "streaming")
    throw new Error("the snapshot was over before an ALTER met a chunk");
  return found?.query;
}

/**
 * *complete*: the log does not carry the value that has not changed, and the chunk that has it under the old key comes
 * too late for that key. Without it the rows below are lost, or have no body.
 */
test("a row whose key moves with an unchanged TOAST value before its chunk is read keeps it", async () => {
  await using db = await createDatabase();
  await createItems(db);
  await using pipeline = await testPipeline(db);
  const { run, letGo } = await heldRun(db, pipeline);
  // Into the ranges of other chunks, and above all of them; some of them twice.
  await db.query("UPDATE items SET id = 4000 - id + 1 WHERE id % 40 = 7");
  await db.query("UPDATE items SET id = id + 100001, name = 'above' WHERE id % 40 = 15");
  await db.query("UPDATE items SET id = id + 1 WHERE id > 100000");
  await untilConfirmed(db, pipeline);
  await letGo();
  await pipeline.untilStreaming(["items"]);
  await expectEqualAfter(run, pipeline, ["items"]);
});
