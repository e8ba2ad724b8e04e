import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stagedFiles } from "../support/lake.ts";
import type { MillraceProcess } from "../support/millrace-process.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectRefusal } from "../support/refusal.ts";
import { createTally, type Tally } from "../support/tally.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn } from "../support/test-server.ts";
import { waitFor } from "../support/wait-for.ts";

const PARQUET = { sink: { type: "parquet" } } as const;
/** The same pipeline into the same folder, as another machine would run it. */
const ELSEWHERE = { ...PARQUET, pipeline: { "checkpoint.store": "./elsewhere" } };

async function expectOnce(pipeline: TestPipeline, { tables }: Tally): Promise<void> {
  expect(await pipeline.differences(tables)).toEqual([]);
  await using log = await pipeline.openLog();
  expect(await log.tallyFaults()).toEqual([]);
}

async function removeStaged({ lake }: TestPipeline): Promise<void> {
  expect((await stagedFiles(lake)).length).toBeGreaterThan(0);
  await rm(join(lake, ".staged"), { recursive: true });
}

async function slotPosition(db: TestDatabase, { slot }: TestPipeline): Promise<string | undefined> {
  const [found] = await db.query<{ at: string }>(
    "SELECT confirmed_flush_lsn::text AS at FROM pg_replication_slots WHERE slot_name = $1",
    [slot],
  );
  return found?.at;
}

test("what was staged and is removed before its epoch is decided is written anew, by itself", async () => {
  await using db = await createDatabase();
  await using tally = await createTally(db, 1);
  await using pipeline = await testPipeline(db, PARQUET);
  await pipeline.catchUp();
  tally.start();
  await tally.untilSteps(20);
  const run = pipeline.run([], { MILLRACE_FAILPOINT: "engine.record-stored:2=SIGSTOP" });
  await run.untilFrozen();
  await removeStaged(pipeline);
  run.signal("SIGCONT");
  await run.untilOutput(/"code":"SINK_STAGED_LOST".*"trying again"/);
  await run.untilOutput(/"a staged epoch is gone and is written anew"/);
  await tally.untilSteps(20);
  await tally.stop();
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await expectOnce(pipeline, tally);
});

test("what was staged and is removed behind the decision ends the pipeline, and no log is given up for it", async () => {
  await using db = await createDatabase();
  await using tally = await createTally(db, 2);
  await using pipeline = await testPipeline(db, PARQUET);
  await pipeline.catchUp();
  const before = await slotPosition(db, pipeline);
  tally.start();
  await tally.untilSteps(20);
  await tally.stop();
  const killed = pipeline.run([], { MILLRACE_FAILPOINT: "sink.record-written:2" });
  expect(await killed.exit(), killed.output).toEqual({ code: null, signal: "SIGKILL" });
  await removeStaged(pipeline);

  for (let attempt = 0; attempt < 2; attempt++) {
    await using run = pipeline.run();
    await expectRefusal(run, { code: "SINK_FILES_LOST", says: /parquet.*is gone/, hint: /millrace drop/ });
  }
  expect(await slotPosition(db, pipeline)).toBe(before);

  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  expect(await pipeline.differences(tally.tables)).toEqual([]);
});

test("a second daemon with a checkpoint store of its own is refused, and does the first no harm", async () => {
  await using db = await createDatabaseOn("mysql");
  await using tally = await createTally(db, 3);
  await using pipeline = await testPipeline(db, PARQUET);
  tally.start();
  const first = pipeline.run();
  await pipeline.untilStreaming(tally.tables);
  await pipeline.write(ELSEWHERE);
  await using second = pipeline.run();
  await expectRefusal(second, {
    code: "RECOVERY_STORE_EMPTY",
    says: /checkpoint store is empty/,
    hint: /millrace state adopt/,
  });
  await tally.untilSteps(20);
  await tally.stop();
  first.signal("SIGTERM");
  expect(await first.exit(), first.output).toEqual({ code: 0, signal: null });
  await pipeline.write(PARQUET);
  await pipeline.catchUp();
  await expectOnce(pipeline, tally);
});

