import type { ChangeBatch } from "../../core/change-batch.ts";
import type { ValueRules } from "../../core/source.ts";
import { cellText } from "./cell-text.ts";
import { runCopy, takenBatch, type BoundedSink } from "./chunks.ts";
import type { Session } from "./connection.ts";
import { CopyDecoder } from "./copy-decoder.ts";
import { keysCopy, openTable } from "./table-read.ts";

/** Each key is looked up in its index, however large the table is. */
const SETTINGS = [
  "enable_seqscan = off",
  "enable_hashjoin = off",
  "enable_mergejoin = off",
  "max_parallel_workers_per_gather = 0",
];

/** The rows that have these keys, in the shape of the keys' own schema (`Source.selectByKey`). */
export async function selectByKey(
  session: Session,
  rules: ValueRules,
  keys: ChangeBatch,
  signal: AbortSignal,
): Promise<ChangeBatch> {
  const { schema } = keys;
  const columns = schema.key.map((i) => keys.columns[i]!);
  const texts = columns.map((column) => Array.from({ length: keys.length }, (_, row) => cellText(column, row)));
  const { catalog } = await openTable(session, schema, rules, SETTINGS, signal);
  const decoder = new CopyDecoder(schema, rules);
  const sink: BoundedSink = {
    full: false,
    pushFrames: (bytes, start, end) => decoder.pushFrames(bytes, start, end),
    afterPiece: () => null,
    end: () => Promise.resolve(),
  };
  await runCopy(session, keysCopy(schema, catalog, texts), sink, signal);
  return takenBatch(schema, decoder);
}
