import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { MillraceProcess } from "../support/millrace-process.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectRefusal } from "../support/refusal.ts";
import { sharedRedisUrl } from "../support/redis.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";

const DONE = { code: 0, signal: null };

async function filled(): Promise<TestDatabase> {
  const db = await createDatabase();
  await db.query(
    `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 300) i;
     CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1), (2)`,
  );
  return db;
}

async function done(run: MillraceProcess): Promise<MillraceProcess> {
  expect(await run.exit(), run.output).toEqual(DONE);
  return run;
}

async function json(pipeline: TestPipeline, action: string): Promise<unknown> {
  await using run = pipeline.command(`state ${action}`, ["--json"]);
  return JSON.parse((await done(run)).stdout);
}

test("show and history tell what is there, while the pipeline runs too, as text and as JSON", async () => {
  await using db = await filled();
  await using pipeline = await testPipeline(db);
  await using before = pipeline.command("state show");
  expect((await done(before)).stdout).toContain("holds nothing of");
  expect(await json(pipeline, "history")).toEqual([]);

  const run = pipeline.run();
  await pipeline.untilStreaming(["t", "u"]);
  const shown = await json(pipeline, "show");
  expect(shown).toMatchObject({
    pipeline: pipeline.name,
    store: pipeline.path(`.millrace/${pipeline.name}`),
    record: {
      token: 1,
      position: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
      tables: [
        { table: "public.t", incarnation: 1, state: { kind: "streaming", rows: 300 } },
        { table: "public.u", incarnation: 1, state: { kind: "streaming", rows: 2 } },
      ],
    },
  });
  run.signal("SIGTERM");
  await done(run);
  const history = (await json(pipeline, "history")) as { epoch: number; rows: number; atMs: number }[];
  expect(history.map(({ epoch }) => epoch)).toEqual(history.map((_, i) => history.length - i));
  expect(history.reduce((sum, { rows }) => sum + rows, 0)).toBe(302);
  await using text = pipeline.command("state history");
  expect((await done(text)).stdout).toMatch(/^epoch \d+ {2}\d{4}-\d\d-\d\dT.*Z +\d+ rows? {2}[0-9A-F]+\/[0-9A-F]+$/m);
  await using lines = pipeline.command("state show");
  expect((await done(lines)).stdout).toMatch(/^public\.t +streaming +incarnation 1 +300 rows$/m);
});

test("a table that is reset begins anew with the next run, and so does every one", async () => {
  await using db = await filled();
  await using pipeline = await testPipeline(db);
  await pipeline.catchUp();
  await using unknown = pipeline.command("state reset", ["public.x"]);
  await expectRefusal(unknown, { code: "USAGE", says: /no table public\.x/, hint: /public\.t, public\.u/ });
  await using reset = pipeline.command("state reset", ["public.t"]);
  expect((await done(reset)).stdout).toBe("public.t begins anew with the next run\n");
  expect(await pipeline.tableState("t")).toMatchObject({ kind: "stopped", code: "TABLE_RESET" });
  await pipeline.catchUp();
  expect(await json(pipeline, "show")).toMatchObject({ record: { tables: [{ incarnation: 2 }, { incarnation: 1 }] } });
  await pipeline.expectEqual(["t", "u"]);

  await using all = pipeline.command("state reset", ["all", "--json"]);
  expect(JSON.parse((await done(all)).stdout)).toEqual({ tables: ["public.t", "public.u"] });
  await pipeline.catchUp();
  expect(await json(pipeline, "show")).toMatchObject({ record: { tables: [{ incarnation: 3 }, { incarnation: 2 }] } });
  await pipeline.expectEqual(["t", "u"]);
});

