import { z } from "zod";
import { MillraceError } from "../../core/errors.ts";
import { type TableSchema, withDefinition } from "../../core/table-schema.ts";

/**
 * The `attnum` of a schema's columns, by name. No other column of the table ever gets the same one, so it tells a column
 * from one of the same name and type that took its place. Kept in the record, for nothing in the log tells them apart
 * where it is the last column. Not every column has one: records of earlier versions have none, and a column that a chunk
 * showed first gets its own when the log comes to it.
 */
export type ColumnNumbers = ReadonlyMap<string, number>;

const kept = z.array(z.tuple([z.string(), z.int()]));

const NONE: ColumnNumbers = new Map();
const known = new WeakMap<TableSchema, ColumnNumbers>();

export function columnNumbers(schema: TableSchema): ColumnNumbers {
  if (schema.definition === undefined) return NONE;
  const before = known.get(schema);
  if (before !== undefined) return before;
  const parsed = kept.safeParse(schema.definition);
  if (!parsed.success)
    throw new MillraceError("RECORD_DAMAGED", `the record's definition of table ${schema.id} cannot be read`, {
      place: { table: schema.id },
    });
  const numbers = new Map(parsed.data);
  known.set(schema, numbers);
  return numbers;
}

export function withColumnNumbers(schema: TableSchema, numbers: ColumnNumbers): TableSchema {
  const numbered = schema.columns.flatMap(({ name }): readonly (readonly [string, number])[] => {
    const number = numbers.get(name);
    return number === undefined ? [] : [[name, number]];
  });
  return withDefinition(schema, numbered);
}
