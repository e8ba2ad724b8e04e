import { expect, test } from "vitest";
import type { MysqlSettings } from "../support/private-mysql.ts";
import { LoneMysqlDatabase } from "../support/mysql-binlog.ts";
import { type TestPipeline, testPipeline } from "../support/test-pipeline.ts";
import { createWorkload } from "../support/workload.ts";

const WITHOUT: MysqlSettings = { gtid_mode: "OFF", enforce_gtid_consistency: "OFF" };

async function expectRefused(pipeline: TestPipeline, code: string, words: string): Promise<void> {
  await using run = pipeline.run();
  expect(await run.exit(), run.output).toMatchObject({ signal: null });
  expect(run.output).toContain(code);
  expect(run.output).toContain(words);
}

/** A pipeline that has read table `t` with one row, and stands where the log of its server ends. */
async function begun(db: LoneMysqlDatabase): Promise<TestPipeline> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  await db.query("INSERT INTO t VALUES (1)");
  const pipeline = await testPipeline(db);
  await pipeline.catchUp();
  return pipeline;
}

/** The steps between OFF and ON that the server wants. */
async function switchGtids(db: LoneMysqlDatabase, ...modes: readonly string[]): Promise<void> {
  await db.query("SET GLOBAL enforce_gtid_consistency = ON");
  for (const mode of modes) await db.query(`SET GLOBAL gtid_mode = ${mode}`);
}

test("a snapshot under writers, a kill in it, and the stream behind it over new files end equal", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", { ...WITHOUT, max_binlog_size: "65536" });
  await using workload = await createWorkload(db, { seed: 3, rows: 1_000, writers: 3, statementsPerSecond: 500 });
  await using pipeline = await testPipeline(db, { checkpointInterval: "50ms" });
  workload.start();
  const killed = pipeline.run([], { MILLRACE_FAILPOINT: "snapshot.chunk-entered:10" });
  expect(await killed.exit(), killed.output).toEqual({ code: null, signal: "SIGKILL" });
  await workload.untilCommitted(50);
  const run = pipeline.run();
  await pipeline.untilStreaming(workload.tables);
  await workload.untilCommitted(200);
  await workload.stop();
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  expect(await pipeline.differences(workload.tables)).toEqual([]);
  for (const name of ["plan", "status"]) {
    const said = pipeline.command(name);
    expect(await said.exit(), said.output).toEqual({ code: 0, signal: null });
    expect(said.output).toContain("by binlog file and offset, since gtid_mode is OFF");
    if (name === "status") expect(said.output).toMatch(/epoch \d+, up to binlog\.\d+:\d+(?!\d)/);
  }
});

test("a log with GTIDs and without, as between OFF and ON, is followed by its files", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT);
  await using pipeline = await begun(db);
  await switchGtids(db, "OFF_PERMISSIVE");
  await db.query("INSERT INTO t VALUES (2)");
  await pipeline.catchUp();
  await switchGtids(db, "ON_PERMISSIVE");
  await db.query("INSERT INTO t VALUES (3)");
  await db.query("SET gtid_next = 'ANONYMOUS'");
  await db.query("INSERT INTO t VALUES (4)");
  await db.query("SET gtid_next = 'AUTOMATIC'");
  await pipeline.catchUp();
  expect(await pipeline.differences(["t"])).toEqual([]);
  await switchGtids(db, "ON");
  await expectRefused(pipeline, "GTIDS_CHANGED", "have been switched on");
});

test("a start in a log from before GTIDs were switched on is refused where it would need them", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT);
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  const [status] = await db.query<{ File: string; Position: number }>("SHOW BINARY LOG STATUS");
  await switchGtids(db, "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON");
  const offset = "scan.startup.specific-offset";
  const place = { [`${offset}.file`]: status!.File, [`${offset}.pos`]: String(status!.Position) };
  await using pipeline = await testPipeline(db, { source: { "scan.startup.mode": "specific-offset", ...place } });
  await expectRefused(pipeline, "GTIDS_CHANGED", "from before GTIDs were switched on");
});

test("a pipeline with GTIDs does not go on without them", async () => {
  await using db = await LoneMysqlDatabase.start("mysql");
  await using pipeline = await begun(db);
  await switchGtids(db, "ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF");
  await expectRefused(pipeline, "GTIDS_CHANGED", "gtid_mode is OFF");
});

test("a file that was purged is lost", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT);
  await using pipeline = await begun(db);
  await db.query("FLUSH BINARY LOGS");
  await db.query("FLUSH BINARY LOGS");
  await db.purgeTo(3);
  await expectRefused(pipeline, "LOG_LOST", "binlog.000001");
});

test("a log that was reset is noticed, whether it is shorter since or longer", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT);
  await using pipeline = await begun(db);
  await db.query("RESET BINARY LOGS AND GTIDS");
  await expectRefused(pipeline, "SOURCE_BEHIND", "its log ends at binlog.000001");
  for (let id = 2; id < 20; id++) await db.query(`INSERT INTO t VALUES (${id})`);
  await expectRefused(pipeline, "SOURCE_BEHIND", "its file binlog.000001 is another one of that name");
});

test("another server's log is not taken for it", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT);
  await using other = await LoneMysqlDatabase.start("mysql", WITHOUT);
  await other.query("CREATE TABLE t (id int PRIMARY KEY)");
  await using pipeline = await begun(db);
  await pipeline.write({ source: { port: String(other.port) } });
  await expectRefused(pipeline, "SOURCE_CHANGED", "Without GTIDs a position means nothing on another server");
});
