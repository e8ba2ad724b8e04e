import type { StoreLocation } from "../../stores/open-store.ts";
import type { Partition } from "./partition.ts";

export type Compression = "zstd" | "snappy" | "none";

/** How some tables are parted. Plain data. */
export interface PartitionRule {
  /** Regular expressions that match the whole of a schema's and a table's name; null: every table. */
  readonly tables: readonly { readonly schema: string; readonly table: string }[] | null;
  readonly by: readonly Partition[];
}

/** What the Parquet sink needs to know, normalised: the pipeline file's `sink` block after parsing. */
export interface ParquetOptions {
  /** `path`: a folder, or a place in a bucket. */
  readonly location: StoreLocation;
  /** `layout`: the folder of a table below it, with `{schema}` and `{table}`. */
  readonly layout: string;
  /** `partition.by`: the first rule that matches a table counts; of the others it has no partitions. */
  readonly partitions: readonly PartitionRule[];
  readonly compression: Compression;
  /** `file.size`: a file ends when it has so many bytes. */
  readonly fileBytesMax: number;
  /** `row-group.size`: a row group ends when its rows take so many bytes in memory. */
  readonly rowGroupBytesMax: number;
  /** `page.size`: about so large are the pages of a column, before they are compressed. */
  readonly pageBytes: number;
  /** `before-images`: `_before` has the row as it was, where the log tells. */
  readonly beforeImages: boolean;
}

const MIB = 1024 * 1024;

export const PARQUET_DEFAULTS: Omit<ParquetOptions, "location"> = {
  layout: "{schema}/{table}",
  partitions: [],
  compression: "zstd",
  fileBytesMax: 128_000_000,
  rowGroupBytesMax: 32 * MIB,
  pageBytes: MIB,
  beforeImages: false,
};

/** Bounds that nobody has to set; tests set them low. */
export interface ParquetTuning {
  /** Rows that wait to become row groups, of all files together. Beyond it the largest become one early. */
  readonly waitingBytesMax: number;
  /** Row groups that are being encoded, as they were handed over. */
  readonly encodingBytesMax: number;
  readonly encoders: number;
  /** Encoded bytes that wait for a part of an upload to be full, of all files together. Beyond it files end early. */
  readonly heldBytesMax: number;
  /** Files that are ended, or made visible, at a time. */
  readonly filesAtATime: number;
}

export const PARQUET_TUNING: ParquetTuning = {
  waitingBytesMax: 64 * MIB,
  encodingBytesMax: 48 * MIB,
  encoders: 1,
  heldBytesMax: 64 * MIB,
  filesAtATime: 8,
};
