import { join, resolve } from "node:path";
import { z } from "zod";
import { folderName } from "../checkpoint/file-store.ts";
import { section, type Section } from "./section.ts";
import type { PipelineSettings } from "./spec.ts";
import { durationMs, integer, text, word } from "./value.ts";

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9 _.-]{0,98}[A-Za-z0-9])?$/;

const keys = z.strictObject({
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
    "How often what was delivered becomes visible in the sink, all tables together, and is remembered as done.",
  ).prefault("1s"),
  "checkpoint.max-rows": integer(
    1,
    100_000_000,
    "An epoch has at most so many changes; more only where a single transaction brings them. Default: 100000 where the sink brings them into tables, and no limit where it keeps them all.",
  ).optional(),
  "checkpoint.store": text(
    "The folder where the pipeline's checkpoint is kept, in a folder of its name. Relative to the folder of the pipeline file.",
    "the path of a folder",
  ).prefault("./.millrace"),
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
  (options, context): PipelineSettings => ({
    name: options.name,
    parallelism: options.parallelism,
    checkpointIntervalMs: options["checkpoint.interval"],
    checkpointRowsMax: options["checkpoint.max-rows"] ?? null,
    checkpointFolder: join(resolve(context.folder, options["checkpoint.store"]), folderName(options.name)),
  }),
);
