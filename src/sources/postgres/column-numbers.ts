import { z } from "zod";
import { type TableSchema, withDefinition } from "../../core/table-schema.ts";
import { KeptDefinition } from "../../decoding/kept-definition.ts";

/**
 * The `attnum` of a schema's columns, by name. No other column of the table ever gets the same one, so it tells a column
 * from one of the same name and type that took its place. Kept in the record, for nothing in the log tells them apart
 * where it is the last column. Not every column has one: records of earlier versions have none, and a column that a chunk
 * showed first gets its own when the log comes to it.
 */
export type ColumnNumbers = ReadonlyMap<string, number>;

const kept = z.array(z.tuple([z.string(), z.int()]));

const NONE: ColumnNumbers = new Map();
const numbersOf = new KeptDefinition((definition): ColumnNumbers | null => {
  const { data } = kept.safeParse(definition);
  return data === undefined ? null : new Map(data);
});

export function columnNumbers(schema: TableSchema): ColumnNumbers {
  return numbersOf.of(schema) ?? NONE;
}

export function withColumnNumbers(schema: TableSchema, numbers: ColumnNumbers): TableSchema {
  const numbered = schema.columns.flatMap(({ name }): readonly (readonly [string, number])[] => {
    const number = numbers.get(name);
    return number === undefined ? [] : [[name, number]];
  });
  return withDefinition(schema, numbered);
}
