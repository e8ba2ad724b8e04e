import { expect, test } from "vitest";
import { createParquetSink } from "../../src/sinks/parquet/sink.ts";
import { encoderUrl, parquetOptions } from "../support/lake.ts";
import { createBucket } from "../support/s3.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { testAmbient } from "../support/test-ambient.ts";
import { DEATHS, downloaded, harnessOver } from "./parquet-harness.ts";
import type { SinkHarness } from "./sink-harness.ts";
import { sinkConformance } from "./sink.ts";

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

sinkConformance("parquet in a bucket", bucketHarness, DEATHS);

test("a bucket that is not there has nothing to forget, and is no error", async () => {
  await using bucket = await createBucket();
  const location = { kind: "s3", ...bucket.options({ bucket: "not-there" }) } as const;
  const sink = createParquetSink(parquetOptions(location), { ambient: testAmbient(), workerUrl: encoderUrl });
  await sink.forget("shop", new AbortController().signal);
  await expect(sink.open("shop", new AbortController().signal)).rejects.toMatchObject({ code: "SINK_CLOSED" });
});
