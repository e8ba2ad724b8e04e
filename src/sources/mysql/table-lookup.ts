import type { BinlogDecoderOptions, TableAnswer } from "./binlog/decoder.ts";
import { tableByName } from "./catalog.ts";
import type { LazySession } from "./connection.ts";
import type { MysqlTypeRules } from "./mysql-type.ts";
import { followShape } from "./schema.ts";

/**
 * Answers the decoder's questions about tables of the log. A table map says what the table was like at that place of the
 * log; the catalog, which is later, is asked only for what it lacks (the values of rows from before a column was added).
 */
export function tableLookup(
  sessions: LazySession,
  rules: MysqlTypeRules,
  signal: AbortSignal,
): BinlogDecoderOptions["lookup"] {
  return async (map, known): Promise<TableAnswer> => {
    const shape = map.columns.map(({ name }) => name);
    const hasNew = shape.some((name) => !known.columns.some((column) => column.name === name));
    const now = hasNew ? await tableByName(await sessions.get(signal), known.namespace, known.name, signal) : null;
    const followed = followShape(known, shape, now, rules);
    if (followed instanceof Error) return { kind: "stop", table: known.id, error: followed };
    return followed === known ? { kind: "same" } : { kind: "schema", schema: followed };
  };
}
