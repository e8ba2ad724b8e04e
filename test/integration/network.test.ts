import { expect, test } from "vitest";
import { ERROR_CODES } from "../../src/core/error-codes.ts";
import type { MillraceProcess } from "../support/millrace-process.ts";
import { TestMysqlDatabase } from "../support/mysql.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { type AnyDatabase, createDatabaseOn } from "../support/test-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkload } from "../support/workload.ts";

const EACH = ["postgres", "mysql", "mariadb"] as const;
/** A stop waits five seconds for the end of a transaction; a busy machine needs some more. */
const STOP_MS = 15_000;

function behind(proxy: Proxy, db: AnyDatabase, retries: number): Promise<TestPipeline> {
  const source = { hostname: proxy.host, port: String(proxy.port), "connect.max-retries": String(retries) };
  return testPipeline(db, { source, checkpointInterval: "50ms" });
}

/** Bytes by which the connections of a run break: in the first greeting, in every stage behind it, and so on to its end. */
const FIRST_BYTES = 50;
const GROWTH = 15;

/** Without another attempt it is the contract that the run ends; with one, the next test holds it. */
test.each(EACH)("a run that breaks off at any byte says so, and the next one goes on (%s)", async (server) => {
  await using db = await createDatabaseOn(server);
  await using workload = await createWorkload(db, {
    seed: 6,
    rows: 300,
    writers: 1,
    longStatements: 20,
    statementsPerSecond: 500,
  });
  await using proxy = await startProxy(db);
  await using pipeline = await behind(proxy, db, 0);
  workload.start();
  let breaks = 0;
  for (let bytes = FIRST_BYTES; ; bytes *= GROWTH) {
    proxy.cutAfter(Math.round(bytes));
    const run = pipeline.run(["--until", "caught-up"]);
    const { code } = await run.exit();
    if (code === 0) break;
    breaks += 1;
    const [, found] = /^error ([A-Z_]+): /m.exec(run.stderr) ?? [];
    expect(found, run.output).toMatch(/^SOURCE_(CONNECTION_LOST|UNREACHABLE)$/);
    expect(code).toBe(ERROR_CODES[found as "SOURCE_CONNECTION_LOST"].exit);
  }
  await workload.stop();
  expect(breaks).toBeGreaterThan(3);
  proxy.cutAfter(Number.POSITIVE_INFINITY);
  await pipeline.catchUp();
  expect(await pipeline.differences(workload.tables)).toEqual([]);
});

test.each(EACH)("a run goes on by itself over cut, killed, stalled and slow connections (%s)", async (server) => {
  await using db = await createDatabaseOn(server);
  await using workload = await createWorkload(db, {
    seed: 7,
    rows: 1_000,
    writers: 2,
    longStatements: 50,
    statementsPerSecond: 500,
  });
  await using proxy = await startProxy(db);
  await using pipeline = await behind(proxy, db, 5);
  workload.start();
  const run = pipeline.run();
  await pipeline.untilRows("orders", 100);
  await killSessions(db, proxy);
  await untilTriedAgain(run, 1);
  proxy.stall();
  await workload.untilCommitted(20);
  proxy.resume();
  proxy.throttle(1_000_000);
  await pipeline.untilRows("orders", 300);
  proxy.throttle(Number.POSITIVE_INFINITY);
  proxy.cutAfter(20_000);
  await untilTriedAgain(run, 2);
  await pipeline.untilStreaming(workload.tables, 60_000);
  // Of an attempt that goes on: between two of them there is nothing to kill.
  await epochs(pipeline, 2);
  await killSessions(db, proxy);
  await untilTriedAgain(run, 3);
  await epochs(pipeline, 2);
  await workload.stop();
  run.signal("SIGTERM");
  expect(await run.exit(STOP_MS), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  expect(await pipeline.differences(workload.tables)).toEqual([]);
});

async function untilTriedAgain(run: MillraceProcess, times: number): Promise<void> {
  await waitFor(`attempt ${times + 1}`, () => {
    if (run.hasEnded) throw new Error(`the run is over\n${run.output}`);
    return (run.stderr.match(/"trying again"/g)?.length ?? 0) >= times;
  });
}

/** As an administrator would, of all that come through the proxy: whoever asks, plans, reads a chunk, reads the log. */
async function killSessions(db: AnyDatabase, proxy: Proxy): Promise<void> {
  const ports = proxy.serverPorts.join(", ");
  if (!(db instanceof TestMysqlDatabase)) {
    await db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port IN (${ports})`);
    return;
  }
  const sessions = await db.query<{ id: number }>(
    `SELECT id AS id FROM information_schema.processlist WHERE SUBSTRING_INDEX(host, ':', -1) IN (${ports})`,
  );
  expect(sessions.length).toBeGreaterThan(1);
  // One that has ended by itself is unknown.
  for (const { id } of sessions) await db.query(`KILL ${id}`).catch(() => undefined);
}

/** So many more epochs than there are now. */
async function epochs(pipeline: TestPipeline, more: number): Promise<void> {
  const from = (await pipeline.record())?.epoch ?? 0;
  await waitFor(`${more} epochs`, async () => ((await pipeline.record())?.epoch ?? 0) >= from + more);
}

test.each(EACH)(
  "a run that hears nothing any more can be stopped, at its start and in the stream (%s)",
  async (server) => {
    await using db = await createDatabaseOn(server);
    await using workload = await createWorkload(db, {
      seed: 8,
      rows: 300,
      writers: 1,
      longStatements: 20,
      statementsPerSecond: 500,
    });
    await using proxy = await startProxy(db);
    await using pipeline = await behind(proxy, db, 0);
    proxy.stall();
    const first = pipeline.run();
    await first.untilOutput(/inspecting/);
    first.signal("SIGTERM");
    expect(await first.exit(STOP_MS), first.output).toEqual({ code: 0, signal: null });
    proxy.resume();

    workload.start();
    const second = pipeline.run();
    await pipeline.untilStreaming(workload.tables);
    proxy.stall();
    await workload.untilCommitted(50);
    second.signal("SIGTERM");
    expect(await second.exit(STOP_MS), second.output).toEqual({ code: 0, signal: null });
    proxy.resume();
    await workload.stop();
    await pipeline.catchUp();
    expect(await pipeline.differences(workload.tables)).toEqual([]);
  },
);
