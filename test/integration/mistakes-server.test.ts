import { afterAll, beforeAll, expect, test } from "vitest";
import pg from "pg";
import { tableId } from "../../src/core/table-schema.ts";
import { clientConfig, type PrivatePostgres, startPrivatePostgres } from "../support/private-postgres.ts";
import { expectRefusal, expectSecretKept } from "../support/refusal.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

const TOO_SMALL = { wal_level: "replica", max_replication_slots: "1" };
const RETRY = { "connect.max-retries": "4", "connect.timeout": "5s" };

let server: PrivatePostgres;
beforeAll(async () => {
  server = await startPrivatePostgres({ settings: TOO_SMALL });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** On a connection of its own, since the server goes down in between. */
async function query(sql: string, database = "postgres"): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client(clientConfig(server, database));
  client.on("error", () => undefined);
  await client.connect();
  try {
    const result = await client.query<Record<string, unknown>>(sql);
    return result.rows;
  } finally {
    await client.end();
  }
}

async function filled(database: string): Promise<TestPipeline> {
  await query(`CREATE DATABASE ${database}`);
  await query("CREATE TABLE t (id int PRIMARY KEY, v text)", database);
  await query("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 300) i", database);
  const { host, port, user, password } = server;
  return await testPipeline({ host, port, user, password, database }, { source: RETRY });
}

test("wal_level=replica and used-up slots are refused with the setting, which mends it after a restart", async () => {
  await using pipeline = await filled("settings");
  await using level = pipeline.run();
  const settings = { code: "SOURCE_SETTING", hint: /restart the server/ } as const;
  const [setLevel] = await expectRefusal(level, { ...settings, says: /wal_level is replica/ });
  await expectSecretKept(server.password, level, pipeline.path("."));
  expect(setLevel).toBe("ALTER SYSTEM SET wal_level = 'logical'");
  // What the command line of the server says goes over ALTER SYSTEM.
  await server.restart({ settings: { wal_level: "logical" } });

  await query("SELECT pg_create_physical_replication_slot('taken')");
  await using slots = pipeline.run();
  const [setSlots] = await expectRefusal(slots, { ...settings, says: /all 1 replication slots .+ in use/ });
  expect(setSlots).toBe("ALTER SYSTEM SET max_replication_slots = 5");
  await server.restart({ settings: { max_replication_slots: "5" } });
  await query("SELECT pg_drop_replication_slot('taken')");
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
});

test("a server that restarts in the middle is waited for, and one that is gone for good ends the run", async () => {
  await using pipeline = await filled("restarted");
  const run = pipeline.run();
  await pipeline.untilStreaming(["t"]);
  await server.stop();
  await run.untilOutput(/trying again/);
  await server.start();
  await query("UPDATE t SET v = 'changed' WHERE id <= 50; INSERT INTO t VALUES (1001, 'later')", "restarted");
  await waitFor("the changes to arrive", async () => {
    const { state } = await pipeline.status();
    return (state.facts.tables.get(tableId("public", "t"))?.changes ?? 0) >= 51;
  });
  expect(run.hasEnded).toBe(false);

  await server.stop();
  await expectRefusal(run, { code: "SOURCE_UNREACHABLE", says: /127\.0\.0\.1:\d+ \(ECONNREFUSED\)/, hint: /port/ });
  await expectSecretKept(server.password, run, pipeline.path("."));
  await using status = pipeline.command("status");
  expect(await status.exit(), status.output).toEqual({ code: 0, signal: null });
  expect(status.stdout).toContain("SOURCE_UNREACHABLE");
  await server.start();
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
});

test("a slot that the server invalidated is a lost log, and the hint begins anew", async () => {
  await using pipeline = await filled("invalidated");
  await pipeline.catchUp();
  await query("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
  await query("SELECT pg_reload_conf()");
  await waitFor("the slot to be invalidated", async () => {
    await query("INSERT INTO t VALUES ((SELECT max(id) + 1 FROM t), 'later'); SELECT pg_switch_wal()", "invalidated");
    await query("CHECKPOINT");
    const [slot] = await query(`SELECT wal_status FROM pg_replication_slots WHERE slot_name = '${pipeline.slot}'`);
    return slot?.["wal_status"] === "lost";
  });
  await using status = pipeline.command("status");
  expect(await status.exit(), status.output).toEqual({ code: 0, signal: null });
  expect(status.stdout).toMatch(/wal_removed|lost/);
  await using run = pipeline.run();
  const says = new RegExp(`${pipeline.slot} was invalidated \\(wal_removed\\)`);
  await expectRefusal(run, { code: "LOG_LOST", says, hint: /millrace drop/ });
  await expectSecretKept(server.password, run, pipeline.path("."));
  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
});
