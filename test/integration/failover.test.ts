import { describe, expect, test } from "vitest";
import { TestMysqlDatabase } from "../support/mysql.ts";
import { startProxy } from "../support/proxy.ts";
import { expectRefusal } from "../support/refusal.ts";
import { type ReplicatedMysql, startReplicatedMysql } from "../support/replicated-mysql.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkload, Workload } from "../support/workload.ts";

const DATABASE = "shop";
const RETRIES = { "connect.max-retries": "10" };

/** The same database on both servers. It goes with them. */
async function databases({
  source,
  replica,
}: ReplicatedMysql): Promise<readonly [TestMysqlDatabase, TestMysqlDatabase]> {
  const admin = new TestMysqlDatabase(source, "mysql");
  await admin.query(`CREATE DATABASE ${DATABASE}`);
  return [new TestMysqlDatabase(source, DATABASE), new TestMysqlDatabase(replica, DATABASE)];
}

async function committedPosition(pipeline: TestPipeline): Promise<string | undefined> {
  const { state } = await pipeline.status();
  return state.facts.committed?.position;
}

describe.each(["mysql", "mariadb"] as const)("%s", (flavour) => {
  test("a run goes on at the replica that takes the place of its source", async () => {
    await using servers = await startReplicatedMysql(flavour);
    const [before, after] = await databases(servers);
    await using proxy = await startProxy(servers.source);
    const load = { writers: 2, longStatements: 50, statementsPerSecond: 500 };
    const options = { seed: 3, rows: 500, truncate: true, ...load };
    await using workload = await createWorkload(before, options);
    await using pipeline = await testPipeline(after, {
      source: { hostname: proxy.host, port: String(proxy.port), ...RETRIES },
    });
    workload.start();
    const run = pipeline.run();
    await pipeline.untilStreaming(workload.tables);
    await workload.untilCommitted(100);
    await workload.stop();
    await servers.copy();

    proxy.refuse(true);
    proxy.cut();
    await run.untilOutput(/trying again/);
    const epoch = (await pipeline.record())?.epoch ?? 0;
    await servers.failOver();
    await using later = new Workload(after, { ...options, seed: 4 });
    later.start();
    await later.untilCommitted(20);
    proxy.turn(servers.replica);
    proxy.refuse(false);
    await waitFor("epochs of the new source", async () => ((await pipeline.record())?.epoch ?? 0) > epoch + 1);
    await later.stop();
    expect(run.hasEnded, run.output).toBe(false);
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.differences(workload.tables)).toEqual([]);
  });

  test("a replica that copies is a source like any other", async () => {
    await using servers = await startReplicatedMysql(flavour);
    const [before, after] = await databases(servers);
    await using workload = await createWorkload(before, {
      seed: 5,
      rows: 500,
      writers: 2,
      longStatements: 50,
      statementsPerSecond: 500,
    });
    await servers.copy();
    await using pipeline = await testPipeline(after);
    workload.start();
    const run = pipeline.run();
    await pipeline.untilStreaming(workload.tables);
    await workload.untilCommitted(100);
    await workload.stop();
    await servers.copy();
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.differences(workload.tables)).toEqual([]);
  });

  test("a replica that lacks what was delivered is refused, however much it has written since", async () => {
    await using servers = await startReplicatedMysql(flavour);
    const [before, after] = await databases(servers);
    await using proxy = await startProxy(servers.source);
    await before.query("CREATE TABLE t (id int PRIMARY KEY)");
    await before.query("INSERT INTO t VALUES (1)");
    await using pipeline = await testPipeline(after, {
      source: { hostname: proxy.host, port: String(proxy.port), ...RETRIES },
    });
    const run = pipeline.run();
    await pipeline.untilStreaming(["t"]);
    await servers.copy();
    await servers.pause();
    await before.query("INSERT INTO t VALUES (2)");
    const delivered = await servers.logged();
    await waitFor("the row to be delivered", async () => (await committedPosition(pipeline)) === delivered);

    proxy.refuse(true);
    proxy.cut();
    await servers.failOver();
    proxy.turn(servers.replica);
    proxy.refuse(false);
    const refusal = { code: "SOURCE_BEHIND", says: /delivered already/, hint: /millrace drop/ } as const;
    await expectRefusal(run, refusal);
    // MariaDB numbers its transactions anew from there: as many as were delivered, and then more.
    for (const id of [100, 101]) {
      await after.query(`INSERT INTO t VALUES (${id})`);
      await expectRefusal(pipeline.run(), refusal);
    }
    await using status = pipeline.command("status", ["--json"]);
    expect(await status.exit(), status.output).toEqual({ code: 0, signal: null });
    expect(JSON.parse(status.stdout)).toMatchObject({ committed: { position: delivered } });
  });
});
