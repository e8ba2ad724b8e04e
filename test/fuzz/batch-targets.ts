import { decodeBatch, encodeBatch } from "../../src/formats/batch-file.ts";
import { Random } from "../support/random.ts";
import { randomBatch } from "../support/random-batch.ts";
import { mutated } from "./mutation.ts";
import type { FuzzTarget } from "./target.ts";

const FILES = Array.from({ length: 20 }, (_, seed) =>
  Buffer.concat(encodeBatch(randomBatch(new Random(seed), 5 * seed))),
);

function batchFile(random: Random): void {
  const file = random.pick(FILES);
  const changed = mutated(file, random);
  const { length } = decodeBatch(changed);
  if (!changed.equals(file))
    throw new Error(`an answer that cannot be right: ${length} rows of a file that was changed`);
}

export const BATCH_TARGETS: readonly FuzzTarget[] = [
  { name: "batch-file", weight: 5, run: batchFile, mayThrow: ({ code }) => code === "STAGED_CHUNK_UNREADABLE" },
];
