import { expect, inject, test } from "vitest";
import type { Sink } from "../../src/core/sink.ts";
import { createParquetSink } from "../../src/sinks/parquet/sink.ts";
import { createStore } from "../../src/stores/open-store.ts";
import { encoderUrl, parquetOptions } from "../support/lake.ts";
import { createBucket } from "../support/s3.ts";
import { startS3FaultProxy } from "../support/s3-proxy.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { testAmbient } from "../support/test-ambient.ts";
import { DEATHS, downloaded, harnessOver } from "./parquet-harness.ts";
import { signal, type SinkHarness } from "./sink-harness.ts";
import { commit, PIPELINE, record, runScript } from "./sink-script.ts";
import { sinkConformance, STAGED_LOG } from "./sink.ts";

async function bucketHarness(): Promise<SinkHarness> {
  const bucket = await createBucket();
  const location = { kind: "s3", ...bucket.options() } as const;
  const folder = tempFolder();
  let looks = 0;
  return harnessOver(
    location,
    {},
    {
      files: () => downloaded(location, folder.file(`look-${looks++}`)),
      async [Symbol.asyncDispose](): Promise<void> {
        await bucket[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    },
  );
}

sinkConformance("parquet in a bucket", STAGED_LOG, bucketHarness, DEATHS);

test("a server that lists no unfinished uploads by a prefix, as MinIO does, has them all the same", async () => {
  await using bucket = await createBucket();
  await using proxy = await startS3FaultProxy(inject("s3"));
  const none = { kind: "answer", when: "before", status: 200, code: "" } as const;
  proxy.spoil("list-uploads", ...Array.from({ length: 100 }, () => none));
  const location = { kind: "s3", ...bucket.options({}, proxy) } as const;
  const sink = createParquetSink(parquetOptions(location), { ambient: testAmbient(), workerUrl: encoderUrl });
  await runScript(sink, await sink.open(PIPELINE, signal));
  await sink.close();
  expect(proxy.count("list-uploads")).toBeLessThan(100);
  await using store = createStore(location, testAmbient().clock);
  const written: string[] = [];
  for await (const { key } of store.list("shop/scripted/", signal)) written.push(key);
  expect(written.filter((key) => key.endsWith(".parquet")).length).toBeGreaterThanOrEqual(3);
});

test("a bucket that is not there has nothing to forget, and is no error", async () => {
  await using bucket = await createBucket();
  const location = { kind: "s3", ...bucket.options({ bucket: "not-there" }) } as const;
  const sink = createParquetSink(parquetOptions(location), { ambient: testAmbient(), workerUrl: encoderUrl });
  await sink.forget("shop", signal);
  await expect(sink.open("shop", signal)).rejects.toMatchObject({ code: "SINK_CLOSED" });
});

test("a server that writes without a look at conditions is said to, and a run that comes too late is FENCED all the same", async () => {
  await using bucket = await createBucket();
  await using proxy = await startS3FaultProxy(inject("s3"));
  const location = { kind: "s3", ...bucket.options({}, proxy) } as const;
  const warnings: string[] = [];
  const { logger, ...ambient } = testAmbient();
  const said = { ...ambient, logger: { ...logger, warn: (message: string) => void warnings.push(message) } };
  const unaware = { kind: "answer", when: "behind", status: 200, code: "" } as const;
  const opened = async (): Promise<Sink> => {
    proxy.spoil("put", unaware, unaware);
    const sink = createParquetSink(parquetOptions(location), { ambient: said, workerUrl: encoderUrl });
    await sink.open(PIPELINE, signal);
    return sink;
  };
  const [first, second] = [await opened(), await opened()];
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toMatch(/^the store cannot write only where nothing is/);
  await commit(first, record(1));
  await expect(commit(second, record(1))).rejects.toMatchObject({ code: "FENCED" });
  await first.close();
  await second.close();
});
