import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTable } from "../../src/sources/mysql/table-read.ts";
import { createMysqlDatabaseAt, startPrivateMysql, type TestMysqlDatabase } from "../support/mysql.ts";
import { deadline, openSessions, RULES, schemaOf } from "../support/mysql-source.ts";
import type { PrivateMysql } from "../support/private-mysql.ts";
import { expectRefusal } from "../support/refusal.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkload } from "../support/workload.ts";

async function filled(db: TestMysqlDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  await db.query("INSERT INTO t VALUES (1), (2), (3)");
}

/** By default MariaDB purges nothing that no replica has, and none is connected. */
const PURGED_AT_ONCE = { slave_connections_needed_for_purge: "0" };

/** Everything but the file that is being written, and those that are being sent. */
async function purge(db: TestMysqlDatabase): Promise<number> {
  await db.query("FLUSH BINARY LOGS");
  const files = await db.query<{ Log_name: string }>("SHOW BINARY LOGS");
  await db.query("PURGE BINARY LOGS TO ?", [files.at(-1)!.Log_name]);
  return (await db.query("SHOW BINARY LOGS")).length;
}

/** Resolves when all that was committed by now is purged: a run that is over is sent its file for a while yet. */
async function purgeAll(db: TestMysqlDatabase): Promise<void> {
  await waitFor("old files to be purged", async () => (await purge(db)) === 1);
}

/** What an administrator does to the log of a server: of a server of its own, since it is every database's. */
describe.each(["mysql", "mariadb"] as const)("the log of %s", (flavour) => {
  let server: PrivateMysql;
  beforeAll(async () => {
    server = await startPrivateMysql({ flavour, settings: flavour === "mariadb" ? PURGED_AT_ONCE : {} });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test("is followed through a storm of new files, and past old ones that are purged", async () => {
    await using db = await createMysqlDatabaseAt(server);
    await using workload = await createWorkload(db, {
      seed: 11,
      rows: 300,
      writers: 2,
      longStatements: 50,
      statementsPerSecond: 500,
    });
    await using pipeline = await testPipeline(db);
    workload.start();
    const run = pipeline.run();
    await pipeline.untilRows("orders", 100);
    for (let files = 0; files < 60; files++) {
      await workload.untilCommitted(2);
      await (files % 10 === 9 ? purge(db) : db.query("FLUSH BINARY LOGS"));
    }
    await pipeline.untilStreaming(workload.tables);
    await workload.stop();
    // The server purges what it has sent, whether it is in the sink or not: nothing may be under way at the end.
    const end = await logged(db);
    await waitFor("all of the log to be in the sink", async () => {
      const { state } = await pipeline.status();
      return state.facts.committed?.position === end;
    });
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.differences(workload.tables)).toEqual([]);
  });

  test("is lost where it was purged while the pipeline was stopped, and a new one begins anew", async () => {
    await using db = await createMysqlDatabaseAt(server);
    await using pipeline = await testPipeline(db);
    await filled(db);
    await pipeline.catchUp();
    // All that is purged has been delivered: nothing is lost.
    await purgeAll(db);
    await pipeline.catchUp();
    await db.query("INSERT INTO t VALUES (4)");
    await purgeAll(db);
    await db.query("INSERT INTO t VALUES (5)");
    await expectRefusal(pipeline.run(), { code: "LOG_LOST", says: /purged|cannot be read on/, hint: /millrace drop/ });
    await using drop = pipeline.command("drop", ["--yes"]);
    expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.differences(["t"])).toEqual([]);
  });

  test("is noticed to be another one where it was reset while the pipeline was stopped", async () => {
    await using db = await createMysqlDatabaseAt(server);
    await using pipeline = await testPipeline(db);
    await filled(db);
    await pipeline.catchUp();
    await reset(db);
    const refusal = { code: "SOURCE_BEHIND", says: /delivered already/, hint: /millrace drop/ } as const;
    await expectRefusal(pipeline.run(), refusal);
    await db.query("INSERT INTO t VALUES (4)");
    await expectRefusal(pipeline.run(), refusal);
  });

  test("is sent to one of two that call themselves the same, and the other says why it ends", async () => {
    await using db = await createMysqlDatabaseAt(server);
    await filled(db);
    await using pipeline = await testPipeline(db);
    // The same pipeline from another folder: the store does not know of the first.
    await using twin = await testPipeline(db);
    const first = pipeline.run();
    await pipeline.untilStreaming(["t"]);
    const second = twin.run();
    await twin.untilStreaming(["t"]);
    await expectRefusal(first, { code: "SERVER_ID_IN_USE", says: /calls itself/, hint: /server-id/ });
    await using other = await testPipeline(db, { source: { "server-id": "77001" } });
    await other.catchUp();
    await db.query("INSERT INTO t VALUES (4)");
    second.signal("SIGTERM");
    expect(await second.exit(), second.output).toEqual({ code: 0, signal: null });
    await twin.catchUp();
    expect(await twin.differences(["t"])).toEqual([]);
  });

  // MariaDB names the snapshot's file, and is asked about it behind the first row, which waits for the lock.
  test("is purged while a chunk is opened, which is then opened anew where it must be", async () => {
    await using db = await createMysqlDatabaseAt(server);
    await filled(db);
    await using sessions = openSessions(db, { lockTimeoutMs: 30_000 });
    const schema = await schemaOf(sessions, db, "t");
    const session = await sessions.get(deadline());
    const locker = await db.client();
    await locker.query("LOCK TABLES t WRITE");
    const opening = openTable(session, schema, RULES, deadline());
    const waiting =
      "SELECT 1 FROM information_schema.processlist WHERE id = ? AND state LIKE 'Waiting for table metadata%'";
    await waitFor("the chunk to wait", async () => (await db.query(waiting, [session.connection.threadId])).length > 0);
    await purgeAll(db);
    await locker.query("UNLOCK TABLES");
    const { cut } = await opening;
    expect(cut.isExact).toBe(true);
    await session.query("ROLLBACK", [], deadline());
  });

  async function logged(db: TestMysqlDatabase): Promise<string> {
    const variable = flavour === "mysql" ? "gtid_executed" : "gtid_binlog_pos";
    const [row] = await db.query<{ gtids: string }>(`SELECT @@global.${variable} AS gtids`);
    return row!.gtids;
  }

  const reset = (db: TestMysqlDatabase): Promise<unknown> =>
    db.query(flavour === "mysql" ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER");
});
