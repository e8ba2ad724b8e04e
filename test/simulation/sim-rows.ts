import { batchBytes, Op, type ChangeBatch, type Run } from "../../src/core/change-batch.ts";
import { ColumnBuilder } from "../../src/core/column-builder.ts";
import { cellBytes, isAbsent, isNull, type Column } from "../../src/core/column.ts";
import { tableId, type ColumnSchema, type TableSchema } from "../../src/core/table-schema.ts";

/** What rows written before column `c` was added have in it. */
export const ADDED_DEFAULT = -1;

/** A row of the keyed table; a cell that is missing is absent. `c` is there from schema version 2 on. */
export interface SimRow {
  readonly key: number;
  readonly v: number;
  readonly a?: number | null;
  readonly b?: string;
  readonly c?: number;
}

export interface SimChange {
  readonly op: Op;
  readonly row: SimRow;
}

/** A row of the table without a key, known by its number alone; several may be equal. */
export interface SimPlainChange {
  readonly op: typeof Op.insert | typeof Op.delete;
  readonly value: number;
}

function column(name: string, kind: "int" | "text", existingRowsDefault: string | null = null): ColumnSchema {
  return {
    name,
    type: kind === "int" ? { kind, bits: 32 } : { kind },
    nullable: true,
    sourceType: kind,
    collation: null,
    existingRowsDefault,
  };
}

/** The key is (k1 text, k2 int), in another order than the columns. */
export function keyedSchema(version: number): TableSchema {
  const columns = [
    column("k2", "int"),
    column("v", "int"),
    column("a", "int"),
    column("k1", "text"),
    column("b", "text"),
  ];
  if (version === 2) columns.push(column("c", "int", String(ADDED_DEFAULT)));
  return { id: tableId("sim", "keyed"), namespace: "sim", name: "keyed", version, columns, key: [3, 0] };
}

export const PLAIN_SCHEMA: TableSchema = {
  id: tableId("sim", "plain"),
  namespace: "sim",
  name: "plain",
  version: 1,
  columns: [column("value", "int")],
  key: [],
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const keyTexts = (key: number): readonly [string, string] => [`k${key >> 1}`, String(key & 1)];

/** A batch as a decoder would build it. `ops` null: a chunk's rows. */
export function keyedBatch(
  schema: TableSchema,
  rows: readonly SimRow[],
  ops: readonly Op[] | null,
  runs: readonly Run[],
): ChangeBatch {
  const cells = (row: SimRow): Record<string, number | string | null | undefined> => {
    const [k1, k2] = keyTexts(row.key);
    return { k1, k2: Number(k2), v: row.v, a: row.a, b: row.b, c: row.c };
  };
  const columns = schema.columns.map((of) => {
    const builder = new ColumnBuilder(of.type);
    for (const [i, row] of rows.entries()) {
      const isKey = of.name === "k1" || of.name === "k2";
      const value = cells(row)[of.name];
      // A delete brings the key alone, and the version that the model judges its order by.
      if (ops?.[i] === Op.delete && !isKey && of.name !== "v") builder.appendAbsent();
      else append(builder, value);
    }
    return builder.finish();
  });
  return batchOf(schema, rows.length, columns, ops, runs);
}

export function plainBatch(values: readonly number[], ops: readonly Op[] | null, runs: readonly Run[]): ChangeBatch {
  const builder = new ColumnBuilder({ kind: "int", bits: 32 });
  for (const value of values) append(builder, value);
  return batchOf(PLAIN_SCHEMA, values.length, [builder.finish()], ops, runs);
}

function batchOf(
  schema: TableSchema,
  length: number,
  columns: readonly Column[],
  opList: readonly Op[] | null,
  runs: readonly Run[],
): ChangeBatch {
  const ops = opList === null ? null : Uint8Array.from(opList);
  const origin = ops === null ? "snapshot" : "log";
  return { schema, origin, length, columns, before: null, ops, runs, bytes: batchBytes(columns, ops) };
}

function append(builder: ColumnBuilder, value: number | string | null | undefined): void {
  if (value === undefined) return builder.appendAbsent();
  if (value === null) return builder.appendNull();
  if (typeof value === "string") {
    const bytes = encoder.encode(value);
    return builder.appendBytes(bytes, 0, bytes.length);
  }
  builder.reserve();
  builder.int32[builder.row] = value;
  builder.next();
}

/** The cell's value; undefined: absent. */
export function cell(batch: ChangeBatch, name: string, row: number): number | string | null | undefined {
  const index = batch.schema.columns.findIndex((of) => of.name === name);
  if (index < 0) return undefined;
  const of = batch.columns[index]!;
  if (isAbsent(of, row)) return undefined;
  if (isNull(of, row)) return null;
  const bytes = cellBytes(of, row);
  if (of.type.kind === "text") return decoder.decode(bytes);
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
}

export function keyOf(batch: ChangeBatch, row: number): number {
  return Number((cell(batch, "k1", row) as string).slice(1)) * 2 + (cell(batch, "k2", row) as number);
}
