import { resolve } from "node:path";
import { z } from "zod";
import { PARQUET_DEFAULTS, type Compression, type ParquetOptions } from "../sinks/parquet/config.ts";
import { checkLayout } from "../sinks/parquet/layout.ts";
import { PART_BYTES_MIN, type S3Options } from "../stores/s3/options.ts";
import { partitionRules } from "./partition-keys.ts";
import { section, type BuildContext, type Section } from "./section.ts";
import type { ParquetSpec } from "./spec.ts";
import { choice, durationMs, flag, integer, secret, sizeBytes, text, word } from "./value.ts";

const BUCKET = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s;
const COMPRESSIONS: Readonly<Record<Compression, Compression>> = { zstd: "zstd", snappy: "snappy", none: "none" };

const options = z.strictObject({
  type: z
    .literal("parquet", "`parquet`")
    .meta({ description: "Every change, kept, as Parquet files in a folder or a bucket." }),
  path: word(
    // A folder under the name of another protocol would be taken for what was meant.
    /^(?:s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/.*)?|(?![A-Za-z][A-Za-z0-9+.-]*:\/\/).+)$/s,
    "the path of a folder, or `s3://bucket/prefix`",
    "The folder, made when it is absent, or the place in a bucket. A folder is relative to that of the pipeline file.",
  ),
  layout: text(
    "The folder of a table's files below `path`, with `{schema}` and `{table}` in it.",
    "a path with {schema} and {table} in it",
  )
    .refine((layout) => checkLayout(layout) === null, "a path with {schema} and {table} in it, like {schema}/{table}")
    .prefault(PARQUET_DEFAULTS.layout),
  "partition.by": partitionRules(
    "Folders within a table's, Hive-style: by the time of the commit (`day`: `commit_day=2026-01-31`), by a time in the row (`day(created_at)`: `created_at_day=…`) or by a column (`region`: `region_value=…`); for some tables alone as a mapping, `shop.orders: day(created_at)`. Default: none.",
  ).optional(),
  compression: choice(COMPRESSIONS, "`zstd`, `snappy` or `none`", "How the files' pages are compressed.").prefault(
    PARQUET_DEFAULTS.compression,
  ),
  "file.size": sizeBytes(
    1_000_000,
    "at least 1MB",
    "A file ends when it has so many bytes. Each epoch ends all of them, so that the checkpoint interval decides, where less comes.",
  ).prefault("128MB"),
  "row-group.size": sizeBytes(
    64_000,
    "at least 64kB",
    "A row group ends when its rows take so many bytes in memory, before they are encoded.",
  ).prefault("32MiB"),
  "page.size": sizeBytes(
    4096,
    "at least 4KiB",
    "About so large are the pages of a column, before compression.",
  ).prefault("1MiB"),
  "before-images": flag(
    "Give each row a column `_before` with the row as it was before the change, as far as the source's log tells.",
  ).prefault("false"),
  "s3.endpoint": word(
    /^https?:\/\/[^\s]+$/,
    "a URL, like `https://minio.example.com:9000`",
    "Of a store that is not AWS's.",
  ).optional(),
  "s3.region": text("The bucket's region. Default: where AWS's own tools look for it.").optional(),
  "s3.path-style": flag(
    "The bucket in the path instead of the host's name: what most stores that are not AWS's need. Default: true with `s3.endpoint`.",
  ).optional(),
  "s3.access-key-id": text(
    "With `s3.secret-access-key`. Default: credentials as AWS's own tools find them (environment, profiles, web identity, instance), renewed when they expire.",
  ).optional(),
  "s3.secret-access-key": secret("With `s3.access-key-id`. Take it from the environment.").optional(),
  "s3.part.size": sizeBytes(PART_BYTES_MIN, "at least 5MiB", "Of the parts in which a file is uploaded.").prefault(
    "8MiB",
  ),
  "s3.parallel-uploads": integer(1, 64, "Parts that are uploaded at a time.").prefault("4"),
  "s3.connect.timeout": durationMs(100, 600_000, "from 100ms to 10min", "For a connection to the store.").prefault(
    "10s",
  ),
  "s3.request.timeout": durationMs(
    100,
    3_600_000,
    "from 100ms to 1h",
    "For an answer: how long nothing may be sent and nothing come.",
  ).prefault("60s"),
  "s3.attempts": integer(1, 100, "How often a request is tried that fails in a way that may pass.").prefault("8"),
});

