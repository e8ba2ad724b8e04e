import type { Partition } from "../../src/sinks/parquet/partition.ts";
import { DEATHS, folderHarness, type ParquetVariant } from "./parquet-harness.ts";
import { sinkConformance, STAGED_LOG } from "./sink.ts";

const byEach = (by: readonly Partition[]): ParquetVariant => ({ options: { partitions: [{ tables: null, by }] } });

sinkConformance("parquet in a folder", STAGED_LOG, () => folderHarness(), DEATHS);
sinkConformance(
  "parquet, a row group for each batch and a file for each row group",
  STAGED_LOG,
  () => folderHarness({ options: { rowGroupBytesMax: 1, fileBytesMax: 1 } }),
  [],
);
sinkConformance(
  "parquet, parted by day",
  STAGED_LOG,
  () => folderHarness(byEach([{ kind: "commit", unit: "day" }])),
  [],
);
