import { snapshotBatch, type ChangeBatch } from "../../core/change-batch.ts";
import { runSelects, type BoundedSink } from "./chunks.ts";
import type { Session } from "./connection.ts";
import type { MysqlTypeRules } from "./mysql-type.ts";
import { ResultDecoder } from "./result-decoder.ts";
import { keyBoundsOf, selectionOf } from "./selection.ts";
import { keysSelects, openTable } from "./table-read.ts";

/** The rows that have these keys, in the shape of the keys' own schema (`Source.selectByKey`). */
export async function selectByKey(
  session: Session,
  rules: MysqlTypeRules,
  keys: ChangeBatch,
  signal: AbortSignal,
): Promise<ChangeBatch> {
  const { schema } = keys;
  const selection = selectionOf(schema);
  const decoder = new ResultDecoder(selection.schema, rules);
  const bounds = keyBoundsOf(keys);
  const { index } = await openTable(session, schema, rules, signal);
  const sink: BoundedSink = {
    full: false,
    packet: (bytes, start, end) => decoder.packet(bytes, start, end),
    part: (bytes, start, end, last) => decoder.part(bytes, start, end, last),
    release: () => decoder.release(),
    afterPiece: () => null,
    end: () => Promise.resolve(),
  };
  await runSelects(session, schema, () => keysSelects(selection, index, bounds), sink, signal);
  const { rows } = decoder;
  return snapshotBatch(schema, decoder.take().slice(0, schema.columns.length), rows);
}
