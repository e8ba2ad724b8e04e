import { join, resolve } from "node:path";
import { z } from "zod";
import { folderName } from "../checkpoint/file/store.ts";
import { PART_BYTES_MIN } from "../stores/s3/options.ts";
import { parseRedisUrl, REDIS_URL_TAKES, type RedisSpec } from "./redis-url.ts";
import { placeIssues, placeKey, placeSpec, s3Keys, stagingGiven } from "./s3-keys.ts";
import { section, type BuildContext, type Section } from "./section.ts";
import type { ExecutorSpec, PipelineSettings } from "./spec.ts";
import { choice, durationMs, integer, text, word } from "./value.ts";

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9 _.-]{0,98}[A-Za-z0-9])?$/;

const DEFAULT_FOLDER = "./.millrace";

const STORE_TAKES = `the path of a folder, or a URL of Redis: ${REDIS_URL_TAKES}`;

/** A folder as it is written, or Redis. */
const checkpointStore = text(
  `Where the pipeline's checkpoint is kept, under its name: a folder, relative to that of the pipeline file; or Redis or Valkey, ${REDIS_URL_TAKES}. Then the pipeline's other files are in \`${DEFAULT_FOLDER}\`.`,
  STORE_TAKES,
).transform((given, context): string | RedisSpec => {
  if (!/^[a-z][a-z+-]*:\/\//i.test(given)) return given;
  const redis = parseRedisUrl(given);
  if (redis !== null) return redis;
  context.issues.push({ code: "custom", message: STORE_TAKES, input: given });
  return z.NEVER;
});

const options = z.strictObject({
  name: word(
    NAME,
    "letters, digits, spaces, `_`, `-` and `.`, at most 100, with a letter or digit at both ends",
    "The pipeline's name. Its state is kept under it, in the checkpoint store and in the sink: another name is another pipeline.",
  ),
  parallelism: integer(
    1,
    64,
    "How many chunks of the snapshot are read at a time, each on a connection of its own.",
  ).prefault("2"),
  "checkpoint.interval": durationMs(
    50,
    3_600_000,
    "from 50ms to 1h",
    "How often what was delivered becomes visible in the sink, all tables together, and is remembered as done. The first rows of a run that goes on do not wait for it.",
  ).prefault("1s"),
  "checkpoint.max-rows": integer(
    1,
    100_000_000,
    "An epoch has at most so many changes; more only where a single transaction brings them. Default: 100000 where the sink brings them into tables, and no limit where it keeps them all.",
  ).optional(),
  "checkpoint.store": checkpointStore.prefault(DEFAULT_FOLDER),
  "snapshot.executor": choice(
    { local: "local", bullmq: "bullmq" } as const,
    "`local` or `bullmq`",
    "Who reads the chunks of the snapshot: `local`, threads of the run; or `bullmq`, processes of `millrace worker` on any machine, which take them from a queue in the Redis of `checkpoint.store`.",
  ).prefault("local"),
  staging: placeKey(
    "With `snapshot.executor: bullmq`: where workers leave what they have read, until the run has taken it over; a folder or a place in a bucket that the run and all workers reach. A folder is relative to that of the pipeline file.",
  ).optional(),
  ...s3Keys("staging."),
});

const keys = options.superRefine((given, context) => {
  const { staging, "checkpoint.store": store, "snapshot.executor": executor } = given;
  const issue = (key: string, message: string): void =>
    context.addIssue({ code: "custom", path: [key], message, params: { complete: true } });
  const at = { key: "staging", prefix: "staging." } as const;
  for (const { key, message } of placeIssues(at, staging ?? "", stagingGiven(given))) issue(key, message);
  if (executor === "local") return;
  const needs = (what: string): void => issue("snapshot.executor", `\`snapshot.executor: bullmq\` needs ${what}`);
  if (staging === undefined) needs("`staging`, a place that the run and its workers reach");
  if (typeof store === "string") needs("a `checkpoint.store` in Redis: the queue is there");
  else if (store.topology.kind === "cluster")
    needs("a `checkpoint.store` that is one Redis, alone or behind sentinels, and not a cluster");
});

/** Options of Flink CDC's `pipeline` section without a counterpart yet. */
const NOT_YET = [
  "execution.runtime-mode",
  "local-time-zone",
  "model",
  "operator.uid.prefix",
  "route-mode",
  "schema-operator.rpc-timeout",
  "schema.change.behavior",
  "schema.operator.uid",
  "sink.partitioning.strategy",
  "transform.decimal.precision.mode",
  "user-defined-function",
];

/** The section `pipeline`. */
export const pipelineSection: Section<PipelineSettings> = section(
  keys,
  NOT_YET,
  (options, context): PipelineSettings => {
    const store = options["checkpoint.store"];
    const inFiles = typeof store === "string";
    return {
      name: options.name,
      parallelism: options.parallelism,
      checkpointIntervalMs: options["checkpoint.interval"],
      checkpointRowsMax: options["checkpoint.max-rows"] ?? null,
      executor: executorSpec(options, context),
      checkpoint: inFiles ? { kind: "files" } : { kind: "redis", redis: store },
      folder: join(resolve(context.folder, inFiles ? store : DEFAULT_FOLDER), folderName(options.name)),
    };
  },
);

/** What is staged is small, and not uploaded in parts. */
const UPLOADS = { partBytes: PART_BYTES_MIN, parallelUploads: 1 };

function executorSpec(given: z.output<typeof options>, { folder }: BuildContext): ExecutorSpec {
  const { staging, "checkpoint.store": store } = given;
  if (given["snapshot.executor"] === "local" || staging === undefined || typeof store === "string")
    return { kind: "local" };
  return { kind: "bullmq", redis: store, staging: placeSpec(staging, stagingGiven(given), folder, UPLOADS) };
}
