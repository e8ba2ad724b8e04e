import { expect, test } from "vitest";
import { LoneMysqlDatabase } from "../support/mysql-binlog.ts";
import type { MysqlSettings } from "../support/private-mysql.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

const WITHOUT_GTIDS: MysqlSettings = { gtid_mode: "OFF", enforce_gtid_consistency: "OFF" };

test.each([
  { name: "MySQL with GTIDs", flavour: "mysql", settings: {}, reset: "RESET BINARY LOGS AND GTIDS" },
  { name: "MySQL without GTIDs", flavour: "mysql", settings: WITHOUT_GTIDS, reset: "RESET BINARY LOGS AND GTIDS" },
  { name: "MariaDB", flavour: "mariadb", settings: {}, reset: "RESET MASTER" },
] as const)("$name: a run whose log is reset under it ends and says so", async ({ flavour, settings, reset }) => {
  await using db = await LoneMysqlDatabase.start(flavour, settings);
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  await db.query("INSERT INTO t VALUES (1)");
  await using pipeline = await testPipeline(db, { source: { "heartbeat.interval": "1s" } });
  await using run = pipeline.run();
  await pipeline.untilStreaming(["t"]);
  await db.query("INSERT INTO t VALUES (2)");
  await waitFor("the row to arrive", async () => {
    const { facts } = (await pipeline.status()).state;
    return [...facts.tables].some(([, { changes }]) => changes > 0);
  });
  await db.query(reset);
  expect(await run.exit(), run.output).toEqual({ code: 1, signal: null });
  expect(run.output).toContain("SOURCE_BEHIND");
});
