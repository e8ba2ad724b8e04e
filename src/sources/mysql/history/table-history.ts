import { z } from "zod";
import type { Json } from "../../../core/json.ts";
import type { Transaction } from "../../../core/position.ts";
import { type TableSchema, withDefinition } from "../../../core/table-schema.ts";
import { KeptDefinition } from "../../../decoding/kept-definition.ts";
import type { TableLog } from "../../../decoding/table-log.ts";
import { type LogPosition, parseLogPosition } from "../position.ts";
import { tableDefinition, type TableDefinition } from "./table-definition.ts";

/** Another table that a tool fills, to put it in the table's place. */
export interface TableCopy {
  readonly name: string;
  readonly table: TableDefinition;
  /** Columns that the table has not, and what its rows have in them there: the server's text; null: NULL. */
  readonly added: readonly { readonly name: string; readonly value: string | null }[];
  /** Why it could not be followed if it took the table's place: `was made like another table`; null: it could. */
  readonly trouble: string | null;
}

/** What a table's schema remembers of its life in the log (`TableSchema.definition`). */
export interface TableHistory {
  /** As the log's rows have it from here on. */
  readonly table: TableDefinition;
  /**
   * The definition was read with everything in it done, and nothing else of the table: what the log has of the table up
   * to there (DDL and rows) is in it, and in its snapshot, and is passed over. Null: nothing is.
   */
  readonly asOf: LogPosition | null;
  /** Made since then, under a name that a tool would give it. */
  readonly copy: TableCopy | null;
}

const kept = z.strictObject({
  table: tableDefinition,
  asOf: z.json(),
  copy: z
    .strictObject({
      name: z.string(),
      table: tableDefinition,
      added: z.array(z.strictObject({ name: z.string(), value: z.string().nullable() })),
      trouble: z.string().nullable(),
    })
    .nullable(),
});

const histories = new KeptDefinition((definition): TableHistory | null => {
  const { data } = kept.safeParse(definition);
  if (data === undefined) return null;
  const { table, asOf, copy } = data;
  return { table, asOf: asOf === null ? null : parseLogPosition(asOf), copy };
});

/** Null: none is known; the log must say itself what its rows are (`binlog_row_metadata = FULL`). */
export function historyOf(schema: TableSchema): TableHistory | null {
  return histories.of(schema);
}

/** Whether a change of the table is one that its snapshot has, and its definition. */
export function isInSnapshot({ schema }: TableLog, transaction: Transaction): boolean {
  return historyOf(schema)?.asOf?.has(transaction) === true;
}

export function withHistory(schema: TableSchema, { table, asOf, copy }: TableHistory): TableSchema {
  // Plain data, which TypeScript cannot see of an interface.
  return withDefinition(schema, { table, asOf: asOf?.serialize() ?? null, copy } as unknown as Json);
}

/**
 * The columns that the table has at its place of the log. A chunk, which is of a later moment, may have shown others
 * already: the log brings them in its own time.
 */
export function schemaInLog(schema: TableSchema): TableSchema {
  const history = historyOf(schema);
  if (history === null) return schema;
  const names = new Set(history.table.columns.map(({ name }) => name));
  const columns = schema.columns.filter(({ name }) => names.has(name));
  if (columns.length === schema.columns.length) return schema;
  const key = schema.key.map((place) => columns.indexOf(schema.columns[place]!));
  return key.includes(-1) ? schema : { ...schema, columns, key };
}
