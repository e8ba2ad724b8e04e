import { expect, test } from "vitest";
import { startPrivatePostgres, TestDatabase } from "../support/postgres.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

const MB = 1_000_000;
const STEPS = 10;
const STEP_ROWS = 100;
const ROW_BYTES = MB;
/** One step, and as much again for what is on its way. */
const RETAINED_MAX = 2 * STEP_ROWS * ROW_BYTES;

interface Retained {
  /** From where the slot would have to begin again, and from where it is confirmed. */
  readonly restart: number;
  readonly confirmed: number;
}

test("1 GB of other tables' traffic is not kept back for a table that is quiet", async () => {
  await using server = await startPrivatePostgres({ settings: { max_wal_size: "64MB", min_wal_size: "32MB" } });
  const admin = new TestDatabase(server, "postgres");
  await admin.query("CREATE DATABASE busy");
  const db = new TestDatabase(server, "busy");
  await db.query(`
    CREATE TABLE quiet (id int PRIMARY KEY);
    INSERT INTO quiet VALUES (1);
    CREATE TABLE other (body text);
    ALTER TABLE other ALTER COLUMN body SET STORAGE EXTERNAL`);
  await using pipeline = await testPipeline(db, { tables: ["quiet"] });
  const run = pipeline.run();
  await pipeline.untilStreaming(["quiet"]);

  const [before] = await db.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
  for (let step = 0; step < STEPS; step++) {
    await db.query(`INSERT INTO other SELECT repeat('x', ${ROW_BYTES}) FROM generate_series(1, ${STEP_ROWS})`);
    await db.query("TRUNCATE other");
    // Only behind such a record, which the server writes by itself now and then, can a slot begin again.
    await db.query("SELECT pg_log_standby_snapshot()");
    await waitFor(`the WAL of step ${step} to be given free`, async () => {
      const { restart, confirmed } = await retained(db, pipeline.slot);
      return restart < RETAINED_MAX && confirmed < RETAINED_MAX;
    });
  }
  const [traffic] = await db.query<{ bytes: number }>(
    "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1)::float8 AS bytes",
    [before?.lsn],
  );
  expect(traffic?.bytes).toBeGreaterThan(STEPS * STEP_ROWS * ROW_BYTES);
  await db.query("CHECKPOINT");
  const [disk] = await db.query<{ bytes: number }>("SELECT sum(size)::float8 AS bytes FROM pg_ls_waldir()");
  expect(disk?.bytes).toBeLessThan(2 * RETAINED_MAX);

  await db.query("INSERT INTO quiet VALUES (2)");
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  expect(await pipeline.differences(["quiet"])).toEqual([]);
});

async function retained(db: TestDatabase, slot: string): Promise<Retained> {
  const [found] = await db.query<Retained>(
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS restart,
       pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::float8 AS confirmed
     FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  );
  if (found === undefined) throw new Error(`there is no slot ${slot}`);
  return found;
}
