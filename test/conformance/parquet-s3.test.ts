import { createBucket } from "../support/s3.ts";
import { tempFolder } from "../support/temp-folder.ts";
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
