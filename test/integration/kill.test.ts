import { basename } from "node:path";
import { expect, test } from "vitest";
import { FAILPOINTS, type Failpoint } from "../../src/core/ambient.ts";
import { STAGED_SUFFIX } from "../../src/stores/object-key.ts";
import { stagedFiles } from "../support/lake.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { sharedRedisUrl } from "../support/redis.ts";
import { createTally } from "../support/tally.ts";
import { type AnyDatabase, createDatabaseOn } from "../support/test-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkload, type Workload } from "../support/workload.ts";

const KILLED = { code: null, signal: "SIGKILL" } as const;

type Times = Partial<Record<Failpoint, number>>;

/**
 * One pipeline for each of these: a run is killed at every failpoint of the part, one after the other, and the next goes on.
 * The number says at which time it kills: of the first so late that there is something to lose, and in the snapshot still.
 */
const PARTS: Readonly<Record<string, Times>> = {
  snapshot: {
    "snapshot.table-planned": 1,
    "snapshot.chunk-opened": 5,
    "snapshot.chunk-read": 5,
    "snapshot.chunk-entered": 5,
  },
  engine: {
    "engine.epoch-closing": 4,
    "engine.record-stored": 2,
    "engine.sink-committed": 2,
    "engine.acknowledged": 2,
    "engine.recovered": 1,
  },
  // The base is written when a run claims the store; the other occasion has a test of its own.
  checkpoint: { "checkpoint.file-written": 4, "checkpoint.file-renamed": 2, "checkpoint.base-written": 1 },
  // A record that reached the store alone is replaced by the next run, for which its parts are staged.
  redis: { "engine.record-stored": 3, "checkpoint.redis-staged": 1, "checkpoint.redis-written": 4 },
  // Only the first of them has tables to begin.
  sink: { "sink.table-begun": 2, "sink.changes-applied": 3, "sink.record-written": 2, "sink.schema-applied": 1 },
};

/** Nothing of the kind is made on other servers. */
const POSTGRES_ALONE = { "source.publication-created": 1, "source.slot-created": 1 } as const;

/** The same steps of a sink that stages: what it has written lies there, decided or not, when it is killed. */
const STAGED: Times = {
  "sink.table-begun": 3,
  "sink.files-staged": 3,
  "sink.changes-applied": 3,
  "sink.record-written": 2,
  "sink.file-completed": 5,
  "sink.schema-applied": 1,
};

const SERVERS = ["postgres", "mysql", "mariadb"] as const;

const cases = SERVERS.flatMap((server) =>
  Object.entries({ ...(server === "postgres" && { source: POSTGRES_ALONE }), ...PARTS }).map(([part, times]) => ({
    server,
    part,
    times,
  })),
);

/** What these do is the same whatever the source: on other servers only what lies between staging and the end. */
const BETWEEN: Times = { "sink.files-staged": 3, "sink.record-written": 2, "sink.file-completed": 5 };

const stagedCases = [
  { server: "postgres", part: "sink", times: STAGED },
  { server: "postgres", part: "engine", times: PARTS["engine"]! },
  { server: "mysql", part: "sink", times: BETWEEN },
  { server: "mariadb", part: "sink", times: BETWEEN },
] as const;

/** No run comes to them: workers.test.ts kills there. */
const OF_WORKERS = FAILPOINTS.filter((failpoint) => failpoint.startsWith("worker."));

test("every failpoint kills", () => {
  const ofRuns = Object.values({ POSTGRES_ALONE, STAGED, ...PARTS }).flatMap((times) => Object.keys(times));
  const killing = [...ofRuns, ...OF_WORKERS];
  expect([...new Set(killing)].toSorted()).toEqual(FAILPOINTS.toSorted());
});

test.each(cases)(
  "processes killed at each failpoint of the $part lose nothing ($server)",
  async ({ server, part, times }) => {
    await using db = await createDatabaseOn(server);
    await using workload = await createWorkload(db, {
      seed: 5,
      rows: 600,
      writers: 2,
      longStatements: 50,
      statementsPerSecond: 300,
    });
    const store = part === "redis" ? { "checkpoint.store": sharedRedisUrl() } : {};
    await using pipeline = await testPipeline(db, { checkpointInterval: "50ms", pipeline: store });
    workload.start();
    await killAtEach(pipeline, db, workload, times);
    await workload.stop();

    await pipeline.catchUp();
    expect(await pipeline.differences(workload.tables)).toEqual([]);
  },
);

test.each(stagedCases)(
  "processes killed at each failpoint of the $part have every change once in Parquet files ($server)",
  async ({ server, times }) => {
    await using db = await createDatabaseOn(server);
    await using workload = await createWorkload(db, {
      seed: 6,
      rows: 600,
      writers: 1,
      longStatements: 50,
      statementsPerSecond: 300,
    });
    await using tally = await createTally(db, 6);
    await using pipeline = await testPipeline(db, { checkpointInterval: "50ms", sink: { type: "parquet" } });
    workload.start();
    tally.start();
    await killAtEach(pipeline, db, workload, times);
    await Promise.all([workload.stop(), tally.stop()]);

    await pipeline.catchUp();
    expect(await pipeline.differences([...workload.tables, ...tally.tables])).toEqual([]);
    await using log = await pipeline.openLog();
    expect(await log.workloadFaults()).toEqual([]);
    expect(await log.tallyFaults()).toEqual([]);
  },
);

