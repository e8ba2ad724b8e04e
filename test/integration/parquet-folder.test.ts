import { chmod, cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stagedFiles } from "../support/lake.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectRefusal } from "../support/refusal.ts";
import { createTally } from "../support/tally.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn } from "../support/test-server.ts";

const UNTIL = ["--until", "caught-up"];
/** Behind its first epoch, with nothing under way. */
const FREEZES = { MILLRACE_FAILPOINT: "engine.acknowledged=SIGSTOP" };

/** About 8 MB that cannot be compressed to less than half. */
const ROWS =
  "SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 128) j) FROM generate_series(1, 2000) i";

interface Setting extends AsyncDisposable {
  readonly db: TestDatabase;
  readonly pipeline: TestPipeline;
}

/** A pipeline that has caught up. */
async function caughtUp(): Promise<Setting> {
  const db = await createDatabase();
  const pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
  await db.query("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 300) i");
  await pipeline.catchUp();
  return {
    db,
    pipeline,
    async [Symbol.asyncDispose]() {
      for (const part of [pipeline, db]) await part[Symbol.asyncDispose]();
    },
  };
}

/** What the folder holds becomes what the other holds. */
async function putBack(pipeline: TestPipeline, from: string): Promise<void> {
  await empty(pipeline);
  await cp(from, pipeline.lake, { recursive: true });
}

async function empty({ lake }: TestPipeline): Promise<void> {
  for (const name of await readdir(lake)) await rm(join(lake, name), { recursive: true });
}

/** Caught up, equal, each row of the log once, and nothing left that dead runs had staged. */
async function expectWhole({ pipeline }: Setting): Promise<void> {
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
  await using log = await pipeline.openLog();
  expect(await log.keyFaults("t", ["id"])).toEqual([]);
  expect(await stagedFiles(pipeline.lake)).toEqual([]);
}

test.each(["snapshot", "stream"])(
  "a full disk under the folder, in the %s: the run ends, and goes on when there is room",
  async (when) => {
    await using db = await createDatabase();
    await using pipeline = await testPipeline(db, { chunkRows: 500, sink: { type: "parquet" } });
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    if (when === "stream") await pipeline.catchUp();
    await db.query(`INSERT INTO t ${ROWS}`);

    await using run = pipeline.command("run", UNTIL, {}, { fileBytesMax: 400_000 });
    await expectRefusal(run, { code: "STORE_FULL", says: /no space.*parquet/, hint: /Make room/ });
    await pipeline.catchUp();
    await pipeline.expectEqual(["t"]);
    expect(await stagedFiles(pipeline.lake)).toEqual([]);
    await using log = await pipeline.openLog();
    expect(await log.rows("SELECT count(*)::int FROM $t WHERE _op IN ('r', 'c')")).toEqual([[2000]]);
  },
);

/** Makes all folders read-only, and returns them. */
async function denied({ lake }: TestPipeline): Promise<readonly string[]> {
  const entries = await readdir(lake, { recursive: true, withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  const folders = [lake, ...below];
  for (const folder of folders) await chmod(folder, 0o555);
  return folders;
}

test.each(["before it starts", "while it runs"])("a folder that becomes read-only %s: the run ends", async (when) => {
  await using on = await caughtUp();
  const { db, pipeline } = on;
  const running = when === "while it runs";
  let folders = running ? [] : await denied(pipeline);
  await using run = pipeline.command("run", [], running ? FREEZES : {}, { obeysPermissions: true });
  await db.query("INSERT INTO t VALUES (1001, 'later')");
  if (running) {
    await run.untilFrozen();
    folders = await denied(pipeline);
    run.signal("SIGCONT");
    await db.query("INSERT INTO t VALUES (1002, 'later still')");
  }
  await expectRefusal(run, { code: "STORE_DENIED", says: /lake/, hint: /right to read, write and delete/ });
  for (const folder of folders) await chmod(folder, 0o755);
  await expectWhole(on);
});

test("a folder that was emptied while the pipeline was stopped is refused", async () => {
  await using on = await caughtUp();
  const { db, pipeline } = on;
  await cp(pipeline.lake, pipeline.path("copy"), { recursive: true });
  await empty(pipeline);
  await db.query("INSERT INTO t VALUES (1001, 'later')");
  await using run = pipeline.run();
  await expectRefusal(run, { code: "RECOVERY_SINK_EMPTY", says: /sink knows nothing/, hint: /millrace drop/ });
  await putBack(pipeline, pipeline.path("copy"));
  await expectWhole(on);

  await empty(pipeline);
  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
  await expectWhole(on);
});

test("files without the log that they were written by are not taken for a table's rows", async () => {
  await using on = await caughtUp();
  const { db, pipeline } = on;
  await rm(join(pipeline.lake, "_millrace"), { recursive: true });
  await db.query("DELETE FROM t WHERE id < 100");
  await using run = pipeline.run();
  await expectRefusal(run, { code: "RECOVERY_SINK_EMPTY", says: /sink knows nothing/, hint: /millrace drop/ });
  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
  await using anew = pipeline.run();
  await expectRefusal(anew, { code: "SINK_DAMAGED", says: /public\/t.*does not know/, hint: /Move .* away/ });
  await rm(join(pipeline.lake, "public"), { recursive: true });
  await expectWhole(on);
});

test.each(["emptied", "put back to yesterday"])(
  "a folder that is %s under a running pipeline is noticed",
  async (how) => {
    await using on = await caughtUp();
    const { db, pipeline } = on;
    const [yesterday, today] = [pipeline.path("yesterday"), pipeline.path("today")];
    await cp(pipeline.lake, yesterday, { recursive: true });
    await db.query("INSERT INTO t VALUES (1001, 'today')");
    await using run = pipeline.run([], FREEZES);
    await run.untilFrozen();
    await cp(pipeline.lake, today, { recursive: true });
    if (how === "emptied") await empty(pipeline);
    else await putBack(pipeline, yesterday);
    run.signal("SIGCONT");
    await db.query("INSERT INTO t VALUES (1002, 'later')");
    await expectRefusal(run, { code: "SINK_DAMAGED", says: /\d+\.json: it is gone/, hint: /from a backup/ });

    await using again = pipeline.run();
    const code = how === "emptied" ? "RECOVERY_SINK_EMPTY" : "RECOVERY_SINK_BEHIND";
    await expectRefusal(again, { code, says: /the sink/, hint: /millrace drop/ });
    await putBack(pipeline, today);
    await expectWhole(on);
  },
);

test("a folder put back to yesterday is refused, and goes on from there where the source still has its log", async () => {
  await using db = await createDatabaseOn("mysql");
  await using tally = await createTally(db, 3);
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  const yesterday = pipeline.path("yesterday");
  await pipeline.catchUp();
  await cp(pipeline.lake, yesterday, { recursive: true });
  for (let day = 0; day < 2; day++) {
    tally.start();
    await tally.untilSteps(20);
    await tally.stop();
    await pipeline.catchUp();
  }
  await putBack(pipeline, yesterday);
  await using run = pipeline.run();
  await expectRefusal(run, { code: "RECOVERY_SINK_BEHIND", says: /sink is at epoch/, hint: /millrace state adopt/ });

  await pipeline.adopt();
  await using mended = pipeline.run(UNTIL);
  expect(await mended.exit(), mended.output).toEqual({ code: 0, signal: null });
  await pipeline.expectEqual(tally.tables);
  await using log = await pipeline.openLog();
  expect(await log.tallyFaults()).toEqual([]);
  await pipeline.catchUp();
});
