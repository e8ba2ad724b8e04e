import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import type { MillraceProcess } from "../support/millrace-process.ts";
import type { PrivateRedis } from "../support/private-redis.ts";
import { startPrivateRedis } from "../support/redis.ts";
import { type PipelineChoices, testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn } from "../support/test-server.ts";
import { createWorkload, type Workload } from "../support/workload.ts";

const DONE = { code: 0, signal: null };
/** A worker that says nothing for three seconds loses its chunks. */
const ONE_AT_A_TIME = ["--concurrency", "1", "--lease", "3"] as const;
const STAGING = "./staging";

function choices(redis: PrivateRedis, more: PipelineChoices = {}): PipelineChoices {
  const pipeline = { "checkpoint.store": redis.url, "snapshot.executor": "bullmq", staging: STAGING };
  return { ...more, pipeline: { ...pipeline, ...more.pipeline } };
}

/** A few hundred chunks, under writers that leave time for others. */
function writers(db: Parameters<typeof createWorkload>[0], seed: number): Promise<Workload> {
  return createWorkload(db, { seed, rows: 2500, writers: 2, longStatements: 20, statementsPerSecond: 200 });
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
    /-chunks\/./.test(name),
  );
}

test.each(["postgres", "mysql"] as const)("two workers read a snapshot of %s under writers", async (server) => {
  await using db = await createDatabaseOn(server);
  await using workload = await writers(db, 1);
  await using redis = await startPrivateRedis({ kind: server === "mysql" ? "valkey" : "redis8" });
  await using pipeline = await testPipeline(db, choices(redis));
  workload.start();
  await using first = await worker(pipeline);
  await using second = await worker(pipeline);
  const run = pipeline.run();
  await expectEqual(pipeline, workload, run);
  expect(await chunksOf(first)).toBeGreaterThan(10);
  expect(await chunksOf(second)).toBeGreaterThan(10);
  expect(staged(pipeline)).toEqual([]);
});
