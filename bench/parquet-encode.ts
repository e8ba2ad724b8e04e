import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ColumnSet, FileSchema } from "../src/formats/file-schema.ts";
import type { EncodeOptions } from "../src/formats/parquet/encoding.ts";
import { ParquetEncoders, type TakenRowGroup } from "../src/formats/parquet/encoders.ts";
import { ParquetFile } from "../src/formats/parquet/file.ts";
import { projectRoot } from "../test/support/project-root.ts";
import { describe, median, type Bench, type BenchResult, type BenchRun } from "./measurement.ts";
import { ordersBatch, ordersSchema } from "./orders-batch.ts";

const BATCH_ROWS = 8192;
/** About 16 MB. */
const BATCHES_OF_A_ROW_GROUP = 22;
/** Each in turn, five times: 1.8 million rows, of which a fifth is in memory. */
const ROW_GROUPS = 2;
const TURNS = 5;
const COMPRESSIONS = ["zstd", "snappy", "none"] as const;
const WORKER = pathToFileURL(join(projectRoot, "dist", "bin", "parquet-worker.js"));
/** Two row groups: one is encoded while the next is copied. */
const BYTES_MAX = 40 << 20;

const SCHEMA: FileSchema = ordersSchema.columns.map(({ name, type }, i) => ({
  name,
  fieldId: i + 1,
  type,
  required: i === 0,
}));

/** `value` is that of the first compression, which is the default; every case is one of `runs`. */
export const parquetEncode: Bench = {
  name: "parquet-encode",
  about: "1,800,000 rows of the measuring table into the bytes of a Parquet file, by one thread beside this one",
  async run(runs, say): Promise<BenchResult> {
    const rowGroups = Array.from({ length: ROW_GROUPS }, (_, i) => rowGroupSets(i));
    const measured: BenchRun[] = [];
    for (const compression of COMPRESSIONS)
      for (let i = 0; i < runs; i++) {
        const run = await measure(rowGroups, compression);
        measured.push(run);
        say(describe(run, "rows/s"));
      }
    const main = measured.slice(0, runs);
    return {
      name: "parquet-encode",
      ratio: null,
      value: median(main.map(({ value }) => value)),
      limit: null,
      unit: "rows/s",
      cpuSeconds: median(main.map(({ cpuSeconds }) => cpuSeconds)),
      rssBytesMax: Math.max(...measured.map(({ rssBytesMax }) => rssBytesMax)),
      runs: measured,
    };
  },
};

function rowGroupSets(rowGroup: number): readonly ColumnSet[] {
  return Array.from({ length: BATCHES_OF_A_ROW_GROUP }, (_, i) => {
    const first = (rowGroup * BATCHES_OF_A_ROW_GROUP + i) * BATCH_ROWS;
    const ids = Array.from({ length: BATCH_ROWS }, (_id, row) => first + row);
    return { length: BATCH_ROWS, columns: ordersBatch(ids, null).columns };
  });
}

/** From the first row group to the footer; the thread has started and encoded something before. */
async function measure(
  rowGroups: readonly (readonly ColumnSet[])[],
  compression: EncodeOptions["compression"],
): Promise<BenchRun> {
  const never = new AbortController().signal;
  const options = { compression, pageBytes: 1 << 20, dictionaryPageBytes: 1 << 20 };
  await using encoders = new ParquetEncoders({ workerUrl: WORKER, threads: 1, bytesMax: BYTES_MAX });
  await (
    await encoders.encode({ schema: SCHEMA, sets: rowGroups[0]!, options }, never)
  ).encoded;
  let rssBytesMax = 0;
  const before = performance.now();
  const cpuBefore = process.cpuUsage();
  const file = new ParquetFile(SCHEMA);
  file.begin();
  let last: TakenRowGroup | null = null;
  for (const sets of Array.from({ length: TURNS }, () => rowGroups).flat()) {
    const taken = await encoders.encode({ schema: SCHEMA, sets, options }, never);
    if (last !== null) file.add(await last.encoded);
    last = taken;
    rssBytesMax = Math.max(rssBytesMax, process.memoryUsage.rss());
  }
  file.add(await last!.encoded);
  file.end(new Map());
  const tookMs = performance.now() - before;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    value: (file.rows / tookMs) * 1000,
    limit: null,
    cpuSeconds: (user + system) / 1e6,
    rssBytesMax,
    details: { compression, bytes: file.bytes },
  };
}
