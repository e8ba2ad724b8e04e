import { copyFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { FakeClock } from "../support/fake-clock.ts";
import { createDatabase } from "../support/postgres.ts";
import { sharedRedisUrl } from "../support/redis.ts";
import { expectRefusal } from "../support/refusal.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { type AnyDatabase, createDatabaseOn } from "../support/test-server.ts";
import { waitFor } from "../support/wait-for.ts";

const UNTIL = ["--until", "caught-up"];
const DONE = { code: 0, signal: null };

async function fill(db: AnyDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))");
  await db.query("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')");
}

test.each([
  { server: "mysql", end: "goes on from there, since the log reaches back" },
  { server: "postgres", end: "is told that the log does not reach back" },
] as const)("a DuckDB file put back to an older copy is refused; adopted, it $end ($server)", async ({ server }) => {
  await using db = await createDatabaseOn(server);
  await fill(db);
  await using pipeline = await testPipeline(db);
  const [file, older] = [pipeline.path("warehouse.duckdb"), pipeline.path("older.duckdb")];
  await pipeline.catchUp();
  await copyFile(file, older);
  for (const id of [10, 11, 12]) {
    await db.query(`INSERT INTO t VALUES (${id}, 'later')`);
    await pipeline.catchUp();
  }
  await copyFile(older, file);
  await using run = pipeline.run();
  await expectRefusal(run, {
    code: "RECOVERY_SINK_BEHIND",
    says: /sink is at epoch/,
    hint: /millrace state adopt FILE/,
  });
  await pipeline.adopt();
  await using next = pipeline.run(UNTIL);
  if (server === "postgres") {
    await expectRefusal(next, { code: "LOG_LOST", says: /read up to/, hint: /millrace drop/ });
    return;
  }
  expect(await next.exit(), next.output).toEqual(DONE);
  expect(await pipeline.differences(["t"])).toEqual([]);
});

test("a slot that somebody has moved ahead is a lost log; one that stands behind is read again, and nothing comes twice", async () => {
  await using db = await createDatabase();
  await fill(db);
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  await pipeline.catchUp();
  await db.query("INSERT INTO t VALUES (10, 'more')");
  // Committed in the sink, and never acknowledged.
  await using killed = pipeline.run([], { MILLRACE_FAILPOINT: "engine.sink-committed:2" });
  expect(await killed.exit(), killed.output).toEqual({ code: null, signal: "SIGKILL" });
  await pipeline.catchUp();
  await using log = await pipeline.openLog();
  expect(await log.keyFaults("t", ["id"])).toEqual([]);
  expect(await pipeline.differences(["t"])).toEqual([]);

  await db.query("INSERT INTO t VALUES (11, 'lost')");
  await db.query("SELECT pg_replication_slot_advance($1, pg_current_wal_insert_lsn())", [pipeline.slot]);
  await using ahead = pipeline.run();
  await expectRefusal(ahead, { code: "LOG_LOST", says: /by somebody else/, hint: /millrace drop/ });
});

test("a clock that jumps, by years and back, changes nothing that is delivered", async () => {
  await using db = await createDatabase();
  await fill(db);
  await using pipeline = await testPipeline(db, { pipeline: { "checkpoint.store": sharedRedisUrl() } });
  const clock = new FakeClock(pipeline.path("clock"));
  await clock.jump("+0s");
  const run = pipeline.run([], clock.env);
  await pipeline.untilStreaming(["t"]);
  const start = await pipeline.status();
  for (const [id, offset] of ["+400d", "-900d", "+1h", "+0s"].entries()) {
    await clock.jump(offset);
    const before = (await pipeline.record())?.epoch ?? 0;
    await db.query(`INSERT INTO t VALUES (${100 + id}, '${offset}')`);
    await waitFor(`the epoch behind a jump to ${offset}`, async () => ((await pipeline.record())?.epoch ?? 0) > before);
  }
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual(DONE);
  expect(await pipeline.differences(["t"])).toEqual([]);
  // The jumps were seen by the process.
  const times = (await json(pipeline.command("state history", ["--json"]))) as { atMs: number }[];
  const farthest = Math.max(...times.map(({ atMs }) => Math.abs(atMs - start.updatedAtMs)));
  expect(farthest).toBeGreaterThan(300 * 86_400_000);
});

async function json(command: ReturnType<Awaited<ReturnType<typeof testPipeline>>["command"]>): Promise<unknown> {
  expect(await command.exit(), command.output).toEqual(DONE);
  return JSON.parse(command.stdout);
}
