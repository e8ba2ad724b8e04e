import { expect, it } from "vitest";
import { LoneMysqlDatabase } from "../../../test/support/mysql-binlog.ts";
import { deadline, RULES, sourceOptions } from "../../../test/support/mysql-source.ts";
import { testAmbient } from "../../../test/support/test-ambient.ts";
import { waitFor } from "../../../test/support/wait-for.ts";
import type { LogCut } from "./position.ts";
import { createMysqlSource } from "./source.ts";

/** A server that waits for a replica that never comes, between writing a commit to the log and showing it. */
const HIDING = {
  mysql: {
    plugin_load_add: "semisync_source.so",
    loose_rpl_semi_sync_source_timeout: "600000",
    switch: "SET GLOBAL rpl_semi_sync_source_enabled",
    logged: "SELECT 1 FROM (SELECT @@global.gtid_owned AS owned) AS g WHERE owned <> ''",
  },
  mariadb: {
    rpl_semi_sync_master_timeout: "600000",
    rpl_semi_sync_master_wait_point: "AFTER_SYNC",
    switch: "SET GLOBAL rpl_semi_sync_master_enabled",
    logged: "SHOW STATUS WHERE Variable_name = 'Rpl_semi_sync_master_wait_sessions' AND Value > 0",
  },
} as const;

it.each(["mysql", "mariadb"] as const)(
  "a start on %s is not behind what is in the log and cannot be seen yet",
  async (flavour) => {
    const { switch: hiding, logged, ...settings } = HIDING[flavour];
    await using db = await LoneMysqlDatabase.start(flavour, settings);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using source = createMysqlSource(sourceOptions(db), RULES, testAmbient());
    const before = await source.head(deadline());
    await db.query(`${hiding} = ON`);
    const writer = await db.client();
    const writing = writer.query("INSERT INTO t VALUES (1)");
    // Where the test fails before it is awaited, its server ends under it.
    writing.catch(() => undefined);
    await waitFor("the commit to be in the log", async () => (await db.query(logged)).length > 0);
    const start = await source.prepare({ resume: null, tables: [] }, () => undefined, deadline());
    expect(before.covers(start), start.toString()).toBe(true);
    expect(await db.query("SELECT id FROM t")).toEqual([]);
    // The log sends it all the same, so it may have been delivered before a run that begins now.
    const delivered = await source.head(deadline());
    expect(before.covers(delivered)).toBe(false);
    const resumed = await source.prepare({ resume: delivered, tables: [] }, () => undefined, deadline());
    expect(resumed).toBe(delivered);
    await db.query(`${hiding} = OFF`);
    await writing;
  },
);

it("chunks on MySQL without GTIDs wait until what was in the log at the start can be seen", async () => {
  const { switch: hiding, logged: _, ...settings } = HIDING.mysql;
  const without = { gtid_mode: "OFF", enforce_gtid_consistency: "OFF", loose_rpl_semi_sync_source_timeout: "100000" };
  await using db = await LoneMysqlDatabase.start("mysql", { ...settings, ...without });
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  // A transaction that is open, and whose session does nothing, is not being committed.
  const idle = await db.client();
  await idle.query("START TRANSACTION");
  await idle.query("INSERT INTO t VALUES (100)");
  await using source = createMysqlSource(sourceOptions(db), RULES, testAmbient());
  const end = async (): Promise<string> => (await source.head(deadline())).toString();
  const before = await end();
  await db.query(`${hiding} = ON`);
  const writer = await db.client();
  const writing = writer.query("INSERT INTO t VALUES (1)");
  writing.catch(() => undefined);
  await waitFor("the commit to be in the log", async () => (await end()) !== before);
  const start = await source.prepare({ resume: null, tables: [] }, () => undefined, deadline());
  expect(start.toString()).toBe(await end());
  let shown = false;
  const heard: string[] = [];
  const settled = source.settled([], (what) => heard.push(what), deadline()).then(() => expect(shown).toBe(true));
  await waitFor("the chunks to wait", () => Promise.resolve(heard.length > 0));
  const { included } = (await source.visible(deadline())) as LogCut;
  expect(included?.covers(start) ?? false).toBe(false);
  expect(await db.query("SELECT id FROM t")).toEqual([]);
  shown = true;
  await db.query(`${hiding} = OFF`);
  await writing;
  await settled;
  await db.query("SET GLOBAL rpl_semi_sync_source_timeout = 200000");
  await expect(source.status(deadline())).rejects.toMatchObject({ code: "SOURCE_SETTING" });
  expect(heard).toEqual([`what the log has before ${start.toString()} to become visible`]);
});

it.each([
  ["mysql", "log_replica_updates", "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1'"],
  ["mariadb", "log_slave_updates", "CHANGE MASTER TO MASTER_HOST = '127.0.0.1'"],
] as const)("a replica of %s that does not log what it copies is refused", async (flavour, name, copying) => {
  await using db = await LoneMysqlDatabase.start(flavour, { [name]: "OFF" });
  await using source = createMysqlSource(sourceOptions(db), RULES, testAmbient());
  const prepare = (): Promise<unknown> => source.prepare({ resume: null, tables: [] }, () => undefined, deadline());
  await prepare();
  await db.query(copying);
  await expect(prepare()).rejects.toMatchObject({ code: "SOURCE_SETTING", message: expect.stringContaining(name) });
});
