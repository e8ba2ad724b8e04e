import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LoneMysqlDatabase } from "../support/mysql-binlog.ts";
import { createDatabase } from "../support/postgres.ts";
import { waitFor } from "../support/wait-for.ts";
import { type PipelineChoices, type TestPipeline, testPipeline } from "../support/test-pipeline.ts";

const mode = (word: string, more: Readonly<Record<string, string>> = {}): PipelineChoices => ({
  source: { "scan.startup.mode": word, ...more },
});

const OFFSET = "scan.startup.specific-offset";

async function ids(pipeline: TestPipeline, table: string): Promise<readonly unknown[]> {
  return (await pipeline.sinkRows(`SELECT id FROM ${table} ORDER BY id`)).map(([id]) => id);
}

/** Everything committed before the server's position now, in the server's own words. */
async function gtids(db: LoneMysqlDatabase): Promise<string> {
  const variable = db.server.flavour === "mysql" ? "gtid_executed" : "gtid_binlog_pos";
  const [row] = await db.query<{ gtids: string }>(`SELECT @@global.${variable} AS gtids`);
  return row!.gtids;
}

async function place(db: LoneMysqlDatabase): Promise<{ readonly file: string; readonly offset: number }> {
  const [status] = await db.query<{ File: string; Position: number }>(
    db.server.flavour === "mysql" ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS",
  );
  return { file: status!.File, offset: status!.Position };
}

/** When the server's clock has come to another second, its beginning: what is committed now is not before it. */
async function nextSecondMs(db: LoneMysqlDatabase): Promise<number> {
  const second = async (): Promise<number> => (await db.query<{ s: number }>("SELECT UNIX_TIMESTAMP() AS s"))[0]!.s;
  const now = await second();
  await waitFor("the next second", async () => (await second()) > now);
  return (await second()) * 1000;
}

describe.each(["mysql", "mariadb"] as const)("a pipeline on %s that begins", (flavour) => {
  let db: LoneMysqlDatabase;
  beforeAll(async () => {
    db = await LoneMysqlDatabase.start(flavour);
  });
  beforeEach(() => db.renew());
  afterAll(() => db[Symbol.asyncDispose]());

  test("with the latest offset delivers what is changed from then on, and no snapshot", async () => {
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v int)");
    await db.query("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)");
    await using pipeline = await testPipeline(db, mode("latest-offset"));
    const run = pipeline.run();
    await pipeline.untilStreaming(["t"]);
    await db.query("UPDATE t SET v = 20 WHERE id = 2");
    await db.query("DELETE FROM t WHERE id = 1");
    await db.query("INSERT INTO t VALUES (4, 4)");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await db.query("INSERT INTO t VALUES (5, 5)");
    await pipeline.catchUp();
    expect(await pipeline.sinkRows("SELECT id, v FROM lone.t ORDER BY id")).toEqual([
      [2, 20],
      [4, 4],
      [5, 5],
    ]);
  });

  test("with a set of GTIDs delivers what is not in it, and refuses a set that lacks what was purged", async () => {
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const purged = await gtids(db);
    await db.query("INSERT INTO t VALUES (1)");
    await db.query("FLUSH BINARY LOGS");
    const done = await gtids(db);
    await db.query("INSERT INTO t VALUES (2), (3)");
    await using pipeline = await testPipeline(db, mode("specific-offset", { [`${OFFSET}.gtid-set`]: `'${done}'` }));
    await pipeline.catchUp();
    expect(await ids(pipeline, "lone.t")).toEqual([2, 3]);
    await db.purgeTo(2);
    await using late = await testPipeline(db, mode("specific-offset", { [`${OFFSET}.gtid-set`]: `'${purged}'` }));
    const run = late.run();
    expect(await run.exit(), run.output).toEqual({ code: 3, signal: null });
    expect(run.output).toContain("START_NOT_IN_LOG");
  });

  test("and ends with the snapshot has the tables of one moment, and does nothing when it is run again", async () => {
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query("CREATE TABLE u (id int PRIMARY KEY)");
    await db.query("INSERT INTO t VALUES (1), (2)");
    await db.query("INSERT INTO u VALUES (1)");
    await using pipeline = await testPipeline(db, mode("snapshot"));
    const run = pipeline.run();
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    expect(await pipeline.differences(["t", "u"])).toEqual([]);
    await db.query("INSERT INTO t VALUES (3)");
    const again = pipeline.run();
    expect(await again.exit(), again.output).toEqual({ code: 0, signal: null });
    expect(await ids(pipeline, "lone.t")).toEqual([1, 2]);
  });
});