test("a state moves from files to Redis and back, and the pipeline goes on there", async () => {
  await using db = await filled();
  await using pipeline = await testPipeline(db);
  await pipeline.catchUp();
  await using exported = pipeline.command("state export", [pipeline.path("state.json")]);
  await done(exported);
  await using twice = pipeline.command("state export", [pipeline.path("state.json")]);
  await expectRefusal(twice, { code: "USAGE", says: /state\.json cannot be written/, hint: /not there yet/ });
  await using over = pipeline.command("state import", [pipeline.path("state.json")]);
  await expectRefusal(over, { code: "STATE_EXISTS", says: /holds epoch \d+/, hint: /millrace drop/ });

  await pipeline.write({ pipeline: { "checkpoint.store": sharedRedisUrl() } });
  await using empty = pipeline.run();
  await expectRefusal(empty, { code: "RECOVERY_STORE_EMPTY", says: /store is empty/, hint: /millrace state adopt/ });
  await using imported = pipeline.command("state import", [pipeline.path("state.json")]);
  await done(imported);
  await db.query("UPDATE t SET v = 'new' WHERE id < 10; DELETE FROM u");
  await using run = pipeline.run(["--until", "caught-up"]);
  expect((await done(run)).stdout).not.toContain("snapshot begins");
  await pipeline.expectEqual(["t", "u"]);

  await using back = pipeline.command("state export", [pipeline.path("back.json")]);
  await done(back);
  expect(await readFile(pipeline.path("back.json"), "utf8")).toContain('"millrace": "state"');
  await using drop = pipeline.command("drop", ["--yes"]);
  await done(drop);
  await writeFile(pipeline.path("broken.json"), "{");
  await using broken = pipeline.command("state import", [pipeline.path("broken.json")]);
  await expectRefusal(broken, { code: "STATE_FILE_INVALID", says: /broken\.json/, hint: /Export/ });
});

test("adopt takes what the sink says where the store has nothing, or more than the sink", async () => {
  await using db = await filled();
  await using pipeline = await testPipeline(db);
  await pipeline.catchUp();
  const before = await pipeline.record();
  await rm(pipeline.path(".millrace"), { recursive: true });
  await pipeline.adopt();
  const adopted = await pipeline.record();
  expect(adopted?.epoch).toBe(before?.epoch);
  expect(adopted?.parts).toEqual(before?.parts);
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "u"]);

  await pipeline.write({ sink: { type: "discard" } });
  await using none = pipeline.command("state adopt");
  await expectRefusal(none, { code: "USAGE", says: /type discard keeps no record/, hint: /help/ });
});

/** The sink is one that two processes can have open. */
test("what changes a state refuses while a run has it, unless that is fenced off", async () => {
  await using db = await filled();
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  const run = pipeline.run();
  await pipeline.untilStreaming(["t", "u"]);
  for (const [action, ...args] of [["adopt"], ["reset", "all"], ["export", pipeline.path("a")]] as const) {
    await using refused = pipeline.command(`state ${action}`, args);
    await expectRefusal(refused, { code: "CHECKPOINT_LOCKED", says: new RegExp(`process ${run.pid}`), hint: /Stop/ });
  }
  await using reset = pipeline.command("state reset", ["public.t", "--take-over"]);
  await done(reset);
  await db.query("INSERT INTO t VALUES (1000, 'more')");
  await expectRefusal(run, { code: "FENCED", says: /taken (it )?over/, hint: /one copy/ });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "u"]);
});

test("a run takes over from one that lives, which ends", async () => {
  await using db = await filled();
  await using pipeline = await testPipeline(db, {
    sink: { type: "parquet" },
    pipeline: { "checkpoint.store": sharedRedisUrl() },
  });
  const first = pipeline.run();
  await pipeline.untilStreaming(["t", "u"]);
  await using refused = pipeline.run();
  await expectRefusal(refused, { code: "CHECKPOINT_LOCKED", says: new RegExp(`process ${first.pid}`), hint: /Stop/ });
  await using second = pipeline.run(["--until", "caught-up", "--take-over"]);
  // Though it has no row to deliver; its slot is what the second waits for. An epoch that only moves its position may be refused before.
  const says = /taken over the checkpoint in redis|gone on without this run/;
  await expectRefusal(first, { code: "FENCED", says, hint: /one copy/ });
  await done(second);
  await pipeline.expectEqual(["t", "u"]);
});
