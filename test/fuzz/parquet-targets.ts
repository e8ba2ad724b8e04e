import { firstPage } from "../../src/formats/parquet/column-chunk.ts";
import { MAGIC, readRowGroup, TAIL_BYTES } from "../../src/formats/parquet/footer.ts";
import { ALL_TYPES, randomSample } from "../support/parquet-cells.ts";
import { parquetFile } from "../support/parquet-file.ts";
import { Random } from "../support/random.ts";
import { mutated } from "./mutation.ts";
import type { FuzzTarget } from "./target.ts";

const SCHEMA = ALL_TYPES.map((type, i) => ({ name: `c${i}`, fieldId: i, type, required: i % 3 === 0 }));
const { sets } = randomSample(SCHEMA, [40], new Random(1));
const FILE = parquetFile(SCHEMA, [sets]);
const FOOTER_END = FILE.length - TAIL_BYTES;
const FOOTER = FILE.subarray(FOOTER_END - FILE.readUInt32LE(FOOTER_END), FOOTER_END);

function footer(random: Random): void {
  const changed = mutated(FOOTER, random);
  const tail = Buffer.alloc(TAIL_BYTES);
  tail.writeUInt32LE(random.chance(0.95) ? changed.length : random.below(2 ** 32));
  tail.set(MAGIC, 4);
  const file = Buffer.concat([FILE.subarray(0, FOOTER_END - FOOTER.length), changed, tail]);
  const { rows, chunks } = readRowGroup(file);
  if (!Number.isSafeInteger(rows) || rows < 0) throw new Error(`an answer that cannot be right: ${rows} rows`);
  for (const chunk of chunks) {
    const [start, end] = [firstPage(chunk), firstPage(chunk) + chunk.compressedBytes];
    if (!(start >= MAGIC.length && end <= file.length)) throw new Error("a column chunk that is not in the file");
  }
}

export const PARQUET_TARGETS: readonly FuzzTarget[] = [
  {
    name: "parquet-footer",
    weight: 10,
    run: footer,
    mayThrow: ({ code, message }) => code === "PARQUET_ENCODE_FAILED" && message.includes("not understood"),
  },
];
