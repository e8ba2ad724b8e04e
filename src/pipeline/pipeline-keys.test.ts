import { expect, test } from "vitest";
import { pipelineProblems } from "../../test/support/pipeline-problems.ts";
import { parsePipeline } from "./parse.ts";
import type { ExecutorSpec } from "./spec.ts";

const shop = (...options: readonly string[]): string => `source:
  type: postgres
  hostname: localhost
  username: app
  password: \${PASSWORD}
  tables: shop.public.\\.*
sink: {type: discard}
pipeline:
${["  name: shop", ...options].join("\n")}
`;

const REDIS = "  checkpoint.store: redis://cache";
const QUEUE = "  snapshot.executor: bullmq";

const CASES: Record<string, readonly [string, ...string[]]> = {
  "an executor that there is not": [
    shop("  snapshot.executor: bullm"),
    "p.yaml:10:22: `snapshot.executor` takes `local` or `bullmq`, not `bullm`; did you mean `bullmq`?",
  ],
  "a queue without Redis": [
    shop(QUEUE, "  staging: ./staging"),
    "p.yaml:10:22: `snapshot.executor: bullmq` needs a `checkpoint.store` in Redis: the queue is there",
  ],
  "a queue without a place to stage in": [
    shop(QUEUE, REDIS),
    "p.yaml:10:22: `snapshot.executor: bullmq` needs `staging`, a place that the run and its workers reach",
  ],
  "a queue with neither": [
    shop(QUEUE, "  checkpoint.store: ./state"),
    "p.yaml:10:22: `snapshot.executor: bullmq` needs a `checkpoint.store` in Redis: the queue is there",
    "p.yaml:10:22: `snapshot.executor: bullmq` needs `staging`, a place that the run and its workers reach",
  ],
  "a queue in a cluster": [
    shop(QUEUE, "  checkpoint.store: redis-cluster://a,b", "  staging: ./staging"),
    "p.yaml:10:22: `snapshot.executor: bullmq` needs a `checkpoint.store` that is one Redis, alone or behind sentinels, and not a cluster",
  ],
  "a bucket's options without a bucket": [
    shop(QUEUE, REDIS, "  staging: ./staging", "  staging.s3.region: eu-central-1"),
    "p.yaml:13:22: `staging.s3.region` goes with a `staging` of the form `s3://bucket/prefix`",
  ],
  "a bucket's key without its secret": [
    shop(QUEUE, REDIS, "  staging: s3://shop/staging", "  staging.s3.access-key-id: me"),
    "p.yaml:13:29: `staging.s3.access-key-id` needs `staging.s3.secret-access-key`",
  ],
  "a bucket's endpoint with a password in it, which is not repeated": [
    shop(QUEUE, REDIS, "  staging: s3://shop", "  staging.s3.endpoint: http://me:hunter2@localhost:9000"),
    "p.yaml:13:24: `staging.s3.endpoint` takes no user and password: they go into `staging.s3.access-key-id` and `staging.s3.secret-access-key`",
  ],
};

test.each(Object.entries(CASES))("%s", (_, [text, ...problems]) => {
  expect(pipelineProblems(text).toSorted()).toEqual(problems.toSorted());
});

function executorOf(...options: readonly string[]): ExecutorSpec {
  const environment = { PASSWORD: "p", SECRET: "s" };
  return parsePipeline(shop(...options), { file: "p.yaml", folder: "/srv", environment }).executor;
}

test("chunks are read by the run itself unless the file says otherwise, also where a place is named already", () => {
  expect(executorOf()).toEqual({ kind: "local" });
  expect(executorOf(REDIS, "  staging: ./staging")).toEqual({ kind: "local" });
});

test("a queue has the checkpoint's Redis, and a place", () => {
  const folder = executorOf(QUEUE, REDIS, "  staging: ./staging");
  expect(folder).toMatchObject({
    kind: "bullmq",
    redis: { nodes: [{ host: "cache" }] },
    staging: { kind: "folder", path: "/srv/staging" },
  });
  const sentinel = "  checkpoint.store: redis-sentinel://a,b#main";
  const secret = ["  staging.s3.access-key-id: me", "  staging.s3.secret-access-key: ${SECRET}"];
  const bucket = executorOf(QUEUE, sentinel, "  staging: s3://shop/staging", ...secret);
  expect(bucket).toMatchObject({
    redis: { topology: { kind: "sentinel", master: "main" } },
    staging: { kind: "s3", bucket: "shop", prefix: "staging/", accessKeyId: "me", attemptsMax: 8 },
  });
  expect(JSON.stringify(bucket)).not.toContain('"s"');
});