const keys = options.superRefine((given, context) => {
  const issue = (key: string, message: string): void =>
    context.addIssue({ code: "custom", path: [key], message, params: { complete: true } });
  const isBucket = given.path.startsWith("s3://");
  const ofS3 = ["s3.endpoint", "s3.region", "s3.path-style", "s3.access-key-id", "s3.secret-access-key"] as const;
  for (const key of ofS3)
    if (!isBucket && given[key] !== undefined)
      issue(key, `\`${key}\` goes with a \`path\` of the form \`s3://bucket/prefix\``);
  const prefix = BUCKET.exec(given.path)?.[2]?.replace(/\/$/, "") ?? "";
  // Some stores take these for another place, and some for none.
  if (prefix !== "" && prefix.split("/").some((part) => ["", ".", ".."].includes(part)))
    issue("path", "`path` has an empty part, or one of dots, behind its bucket");
  const endpoint = given["s3.endpoint"];
  const problem = endpoint === undefined ? null : endpointProblem(endpoint);
  if (problem !== null) issue("s3.endpoint", `\`s3.endpoint\` ${problem}`);
  const [id, key] = [given["s3.access-key-id"], given["s3.secret-access-key"]];
  if (id !== undefined && key === undefined)
    issue("s3.access-key-id", "`s3.access-key-id` needs `s3.secret-access-key`");
  if (id === undefined && key !== undefined)
    issue("s3.secret-access-key", "`s3.secret-access-key` needs `s3.access-key-id`");
});

/** Without the text itself: it may hold a password. */
function endpointProblem(text: string): string | null {
  if (!URL.canParse(text)) return "is no URL";
  const { username, password, search, hash } = new URL(text);
  if (username !== "" || password !== "")
    return "takes no user and password: they go into `s3.access-key-id` and `s3.secret-access-key`";
  return search === "" && hash === "" ? null : "ends with its host, port and path: nothing behind a `?` or `#`";
}

/** Options of Flink CDC's lake sinks without a counterpart. */
const NOT_YET = ["name", "table.properties", "catalog.properties", "partition.key", "sink.compaction"];

/** The sink section of type `parquet`. */
export const parquetSink: Section<ParquetSpec> = section(keys, NOT_YET, (given, context): ParquetSpec => ({
  type: "parquet",
  place: placeOf(given, context),
  layout: given.layout,
  partitions: given["partition.by"] ?? [],
  compression: given.compression,
  fileBytesMax: given["file.size"],
  rowGroupBytesMax: given["row-group.size"],
  pageBytes: given["page.size"],
  beforeImages: given["before-images"],
}));

function placeOf(given: z.output<typeof options>, { folder }: BuildContext): ParquetSpec["place"] {
  const bucket = BUCKET.exec(given.path);
  if (bucket === null) return { kind: "folder", path: resolve(folder, given.path) };
  const [, name, prefix = ""] = bucket;
  const endpoint = given["s3.endpoint"] ?? null;
  return {
    kind: "s3",
    bucket: name!,
    prefix: prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`,
    endpoint,
    region: given["s3.region"] ?? null,
    pathStyle: given["s3.path-style"] ?? endpoint !== null,
    accessKeyId: given["s3.access-key-id"] ?? null,
    secretAccessKey: given["s3.secret-access-key"] ?? null,
    partBytes: given["s3.part.size"],
    parallelUploads: given["s3.parallel-uploads"],
    connectTimeoutMs: given["s3.connect.timeout"],
    requestTimeoutMs: given["s3.request.timeout"],
    attemptsMax: given["s3.attempts"],
  };
}

/** Where it is, for people. */
export function parquetPlace({ place }: ParquetSpec): string {
  return place.kind === "folder" ? place.path : `s3://${place.bucket}/${place.prefix}`;
}

/** The sink's options, the credentials among them. */
export function parquetOptions({ type: _type, place, ...spec }: ParquetSpec): ParquetOptions {
  if (place.kind === "folder") return { ...spec, location: place };
  const { accessKeyId, secretAccessKey, ...s3 } = place;
  const credentials =
    accessKeyId === null || secretAccessKey === null
      ? null
      : { accessKeyId, secretAccessKey: secretAccessKey.reveal() };
  const location: S3Options & { readonly kind: "s3" } = { ...s3, credentials };
  return { ...spec, location };
}
