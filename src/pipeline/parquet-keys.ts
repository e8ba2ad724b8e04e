import { z } from "zod";
import { PARQUET_DEFAULTS, type Compression, type ParquetOptions } from "../sinks/parquet/config.ts";
import { checkLayout } from "../sinks/parquet/layout.ts";
import { PART_BYTES_MIN } from "../stores/s3/options.ts";
import { partitionRules } from "./partition-keys.ts";
import { placeIssues, placeKey, placeSpec, placeText, s3Keys, storeLocation } from "./s3-keys.ts";
import { section, type Section } from "./section.ts";
import type { ParquetSpec } from "./spec.ts";
import { choice, flag, integer, sizeBytes, text } from "./value.ts";

const COMPRESSIONS: Readonly<Record<Compression, Compression>> = { zstd: "zstd", snappy: "snappy", none: "none" };

const options = z.strictObject({
  type: z
    .literal("parquet", "`parquet`")
    .meta({ description: "Every change, kept, as Parquet files in a folder or a bucket." }),
  path: placeKey(
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
  ...s3Keys(""),
  "s3.part.size": sizeBytes(PART_BYTES_MIN, "at least 5MiB", "Of the parts in which a file is uploaded.").prefault(
    "8MiB",
  ),
  "s3.parallel-uploads": integer(1, 64, "Parts that are uploaded at a time.").prefault("4"),
});

const keys = options.superRefine((given, context) => {
  for (const { key, message } of placeIssues({ key: "path", prefix: "" }, given.path, given))
    context.addIssue({ code: "custom", path: [key], message, params: { complete: true } });
});

/** Options of Flink CDC's lake sinks without a counterpart. */
const NOT_YET = ["name", "table.properties", "catalog.properties", "partition.key", "sink.compaction"];

/** The sink section of type `parquet`. */
export const parquetSink: Section<ParquetSpec> = section(keys, NOT_YET, (given, context): ParquetSpec => ({
  type: "parquet",
  place: placeSpec(given.path, given, context.folder, {
    partBytes: given["s3.part.size"],
    parallelUploads: given["s3.parallel-uploads"],
  }),
  layout: given.layout,
  partitions: given["partition.by"] ?? [],
  compression: given.compression,
  fileBytesMax: given["file.size"],
  rowGroupBytesMax: given["row-group.size"],
  pageBytes: given["page.size"],
  beforeImages: given["before-images"],
}));

/** Where it is, for people. */
export function parquetPlace({ place }: ParquetSpec): string {
  return placeText(place);
}

/** The sink's options, the credentials among them. */
export function parquetOptions({ type: _type, place, ...spec }: ParquetSpec): ParquetOptions {
  return { ...spec, location: storeLocation(place) };
}
