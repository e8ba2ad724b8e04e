import { expect, test } from "vitest";
import { tableId } from "../../src/core/table-schema.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import type { MillraceProcess } from "../support/millrace-process.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkload } from "../support/workload.ts";

/** A stop waits five seconds for the end of a transaction; a busy machine needs some more. */
const SECONDS_MS = 15_000;

test("SIGTERM in the middle of the snapshot ends with 0, and the next run goes on from there", async () => {
  await using db = await createDatabase();
  await using workload = await createWorkload(db, {
    seed: 8,
    rows: 4_000,
    writers: 2,
    longStatements: 50,
    statementsPerSecond: 500,
  });
  await using pipeline = await testPipeline(db);
  workload.start();
  // Of forty and more: most of the table is left, whatever the machine does.
  const run = pipeline.run([], { MILLRACE_FAILPOINT: "snapshot.chunk-entered:10=SIGTERM" });
  expect(await run.exit(SECONDS_MS), run.output).toEqual({ code: 0, signal: null });
  expect((await pipeline.status()).state.kind).toBe("stopped");
  await workload.stop();
  const states = await Promise.all(workload.tables.map((table) => pipeline.tableState(table)));
  expect(states.map((state) => state?.kind)).toContain("snapshotting");

  await pipeline.catchUp();
  expect(await pipeline.differences(workload.tables)).toEqual([]);
});

test("SIGINT under load ends with 130, and nothing is lost", async () => {
  await using db = await createDatabase();
  await using workload = await createWorkload(db, {
    seed: 9,
    rows: 300,
    writers: 2,
    longStatements: 50,
    statementsPerSecond: 500,
  });
  await using pipeline = await testPipeline(db);
  workload.start();
  const run = pipeline.run();
  await pipeline.untilStreaming(workload.tables);
  run.signal("SIGINT");
  expect(await run.exit(SECONDS_MS), run.output).toEqual({ code: 130, signal: null });
  await workload.stop();

  await pipeline.catchUp();
  expect(await pipeline.differences(workload.tables)).toEqual([]);
});

test("a signal before anything is delivered ends the run as well", async () => {
  await using db = await createDatabase();
  await db.query("CREATE TABLE letters (id int PRIMARY KEY); INSERT INTO letters VALUES (1)");
  await using pipeline = await testPipeline(db);
  const writer = await db.client();
  await writer.query("BEGIN; INSERT INTO letters VALUES (2)");
  const run = pipeline.run();
  // The slot cannot be made before that transaction is over.
  await run.untilOutput(/replication slot waits for open transactions/);
  run.signal("SIGTERM");
  expect(await run.exit(SECONDS_MS), run.output).toEqual({ code: 0, signal: null });
  await writer.query("COMMIT");

  await pipeline.catchUp();
  expect(await pipeline.differences(["letters"])).toEqual([]);
});

test("SIGTERM in the middle of a big transaction ends with 0, and the transaction comes with the next run", async () => {
  await expectEqualAfterStop(async (run) => {
    run.signal("SIGTERM");
    expect(await run.exit(SECONDS_MS), run.output).toEqual({ code: 0, signal: null });
  });
});

test("a second signal ends at once, and nothing is lost", async () => {
  await expectEqualAfterStop(async (run) => {
    run.signal("SIGTERM");
    await run.untilOutput(/ stopping$/m);
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 143, signal: null });
    expect(run.stdout).toMatch(/interrupted after/);
  });
});

const BIG_ROWS = 60_000;
/** So slow that the transaction takes longer to arrive than a stop waits for its end. */
const BYTES_PER_SECOND = 600_000;

async function expectEqualAfterStop(stop: (run: MillraceProcess) => Promise<void>): Promise<void> {
  await using db = await createDatabase();
  await db.query("CREATE TABLE letters (id int PRIMARY KEY, body text); INSERT INTO letters VALUES (0, 'first')");
  await using proxy = await startProxy(db);
  const { user, password, database } = db;
  await using pipeline = await testPipeline({ host: proxy.host, port: proxy.port, user, password, database });
  const run = pipeline.run();
  await pipeline.untilStreaming(["letters"]);
  proxy.throttle(BYTES_PER_SECOND);
  await fill(db);
  await waitFor("the sink to have some of the transaction", async () => (await changes(pipeline)) > 0);
  await stop(run);
  expect(await changes(pipeline)).toBeLessThan(BIG_ROWS);
  proxy.throttle(Number.POSITIVE_INFINITY);

  await pipeline.catchUp();
  expect(await pipeline.differences(["letters"])).toEqual([]);
}

async function fill(db: TestDatabase): Promise<void> {
  await db.query(
    `INSERT INTO letters SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, ${BIG_ROWS}) i;
     UPDATE letters SET body = 'another' WHERE id % 100 = 0`,
  );
}

/** Rows that the log has delivered, as the run tells it once a second. */
async function changes(pipeline: TestPipeline): Promise<number> {
  return (await pipeline.status()).state.facts.tables.get(tableId("public", "letters"))?.changes ?? 0;
}