describe.each([
  { server: "MySQL", flavour: "mysql", settings: {} },
  { server: "MySQL without GTIDs", flavour: "mysql", settings: { gtid_mode: "OFF", enforce_gtid_consistency: "OFF" } },
  { server: "MariaDB", flavour: "mariadb", settings: {} },
] as const)("a pipeline on $server that begins", ({ flavour, settings }) => {
  let db: LoneMysqlDatabase;
  beforeAll(async () => {
    db = await LoneMysqlDatabase.start(flavour, settings);
  });
  beforeEach(() => db.renew());
  afterAll(() => db[Symbol.asyncDispose]());

  test("with the earliest offset delivers all that the log still has", async () => {
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query("INSERT INTO t VALUES (1)");
    await db.query("FLUSH BINARY LOGS");
    await db.query("INSERT INTO t VALUES (2)");
    await db.query("FLUSH BINARY LOGS");
    await using pipeline = await testPipeline(db, mode("earliest-offset"));
    await pipeline.catchUp();
    expect(await ids(pipeline, "lone.t")).toEqual([1, 2]);
    await db.purgeTo(2);
    await db.query("INSERT INTO t VALUES (3)");
    await using later = await testPipeline(db, mode("earliest-offset"));
    await later.catchUp();
    expect(await ids(later, "lone.t")).toEqual([2, 3]);
  });

  test("at an offset of a file delivers what is behind it, and refuses an offset inside of a transaction", async () => {
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query("INSERT INTO t VALUES (1)");
    const { file, offset } = await place(db);
    await db.query("INSERT INTO t VALUES (2), (3)");
    await db.query("FLUSH BINARY LOGS");
    await db.query("INSERT INTO t VALUES (4)");
    const at = (pos: number): PipelineChoices =>
      mode("specific-offset", { [`${OFFSET}.file`]: file, [`${OFFSET}.pos`]: String(pos) });
    await using pipeline = await testPipeline(db, at(offset));
    await pipeline.catchUp();
    expect(await ids(pipeline, "lone.t")).toEqual([2, 3, 4]);
    const events = await db.query<{ Pos: number }>(`SHOW BINLOG EVENTS IN '${file}' FROM ${offset} LIMIT 3`);
    for (const pos of [events.at(-1)!.Pos, offset + 1, offset + 100_000]) {
      await using other = await testPipeline(db, at(pos));
      const run = other.run();
      expect(await run.exit(), run.output).toEqual({ code: 3, signal: null });
      expect(run.output).toContain("START_NOT_IN_LOG");
    }
  });

  test("at a time delivers what was committed then and later, and refuses one that its log does not reach", async () => {
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const beganMs = await nextSecondMs(db);
    await nextSecondMs(db);
    await db.query("INSERT INTO t VALUES (1)");
    await db.query("FLUSH BINARY LOGS");
    await db.query("INSERT INTO t VALUES (2)");
    await nextSecondMs(db);
    const ms = await nextSecondMs(db);
    await db.query("INSERT INTO t VALUES (3)");
    await db.query("FLUSH BINARY LOGS");
    await db.query("INSERT INTO t VALUES (4)");
    const at = (time: number): PipelineChoices => mode("timestamp", { "scan.startup.timestamp-millis": String(time) });
    await using pipeline = await testPipeline(db, at(ms));
    await pipeline.catchUp();
    expect(await ids(pipeline, "lone.t")).toEqual([3, 4]);
    for (const time of [beganMs - 3_600_000, ms + 3_600_000]) {
      await using other = await testPipeline(db, at(time));
      const run = other.run();
      expect(await run.exit(), run.output).toEqual({ code: 3, signal: null });
      expect(run.output).toContain("START_NOT_IN_LOG");
    }
  });
});

describe("a pipeline on PostgreSQL that begins", () => {
  test("with the latest offset delivers what is changed from then on, and no snapshot", async () => {
    await using db = await createDatabase();
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v int)");
    await db.query("INSERT INTO t VALUES (1, 1), (2, 2)");
    await using pipeline = await testPipeline(db, mode("latest-offset"));
    const run = pipeline.run();
    await pipeline.untilStreaming(["t"]);
    await db.query("UPDATE t SET v = 20 WHERE id = 2");
    await db.query("DELETE FROM t WHERE id = 1");
    await db.query("INSERT INTO t VALUES (3, 3)");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.sinkRows("SELECT id, v FROM public.t ORDER BY id")).toEqual([
      [2, 20],
      [3, 3],
    ]);
  });

  test("and ends with the snapshot leaves no slot behind, and does nothing when it is run again", async () => {
    await using db = await createDatabase();
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query("INSERT INTO t VALUES (1), (2)");
    await using pipeline = await testPipeline(db, mode("snapshot"));
    for (let i = 0; i < 2; i++) {
      const run = pipeline.run();
      expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
      const slots = await db.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = $1", [pipeline.slot]);
      expect(slots).toEqual([]);
      await db.query("INSERT INTO t VALUES (3 + $1)", [i]);
    }
    expect(await ids(pipeline, "public.t")).toEqual([1, 2]);
  });

  test("with a snapshot and the log goes on with it, whatever its file says later", async () => {
    await using db = await createDatabase();
    await db.query("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    await using pipeline = await testPipeline(db);
    await pipeline.catchUp();
    await pipeline.write(mode("snapshot"));
    for (const id of [2, 3]) {
      await db.query("INSERT INTO t VALUES ($1)", [id]);
      await pipeline.catchUp();
    }
    expect(await ids(pipeline, "public.t")).toEqual([1, 2, 3]);
  });

  test("again commits what waits for it without holding it for an interval", async () => {
    await using db = await createDatabase();
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using pipeline = await testPipeline(db);
    await pipeline.catchUp();
    await pipeline.write({ checkpointInterval: "10min" });
    await db.query("INSERT INTO t SELECT generate_series(1, 7)");
    const run = pipeline.run();
    const isCommitted = async (): Promise<boolean> => {
      const epochs = [...((await pipeline.record())?.parts.values() ?? [])] as { readonly rows?: number }[];
      return epochs.some(({ rows }) => rows === 7);
    };
    await waitFor("an epoch of seven rows", isCommitted);
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    expect(await ids(pipeline, "public.t")).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });
});
