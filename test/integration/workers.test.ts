import { readdirSync, renameSync, symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { createLargeTable } from "../support/large-table.ts";
import type { MillraceProcess } from "../support/millrace-process.ts";
import { createDatabase } from "../support/postgres.ts";
import type { PrivateRedis } from "../support/private-redis.ts";
import { startProxy } from "../support/proxy.ts";
import { redisBytes } from "../support/redis-command.ts";
import { startPrivateRedis } from "../support/redis.ts";
import { createBucket } from "../support/s3.ts";
import { type PipelineChoices, testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn } from "../support/test-server.ts";
import { DEADLINE_MS, waitFor } from "../support/wait-for.ts";
import { createWorkload, type Workload } from "../support/workload.ts";

const DONE = { code: 0, signal: null };
/** A worker that says nothing for three seconds loses its chunks. */
const ONE_AT_A_TIME = ["--concurrency", "1", "--lease", "3"] as const;
const STAGING = "./staging";
/** Of the large table: `npm run chaos -- workers --rows 5000000`. */
const ROWS = Number(process.env["MILLRACE_WORKERS_ROWS"] ?? 20_000);

function choices(redis: PrivateRedis, more: PipelineChoices = {}): PipelineChoices {
  const pipeline = { "checkpoint.store": redis.url, "snapshot.executor": "bullmq", staging: STAGING };
  return { ...more, pipeline: { ...pipeline, ...more.pipeline } };
}

/** Some seventy chunks, under writers that leave time for others. */
function writers(db: Parameters<typeof createWorkload>[0], seed: number): Promise<Workload> {
  return createWorkload(db, { seed, rows: 1500, writers: 2, longStatements: 20, statementsPerSecond: 200 });
}

/** A worker that is ready, and frozen or killed behind so many batches that it has staged. */
async function worker(pipeline: TestPipeline, failpoint?: string): Promise<MillraceProcess> {
  const env = failpoint === undefined ? {} : { MILLRACE_FAILPOINT: `worker.batch-staged:${failpoint}` };
  const process = pipeline.command("worker", ONE_AT_A_TIME, env);
  await process.untilOutput(/waiting for chunks/);
  return process;
}

/** How many chunks it has read; it ends in good order. */
async function chunksOf(process: MillraceProcess): Promise<number> {
  process.signal("SIGTERM");
  expect(await process.exit(), process.output).toEqual(DONE);
  return Number(/in ([\d,]+) chunks?$/m.exec(process.stdout)?.[1]?.replaceAll(",", ""));
}

async function ended(run: MillraceProcess): Promise<void> {
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual(DONE);
}

/** The tables stream, and the sink has what the source has. */
async function expectEqual(pipeline: TestPipeline, workload: Workload, run: MillraceProcess): Promise<void> {
  await pipeline.untilStreaming(workload.tables);
  await workload.stop();
  await ended(run);
  await pipeline.catchUp();
  expect(await pipeline.differences(workload.tables)).toEqual([]);
}

/** Files that workers have left and nobody has taken. */
function staged(pipeline: TestPipeline): readonly string[] {
  return readdirSync(pipeline.path(STAGING), { recursive: true, encoding: "utf8" }).filter((name) =>
    /-chunks\/\d+-\d+-/.test(name),
  );
}

test("two workers read a snapshot under writers, and the sink has what the source has", async () => {
  await using db = await createDatabase();
  await using workload = await writers(db, 1);
  await using redis = await startPrivateRedis({ kind: "redis8" });
  await using pipeline = await testPipeline(db, choices(redis));
  workload.start();
  await using first = await worker(pipeline);
  await using second = await worker(pipeline);
  const run = pipeline.run();
  await expectEqual(pipeline, workload, run);
  expect(await chunksOf(first)).toBeGreaterThan(10);
  second.signal("SIGINT");
  expect(await second.exit()).toEqual({ code: 130, signal: null });
  expect(second.stdout).toMatch(/stopped, having read [\d,]+ rows in \d\d chunks/);
  expect(staged(pipeline)).toEqual([]);
});

test("the same of MySQL, with a Valkey and a bucket in between", async () => {
  await using db = await createDatabaseOn("mysql");
  await using workload = await writers(db, 1);
  await using redis = await startPrivateRedis({ kind: "valkey" });
  await using bucket = await createBucket();
  const { endpoint, credentials } = bucket.options();
  const staging = {
    staging: `s3://${bucket.name}/staging`,
    "staging.s3.endpoint": endpoint!,
    "staging.s3.access-key-id": JSON.stringify(credentials!.accessKeyId),
    "staging.s3.secret-access-key": JSON.stringify(credentials!.secretAccessKey),
  };
  await using pipeline = await testPipeline(db, choices(redis, { chunkRows: 500, pipeline: staging }));
  workload.start();
  await using first = await worker(pipeline);
  await using second = await worker(pipeline);
  const run = pipeline.run();
  await expectEqual(pipeline, workload, run);
  expect(await chunksOf(first)).toBeGreaterThan(3);
  expect(await chunksOf(second)).toBeGreaterThan(3);
  expect(await bucket.names()).toEqual([]);
});

test("a worker that is killed, and one that sleeps until another has its chunk, cost time and no row", async () => {
  await using db = await createDatabase();
  await using workload = await writers(db, 2);
  await using redis = await startPrivateRedis({ kind: "redis8" });
  await using pipeline = await testPipeline(db, choices(redis));
  workload.start();
  await using killed = await worker(pipeline, "2");
  await using asleep = await worker(pipeline, "2=SIGSTOP");
  const run = pipeline.run();
  expect((await killed.exit()).signal).toBe("SIGKILL");
  await asleep.untilFrozen();
  await using late = await worker(pipeline);
  await late.untilOutput(/a chunk's worker was lost[^]*a chunk's worker was lost/);
  await pipeline.untilStreaming(workload.tables);
  asleep.signal("SIGCONT");
  await asleep.untilOutput(/too late, another worker has it/);
  await expectEqual(pipeline, workload, run);
  expect(run.stderr).toContain("a chunk's worker was lost");
  expect(await chunksOf(late)).toBeGreaterThan(20);
  expect(await chunksOf(asleep)).toBe(1);
  expect(staged(pipeline)).toEqual([]);
});

test("of three workers one is killed, one stands still for long and one comes late, and a large table is read under a writer", async () => {
  await using db = await createDatabase();
  await using large = await createLargeTable(db, ROWS, 6);
  await using redis = await startPrivateRedis({ kind: "redis8" });
  await using pipeline = await testPipeline(db, choices(redis, { chunkRows: ROWS / 200, parallelism: 6 }));
  await using killed = await worker(pipeline, "3");
  await using asleep = await worker(pipeline, "3=SIGSTOP");
  large.start();
  const run = pipeline.run();
  expect((await killed.exit()).signal).toBe("SIGKILL");
  await asleep.untilFrozen();
  await using late = await worker(pipeline);
  await late.untilOutput(/a chunk's worker was lost[^]*a chunk's worker was lost/);
  await late.untilOutput(/(rows in[^]*){10}/);
  asleep.signal("SIGCONT");
  await asleep.untilOutput(/too late, another worker has it/);
  await pipeline.untilStreaming([large.name], DEADLINE_MS + ROWS / 2);
  await large.stop();
  await ended(run);
  await pipeline.catchUp(DEADLINE_MS + ROWS / 2);
  expect(run.stderr).not.toContain("MaxListeners");
  expect(await large.differences(pipeline)).toEqual([]);
  expect(large.changes).toBeGreaterThan(100);
  expect(await chunksOf(late)).toBeGreaterThan(10);
  expect(await chunksOf(asleep)).toBeGreaterThan(1);
  expect(staged(pipeline)).toEqual([]);
});

test("a worker without Redis, one without the source and one without the staging area hold nobody up", async () => {
  await using db = await createDatabase();
  await using workload = await writers(db, 3);
  await using redis = await startPrivateRedis({ kind: "redis7" });
  await using redisProxy = await startProxy(redis);
  await using sourceProxy = await startProxy(db);
  const more = { parallelism: 4 };
  await using pipeline = await testPipeline(db, choices(redis, more));
  const proxied = `redis://${redisProxy.host}:${redisProxy.port}`;
  await pipeline.write(choices(redis, { ...more, pipeline: { "checkpoint.store": proxied } }));
  await using noRedis = await worker(pipeline, "2=SIGSTOP");
  const source = { port: String(sourceProxy.port), "connect.max-retries": "0" };
  await pipeline.write(choices(redis, { ...more, source }));
  await using noSource = await worker(pipeline, "2=SIGSTOP");
  const door = pipeline.path("door");
  symlinkSync(pipeline.path("."), door);
  await pipeline.write(choices(redis, { ...more, pipeline: { staging: "./door/staging" } }));
  await using noStaging = await worker(pipeline, "2=SIGSTOP");
  await pipeline.write(choices(redis, more));
  workload.start();
  const run = pipeline.run();
  await Promise.all([noRedis, noSource, noStaging].map((cut) => cut.untilFrozen()));
  for (const proxy of [redisProxy, sourceProxy]) {
    proxy.refuse(true);
    proxy.cut();
  }
  renameSync(door, `${door}-closed`);
  for (const cut of [noRedis, noSource, noStaging]) cut.signal("SIGCONT");
  await noSource.untilOutput(/failed: [A-Z_]*(CONNECT|UNREACHABLE|LOST)/);
  await noStaging.untilOutput(/failed: STAGING_FAILED: .*STORE_MISSING/);
  await using whole = await worker(pipeline);
  await pipeline.untilStreaming(workload.tables);
  for (const proxy of [redisProxy, sourceProxy]) proxy.refuse(false);
  await noRedis.untilOutput(/too late, another worker has it/);
  renameSync(`${door}-closed`, door);
  await expectEqual(pipeline, workload, run);
  expect(await chunksOf(whole)).toBeGreaterThan(20);
  for (const cut of [noRedis, noSource, noStaging]) await chunksOf(cut);
  expect(staged(pipeline)).toEqual([]);
});

test("a run without workers says what it waits for, and what waits in the queue holds no secret", async () => {
  await using db = await createDatabase();
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
  await db.query("INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 1000) g");
  await db.query("CREATE TABLE keyless (v text); ALTER TABLE keyless REPLICA IDENTITY FULL");
  await db.query("INSERT INTO keyless SELECT 'row ' || g FROM generate_series(1, 1000) g");
  await using redis = await startPrivateRedis({ kind: "redis8", password: "a secret of the queue" });
  await using pipeline = await testPipeline(db, choices(redis));
  const run = pipeline.run();
  await run.untilOutput(/waiting for workers: none is there to read chunks; start `millrace worker /);
  await waitFor("the status to say it", async () =>
    (await pipeline.status()).state.facts.waitingOn?.startsWith("workers"),
  );
  // The run reads it itself.
  await pipeline.untilStreaming(["keyless"]);
  expect(await workersOf(pipeline)).toMatchObject({ kind: "reachable", workers: [], leases: [] });
  const waiting = await contents(redis);
  expect(waiting).toMatch(/"grant".*"range"/s);
  await using frozen = await worker(pipeline, "1=SIGSTOP");
  await frozen.untilFrozen();
  expect(await workersOf(pipeline)).toMatchObject({
    workers: [expect.stringMatching(new RegExp(`-${frozen.pid}$`))],
    leases: [{ table: "public.t", attempt: 1, workersLost: 0, worker: expect.stringMatching(/\w/) }],
  });
  await run.untilOutput(
    /waiting for workers: those that have begun chunks are not heard of; start another `millrace w/,
  );
  expect(await workersOf(pipeline)).toMatchObject({ leases: [{ table: "public.t", silent: true }] });
  const read = await contents(redis);
  for (const held of [waiting, read]) {
    for (const secret of ["a secret of the queue", encodeURIComponent("a secret of the queue"), db.password])
      expect(held.includes(secret)).toBe(false);
    expect(held).not.toMatch(/row \d/);
  }
  frozen.signal("SIGCONT");
  await waitFor("its end", async () => (await pipeline.tableState("t"))?.kind === "streaming");
  await waitFor(
    "the status to say that it goes on",
    async () => (await pipeline.status()).state.facts.waitingOn === null,
  );
  await ended(run);
  expect(await pipeline.differences(["t", "keyless"])).toEqual([]);
  expect(await chunksOf(frozen)).toBeGreaterThan(5);
  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual(DONE);
  expect(await redis.command<string[]>("KEYS", "*")).toEqual([]);
});

/** What the status says of them. */
async function workersOf(pipeline: TestPipeline): Promise<unknown> {
  await using status = pipeline.command("status", ["--json"]);
  await status.exit();
  return (JSON.parse(status.stdout) as { workers: unknown }).workers;
}

/** All that a server holds, as it was written. */
async function contents(redis: PrivateRedis): Promise<string> {
  const script = `local all = {}
    for _, key in ipairs(redis.call('KEYS', '*')) do
      table.insert(all, key)
      local type = redis.call('TYPE', key).ok
      if type == 'hash' then for _, value in ipairs(redis.call('HGETALL', key)) do table.insert(all, value) end
      elseif type == 'string' then table.insert(all, redis.call('GET', key))
      elseif type == 'stream' then
        for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
          for _, value in ipairs(entry[2]) do table.insert(all, value) end
        end
      end
    end
    return all`;
  return Buffer.concat(await redisBytes(redis, "EVAL", script, "0")).toString();
}

test("a Redis that restarts is waited for, by the run and by its workers", async () => {
  await using db = await createDatabase();
  await using workload = await writers(db, 5);
  await using redis = await startPrivateRedis({
    kind: "redis8",
    config: { appendonly: "yes", appendfsync: "always" },
  });
  await using pipeline = await testPipeline(db, choices(redis));
  await using reading = await worker(pipeline);
  workload.start();
  const run = pipeline.run();
  await reading.untilOutput(/(rows in[^]*){8}/);
  await redis.kill();
  await run.untilOutput(/waiting for the checkpoint store/);
  await redis.start();
  await expectEqual(pipeline, workload, run);
  expect(await chunksOf(reading)).toBeGreaterThan(20);
  expect(staged(pipeline)).toEqual([]);
});

test("the run after one that was killed discards its queue, and goes on from the checkpoint", async () => {
  await using db = await createDatabase();
  await using workload = await writers(db, 4);
  await using redis = await startPrivateRedis({ kind: "redis8", config: { appendonly: "yes" } });
  await using pipeline = await testPipeline(db, choices(redis));
  await using asleep = await worker(pipeline, "3=SIGSTOP");
  await using other = await worker(pipeline, "20=SIGSTOP");
  workload.start();
  await using first = pipeline.run();
  // What the last of them has staged nobody takes: no worker is left to tell of it, nor to read it again.
  await Promise.all([asleep.untilFrozen(), other.untilFrozen()]);
  await waitFor("a table to be half read", async () => {
    const states = await Promise.all(workload.tables.map((table) => pipeline.tableState(table)));
    return states.some((state) => state?.kind === "snapshotting" && (state.progress?.rows ?? 0) >= 10);
  });
  // The newest epoch may be in the store alone.
  const { epoch } = (await pipeline.record())!;
  await waitFor("an epoch behind the next", async () => (await pipeline.record())!.epoch > epoch + 1);
  first.signal("SIGKILL");
  expect((await first.exit()).signal).toBe("SIGKILL");
  expect(staged(pipeline)).not.toEqual([]);
  const run = pipeline.run();
  await run.untilOutput(/resuming after epoch/);
  await run.untilOutput(/snapshot goes on behind \d\d+ rows/);
  other.signal("SIGCONT");
  await pipeline.untilStreaming(workload.tables);
  asleep.signal("SIGCONT");
  await asleep.untilOutput(/too late, another worker has it or nobody wants it any more/);
  await expectEqual(pipeline, workload, run);
  await chunksOf(other);
  await chunksOf(asleep);
  expect(staged(pipeline)).toEqual([]);
});
