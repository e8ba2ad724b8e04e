import { batchBytes, Op, type ChangeBatch } from "../src/core/change-batch.ts";
import { ColumnBuilder } from "../src/core/column-builder.ts";
import type { LogicalType } from "../src/core/logical-type.ts";
import { tableId, type ColumnSchema, type TableSchema } from "../src/core/table-schema.ts";

function column(name: string, sourceType: string, type: LogicalType): ColumnSchema {
  return { name, type, nullable: true, sourceType, collation: null, existingRowsDefault: null };
}

/** The measuring table, as the PostgreSQL source would present it. */
export const ordersSchema: TableSchema = {
  id: tableId("public", "orders"),
  namespace: "public",
  name: "orders",
  version: 1,
  columns: [
    column("id", "bigint", { kind: "int", bits: 64 }),
    column("customer_id", "integer", { kind: "int", bits: 32 }),
    column("status", "text", { kind: "text" }),
    column("note", "varchar(200)", { kind: "text" }),
    column("amount", "numeric(12,2)", { kind: "decimal", precision: 12, scale: 2 }),
    column("qty", "integer", { kind: "int", bits: 32 }),
    column("price", "double precision", { kind: "float", bits: 64 }),
    column("paid", "boolean", { kind: "bool" }),
    column("created_at", "timestamp with time zone", { kind: "timestamp", zone: true }),
    column("updated_at", "timestamp without time zone", { kind: "timestamp", zone: false }),
  ],
  key: [0],
};

const utf8 = new TextEncoder();
const STATUSES: readonly Uint8Array[] = ["new", "paid", "shipped", "done"].map((status) => utf8.encode(status));

function setInt64(builder: ColumnBuilder, value: number): void {
  builder.int32[builder.row * 2] = value;
  builder.int32[builder.row * 2 + 1] = Math.floor(value / 2 ** 32);
  builder.next();
}

function appendText(builder: ColumnBuilder, text: Uint8Array): void {
  builder.appendBytes(text, 0, text.byteLength);
}

/** Rows of these ids. A snapshot's where `op` is null; a delete knows the id alone. */
export function ordersBatch(ids: readonly number[], op: Op | null): ChangeBatch {
  const builders = ordersSchema.columns.map(({ type }) => new ColumnBuilder(type));
  for (const id of ids) appendOrder(builders, id, op === Op.delete);
  const columns = builders.map((builder) => builder.finish());
  const ops = op === null ? null : new Uint8Array(ids.length).fill(op);
  return {
    schema: ordersSchema,
    origin: op === null ? "snapshot" : "log",
    length: ids.length,
    columns,
    before: null,
    ops,
    runs: op === null ? [] : [{ firstRow: 0, transaction: { id: "1", commitTimeMs: 0, place: "0/1" } }],
    bytes: batchBytes(columns, ops),
  };
}

function appendOrder(builders: readonly ColumnBuilder[], id: number, isKeyOnly: boolean): void {
  const [key, customer, status, note, amount, quantity, price, paid, created, updated] = builders;
  for (const builder of builders) builder.reserve();
  setInt64(key!, id);
  if (isKeyOnly) {
    for (const builder of builders.slice(1)) builder.appendAbsent();
    return;
  }
  customer!.int32[customer!.row] = (id * 7919) % 100_000;
  customer!.next();
  appendText(status!, STATUSES[id % 4]!);
  appendText(note!, utf8.encode(`order note number ${id}`));
  amount!.int32[amount!.row * 4] = Math.round(((id % 100_000) / 7) * 100);
  amount!.next();
  quantity!.int32[quantity!.row] = id % 50;
  quantity!.next();
  price!.float64[price!.row] = id / 3;
  price!.next();
  paid!.appendBool(id % 2 === 0);
  const createdUs = (1_704_067_200 + id) * 1_000_000;
  setInt64(created!, createdUs);
  setInt64(updated!, createdUs);
}
