import { readFile } from "node:fs/promises";
import { expect, inject, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectRefusal, expectSecretKept, type Refusal } from "../support/refusal.ts";
import { createBucket, type TestBucket } from "../support/s3.ts";
import { type S3Fault, type S3Operation, type S3FaultProxy, startS3FaultProxy } from "../support/s3-proxy.ts";
import { createTally, type Tally } from "../support/tally.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createWorkload } from "../support/workload.ts";

/** Each of these may have had its effect, and may not. */
const FAULTS: readonly S3Fault[] = (["before", "behind"] as const).flatMap((when) => [
  { kind: "answer", when, status: 500, code: "InternalError" },
  { kind: "answer", when, status: 503, code: "SlowDown" },
  { kind: "reset", when },
  { kind: "silence", when },
]);
const TORN: S3Fault = { kind: "torn" };
const NOT_THERE: S3Fault = { kind: "answer", when: "behind", status: 404, code: "NoSuchUpload" };
const EXPIRED: S3Fault = { kind: "answer", when: "before", status: 403, code: "ExpiredToken" };
/** The answer to HEAD has no body, and cannot say why. */
const DENIED: Refusal = { code: "STORE_DENIED", says: /s3:\/\//, hint: /the right to read/ };
const UNKNOWN = { code: "STORE_CREDENTIALS", hint: /access key and secret/ } as const;
/** What a pipeline under load asks for in every epoch, and what only when it starts. */
const IN_EPOCHS: readonly S3Operation[] = ["create-upload", "part", "list-uploads", "put", "head", "complete"];
const AT_START: readonly S3Operation[] = ["list", "get", "delete"];

interface Setting extends AsyncDisposable {
  readonly db: TestDatabase;
  readonly bucket: TestBucket;
  readonly proxy: S3FaultProxy;
  readonly tally: Tally;
  readonly pipeline: TestPipeline;
}

async function setting(): Promise<Setting> {
  const server = inject("s3");
  const [db, bucket, proxy] = [await createDatabase(), await createBucket(), await startS3FaultProxy(server)];
  const tally = await createTally(db, 7);
  const sink = {
    type: "parquet",
    path: `s3://${bucket.name}/lake`,
    "s3.endpoint": `http://${proxy.host}:${proxy.port}`,
    "s3.access-key-id": JSON.stringify(server.accessKeyId),
    "s3.secret-access-key": JSON.stringify(server.secretAccessKey),
    "s3.request.timeout": "500ms",
    "s3.attempts": "4",
  };
  const pipeline = await testPipeline(db, { sink });
  return {
    ...{ db, bucket, proxy, tally, pipeline },
    async [Symbol.asyncDispose]() {
      for (const part of [pipeline, tally, proxy, bucket, db]) await part[Symbol.asyncDispose]();
    },
  };
}

/** A request that is spoiled twice, each time in another way, is tried a third time. */
function inPairs(faults: readonly S3Fault[]): S3Fault[][] {
  return Array.from({ length: Math.ceil(faults.length / 2) }, (_, i) => faults.slice(i * 2, i * 2 + 2));
}

/** By a copy of the bucket: the present rows are the source's, and the log has every change once. */
async function expectOnce(
  { bucket, pipeline, tally }: Setting,
  tables: readonly string[] = tally.tables,
): Promise<void> {
  await bucket.download("lake/", pipeline.lake);
  expect(await pipeline.differences(tables)).toEqual([]);
  await using log = await pipeline.openLog();
  expect(await log.tallyFaults()).toEqual([]);
}

test("whatever S3 answers while a pipeline runs, every change is there once", async () => {
  await using on = await setting();
  const { db, pipeline, proxy, tally } = on;
  await using workload = await createWorkload(db, {
    seed: 7,
    rows: 300,
    writers: 1,
    longStatements: 20,
    statementsPerSecond: 100,
  });
  workload.start();
  tally.start();
  const run = pipeline.run();
  await pipeline.untilStreaming(["tally"]);
  for (const faults of inPairs([...FAULTS, TORN])) {
    for (const operation of IN_EPOCHS) proxy.spoil(operation, ...faults);
    await proxy.untilSpoiled(...IN_EPOCHS);
  }
  proxy.spoil("complete", NOT_THERE, NOT_THERE);
  await proxy.untilSpoiled("complete");
  await Promise.all([workload.stop(), tally.stop()]);
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await expectOnce(on, [...workload.tables, ...tally.tables]);
  await using log = await pipeline.openLog();
  expect(await log.workloadFaults()).toEqual([]);
});

test("a pipeline killed between staging and the end goes on through an S3 that spoils its start", async () => {
  await using on = await setting();
  const { bucket, pipeline, proxy, tally } = on;
  const others = "lake/public/t/another-i1-v1-0000000001-0badcafe-0.parquet";
  await pipeline.catchUp();
  await bucket.beginUpload(others);
  tally.start();
  const pairs = inPairs(FAULTS);
  // A run's first epoch is its claim, without files, and the third run first commits what the second had staged. Files of an
  // epoch are completed at the same time: of the last one's none may be left.
  const kills = [
    ["sink.files-staged:2", 2],
    ["engine.record-stored:2", 2],
    ["sink.record-written:3", 2],
    ["sink.file-completed", 1],
  ] as const;
  for (const [failpoint, uploads] of kills) {
    const faults = pairs.pop() ?? [];
    for (const operation of AT_START) proxy.spoil(operation, ...faults);
    const run = pipeline.run([], { MILLRACE_FAILPOINT: failpoint });
    expect(await run.exit(), run.output).toEqual({ code: null, signal: "SIGKILL" });
    await proxy.untilSpoiled(...AT_START);
    expect((await bucket.uploads()).length, failpoint).toBeGreaterThanOrEqual(uploads);
  }
  await tally.stop();
  proxy.spare();
  proxy.spoil("abort-upload", { kind: "reset", when: "behind" });
  await pipeline.catchUp();
  expect(await bucket.uploads()).toEqual([others]);
  await expectOnce(on);
  const sql = await readFile(`${pipeline.lake}/public/tally/_schema/present.sql`, "utf8");
  expect(sql).toContain(`'s3://${bucket.name}/lake/public/tally/`);
});

test("credentials that expire end the run at whatever request, and new ones go on", async () => {
  await using on = await setting();
  const { bucket, pipeline, proxy, tally } = on;
  await pipeline.catchUp();
  tally.start();
  for (const operation of ["list", "create-upload", "part", "put", "head", "complete"] as const) {
    await tally.untilSteps(5);
    const expired = Array.from({ length: 20 }, () => EXPIRED);
    if (operation === "list") proxy.spoil(operation, ...expired);
    const run = pipeline.run([], operation === "list" ? {} : { MILLRACE_FAILPOINT: "engine.acknowledged=SIGSTOP" });
    if (operation !== "list") {
      await run.untilFrozen();
      proxy.spoil(operation, ...expired);
      run.signal("SIGCONT");
    }
    await expectRefusal(run, operation === "head" ? DENIED : { ...DENIED, ...UNKNOWN });
    await expectSecretKept(inject("s3").secretAccessKey, run, pipeline.path(".millrace"));
    proxy.spare();
  }
  await tally.stop();
  await pipeline.catchUp();
  await expectOnce(on);
  expect(await bucket.uploads()).toEqual([]);
});

test.each(["emptied", "put back to yesterday"])("a bucket that is %s is noticed, running and stopped", async (how) => {
  await using on = await setting();
  const { bucket, pipeline, tally } = on;
  const [yesterday, today] = [pipeline.path("yesterday"), pipeline.path("today")];
  await pipeline.catchUp();
  await bucket.download("", yesterday);
  tally.start();
  await tally.untilSteps(10);
  const run = pipeline.run([], { MILLRACE_FAILPOINT: "engine.acknowledged=SIGSTOP" });
  await run.untilFrozen();
  await bucket.download("", today);
  await bucket.empty();
  if (how !== "emptied") await bucket.upload("", yesterday);
  run.signal("SIGCONT");
  await expectRefusal(run, { code: "SINK_DAMAGED", says: /\d+\.json: it is gone/, hint: /from a backup/ });
  await using again = pipeline.run();
  const code = how === "emptied" ? "RECOVERY_SINK_EMPTY" : "RECOVERY_SINK_BEHIND";
  await expectRefusal(again, { code, says: /the sink/, hint: /millrace drop/ });

  await bucket.empty();
  await bucket.upload("", today);
  await tally.stop();
  await pipeline.catchUp();
  await expectOnce(on);
});