test("of two daemons that both write one ends fenced, whichever comes later, and nothing is lost or twice", async () => {
  await using db = await createDatabaseOn("mariadb");
  await using tally = await createTally(db, 5);
  // Long enough for the other to claim the sink in between.
  await using pipeline = await testPipeline(db, { ...PARQUET, checkpointInterval: "3s" });
  tally.start();
  const first = pipeline.run();
  await pipeline.untilStreaming(tally.tables);
  // Under one number the server itself would end the first, as MySQL does under any: there a pipeline is one replica.
  await pipeline.write({ ...ELSEWHERE, source: { "server-id": "77001" } });
  await pipeline.adopt();
  const second = pipeline.run();
  const runs = [
    { fenced: first, left: second },
    { fenced: second, left: first },
  ];
  const { fenced, left } = await Promise.race(runs.map((it) => it.fenced.exit().then(() => it)));
  await expectRefusal(fenced, { code: "FENCED", says: /taken over/, hint: /one copy/ });
  await tally.untilSteps(20);
  await tally.stop();
  left.signal("SIGTERM");
  expect(await left.exit(), left.output).toEqual({ code: 0, signal: null });
  if (left === first) await pipeline.write(PARQUET);
  // What the fenced one has left goes with the next run's first epoch.
  tally.start();
  await tally.untilSteps(2);
  await tally.stop();
  await pipeline.catchUp();
  await expectOnce(pipeline, tally);
  expect(await stagedFiles(pipeline.lake)).toEqual([]);
});

/** As it is where its machine was cut off: it knows nothing of the other, and goes on with what it was about. */
test.each(["sink.files-staged", "engine.record-stored", "sink.changes-applied"])(
  "a daemon that was frozen at %s and wakes up behind a takeover ends, and has harmed nothing",
  async (failpoint) => {
    await using db = await createDatabase();
    await using tally = await createTally(db, 4);
    await using pipeline = await testPipeline(db, PARQUET);
    await pipeline.catchUp();
    tally.start();
    await tally.untilSteps(10);
    await using first = pipeline.run([], { MILLRACE_FAILPOINT: `${failpoint}:2=SIGSTOP` });
    await first.untilFrozen();
    await endSender(db, pipeline);
    await pipeline.write(ELSEWHERE);
    await pipeline.adopt();
    await using second = pipeline.run();
    await second.untilOutput(/ running$/m);
    await untilEntries(pipeline, second, 3);

    first.signal("SIGCONT");
    await expectRefusal(first, { code: "FENCED", says: /taken over/, hint: /one copy/ });
    await tally.untilSteps(10);
    await tally.stop();
    second.signal("SIGTERM");
    expect(await second.exit(), second.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    await expectOnce(pipeline, tally);
    expect(await stagedFiles(pipeline.lake)).toEqual([]);
  },
);

/** The server lets one reader have the slot, and does not know that this one stands still. */
async function endSender(db: TestDatabase, { slot }: TestPipeline): Promise<void> {
  await waitFor("the slot to be free", async () => {
    await db.query(
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active",
      [slot],
    );
    const active = await db.query("SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active", [slot]);
    return active.length === 0;
  });
}

/** So many more epochs are decided. */
async function untilEntries({ lake, name }: TestPipeline, run: MillraceProcess, more: number): Promise<void> {
  const newest = async (): Promise<number> => {
    const entries = await readdir(join(lake, "_millrace", name));
    return Math.max(...entries.map((entry) => Number.parseInt(entry, 10)));
  };
  const goal = (await newest()) + more;
  await waitFor(`${more} more epochs`, async () => {
    if (run.hasEnded) throw new Error(run.output);
    return (await newest()) >= goal;
  });
}