/** A run is killed at each of these, one after the other, while the workload goes on. */
async function killAtEach(pipeline: TestPipeline, db: AnyDatabase, workload: Workload, times: Times): Promise<void> {
  for (const [failpoint, time] of Object.entries(times)) {
    const run = pipeline.run([], { MILLRACE_FAILPOINT: `${failpoint}:${time}` });
    const altered = failpoint === "sink.schema-applied" ? alter(db) : null;
    const [exit] = await Promise.all([run.exit(60_000), altered]);
    expect(exit, `${failpoint}\n${run.output}`).toEqual(KILLED);
    await workload.untilCommitted(20);
  }
}

async function alter(db: AnyDatabase): Promise<void> {
  await db.query("ALTER TABLE orders ADD COLUMN origin varchar(20) DEFAULT 'before'");
}

test("an epoch that was staged and recorded is committed by the next run, and nothing of it is read again", async () => {
  await using db = await createDatabase();
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  await pipeline.catchUp();
  await db.query("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 500) i");
  // The first epoch of a run is its claim.
  const run = pipeline.run([], { MILLRACE_FAILPOINT: "engine.record-stored:2" });
  expect(await run.exit(), run.output).toEqual(KILLED);
  const files = (await stagedFiles(pipeline.lake)).map((path) => basename(path, STAGED_SUFFIX));
  expect(files.length).toBeGreaterThan(0);

  await using next = pipeline.run(["--until", "caught-up"]);
  expect(await next.exit(), next.output).toEqual({ code: 0, signal: null });
  expect(next.stderr).toMatch(/"store":"committed-again".*"recovered"/);
  await using log = await pipeline.openLog();
  const wrote = "SELECT DISTINCT parse_filename(filename) FROM $t WHERE _op = 'c'";
  expect(new Set((await log.rows(wrote)).flat())).toEqual(new Set(files));
  expect(await log.rows("SELECT count(*)::int, count(DISTINCT id)::int FROM $t WHERE _op = 'c'")).toEqual([[500, 500]]);
  await pipeline.expectEqual(["t"]);
});

/** The first base is that of the start; the second is written behind 64 epochs. */
test("a process killed when the checkpoint's files are replaced by one loses nothing", async () => {
  await using db = await createDatabase();
  await using workload = await createWorkload(db, {
    seed: 5,
    rows: 100,
    writers: 1,
    longStatements: 10,
    statementsPerSecond: 500,
  });
  // Epochs end with every few transactions.
  await using pipeline = await testPipeline(db, { pipeline: { "checkpoint.max-rows": "30" } });
  workload.start();
  const run = pipeline.run([], { MILLRACE_FAILPOINT: "checkpoint.base-written:2" });
  expect(await run.exit(60_000), run.output).toEqual(KILLED);
  await workload.stop();

  await pipeline.write({});
  await pipeline.catchUp();
  expect(await pipeline.differences(workload.tables)).toEqual([]);
});

test("chunks that were committed are not read again after a kill", async () => {
  const rows = 30_000;
  await using db = await createDatabase();
  await db.query(
    `CREATE TABLE words (word text COLLATE "en-x-icu" PRIMARY KEY, length int);
     INSERT INTO words SELECT md5(i::text), i % 9 FROM generate_series(1, ${rows}) i`,
  );
  // So that planning, which walks the index, does not have to look at the rows.
  await db.query("VACUUM ANALYZE words");
  await using pipeline = await testPipeline(db, {
    checkpointInterval: "50ms",
    pipeline: { "checkpoint.max-rows": "1000" },
  });
  // Of three hundred. Epochs are short and small, so that many of them are committed by then.
  const run = pipeline.run([], { MILLRACE_FAILPOINT: "snapshot.chunk-entered:200" });
  expect(await run.exit(), run.output).toEqual(KILLED);
  const state = await pipeline.committedState("words");
  const done = state?.kind === "snapshotting" ? (state.progress?.rows ?? 0) : 0;
  expect(done).toBeGreaterThan(0);
  const before = await rowsRead(db, pipeline);

  await pipeline.catchUp();
  const read = (await rowsRead(db, pipeline)) - before;
  expect(read).toBeGreaterThanOrEqual(rows - done);
  // What planning looks up may come on top; what was done is at least as much again.
  expect(read).toBeLessThan((rows - done) * 1.1);
  expect(await pipeline.differences(["words"])).toEqual([]);
});

/** Rows of `words` that the server's sessions have fetched, when all those of the pipeline are over. */
async function rowsRead(db: TestDatabase, pipeline: TestPipeline): Promise<number> {
  await waitFor("the pipeline's sessions to end", async () => {
    const left = await db.query("SELECT FROM pg_stat_activity WHERE application_name LIKE $1", [`%${pipeline.name}`]);
    return left.length === 0;
  });
  const [found] = await db.query<{ read: number }>(
    "SELECT (seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_user_tables WHERE relname = 'words'",
  );
  return found?.read ?? 0;
}

test("a table that was emptied to be read again, by a run that was killed then, is read by a plain run", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await db.query("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 300)");
  await pipeline.catchUp();
  const run = pipeline.run(["--resnapshot", "public.t"], { MILLRACE_FAILPOINT: "sink.table-begun" });
  expect(await run.exit(), run.output).toEqual(KILLED);
  await pipeline.catchUp();
  expect(await pipeline.differences(["t"])).toEqual([]);
});
