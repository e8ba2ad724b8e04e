import { describe, expect, test } from "vitest";
import { LoneMysqlDatabase } from "../support/mysql-binlog.ts";
import type { MysqlSettings } from "../support/private-mysql.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

const STOPPED = { code: 0, signal: null };

/** Prepares an XA transaction in a session that then ends, as the servers' own recovery would find it. */
async function prepareXa(db: LoneMysqlDatabase, xid: string, ...statements: readonly string[]): Promise<void> {
  const client = await db.client();
  for (const sql of [`XA START ${xid}`, ...statements, `XA END ${xid}`, `XA PREPARE ${xid}`]) await client.query(sql);
  const sessionsOf = (): Promise<readonly unknown[]> =>
    db.query("SELECT id FROM information_schema.processlist WHERE id = ?", [client.threadId]);
  await client.end();
  await waitFor("the session to end", async () => (await sessionsOf()).length === 0);
}

const WITHOUT_GTIDS: MysqlSettings = { gtid_mode: "OFF", enforce_gtid_consistency: "OFF" };

describe.each([
  ["mysql", "mysql", {}],
  ["mysql without GTIDs", "mysql", WITHOUT_GTIDS],
  ["mariadb", "mariadb", {}],
] as const)("XA transactions of %s", (_name, flavour, settings) => {
  test("arrive once they are committed, over restarts of server and pipeline in between", async () => {
    await using db = await LoneMysqlDatabase.start(flavour, settings);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))");
    await db.query("INSERT INTO t VALUES (1, 'before')");
    await using pipeline = await testPipeline(db);
    const run = pipeline.run();
    await pipeline.untilStreaming(["t"]);
    await prepareXa(db, "'committed'", "INSERT INTO t VALUES (10, 'xa')", "UPDATE t SET v = 'xa' WHERE id = 1");
    await prepareXa(db, "'undone'", "INSERT INTO t VALUES (20, 'xa')");
    await db.query("INSERT INTO t VALUES (2, 'between')");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual(STOPPED);

    await db.restart();
    await db.query("INSERT INTO t VALUES (3, 'between')");
    await db.query("FLUSH BINARY LOGS");
    await pipeline.catchUp();
    expect(await pipeline.differences(["t"])).toEqual([]);
    await pipeline.catchUp();

    await db.query("XA COMMIT 'committed'");
    await db.query("XA ROLLBACK 'undone'");
    await db.query("UPDATE t SET v = 'after' WHERE id = 10");
    const killed = pipeline.run([], { MILLRACE_FAILPOINT: "engine.record-stored:1" });
    expect(await killed.exit(), killed.output).toEqual({ code: null, signal: "SIGKILL" });
    await pipeline.catchUp();
    expect(await pipeline.differences(["t"])).toEqual([]);
  });

  test("that are open when a pipeline begins hold it up, and it says which", async () => {
    await using db = await LoneMysqlDatabase.start(flavour, settings);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await prepareXa(db, "'open'", "INSERT INTO t VALUES (1)");
    await using pipeline = await testPipeline(db, {
      source: { "lock.timeout": "1s", "connect.max-retries": "0" },
    });
    const refused = pipeline.run();
    expect((await refused.exit()).code, refused.output).toBe(1);
    expect(refused.output).toMatch(/XA_UNDECIDED[\s\S]*X'6f70656e',X'',1/);
    await db.query("XA COMMIT 'open'");
    await pipeline.catchUp();
    expect(await pipeline.differences(["t"])).toEqual([]);
  });
});

test("an XA transaction without GTIDs that is open holds on to its binlog file", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT_GTIDS);
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  await using pipeline = await testPipeline(db);
  await pipeline.catchUp();
  await prepareXa(db, "'open'", "INSERT INTO t VALUES (1)");
  await db.query("FLUSH BINARY LOGS");
  await db.query("INSERT INTO t VALUES (2)");
  await pipeline.catchUp();
  const [newest] = (await db.query<{ Log_name: string }>("SHOW BINARY LOGS")).slice(-1);
  await db.query(`PURGE BINARY LOGS TO '${newest!.Log_name}'`);
  const refused = pipeline.run();
  expect((await refused.exit()).code, refused.output).toBe(1);
  expect(refused.output).toContain("LOG_LOST");
});

test("a table stops whose rows were rolled back after more of them than are held, and another goes on", async () => {
  await using db = await LoneMysqlDatabase.start("mariadb");
  for (const table of ["large", "kept"]) await db.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v longtext)`);
  await using pipeline = await testPipeline(db);
  const run = pipeline.run();
  await pipeline.untilStreaming(["large", "kept"]);
  const writer = await db.client();
  await writer.query("BEGIN");
  await writer.query("INSERT INTO kept VALUES (1, 'undone')");
  await writer.query("INSERT INTO large SELECT seq, REPEAT('x', 1000000) FROM seq_1_to_60");
  await writer.query("CREATE TEMPORARY TABLE tmp (id int)");
  await writer.query("ROLLBACK");
  await db.query("INSERT INTO kept VALUES (2, 'committed')");
  await waitFor("the table to stop", async () => (await pipeline.tableState("large"))?.kind === "stopped");
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual(STOPPED);
  expect(await pipeline.tableState("large")).toMatchObject({ kind: "stopped", code: "ROLLBACK_IN_LARGE_TRANSACTION" });
  const again = pipeline.run(["--until", "caught-up"]);
  // The table is still stopped, and that is said.
  expect(await again.exit(), again.output).toEqual({ code: 1, signal: null });
  expect(await pipeline.differences(["large", "kept"])).toEqual([]);
});
