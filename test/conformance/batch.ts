import { batchBytes, Op, type ChangeBatch } from "../../src/core/change-batch.ts";
import type { Column } from "../../src/core/column.ts";
import { ColumnBuilder } from "../../src/core/column-builder.ts";
import type { Transaction } from "../../src/core/position.ts";
import { assertNever } from "../../src/core/errors.ts";
import type { LogicalType } from "../../src/core/logical-type.ts";
import { tableId, type ColumnSchema, type TableSchema } from "../../src/core/table-schema.ts";

/** A cell as tests write it; `absent`: not known here. */
export type Cell = bigint | number | string | boolean | Uint8Array | null | typeof absent;
export const absent: unique symbol = Symbol("absent");

export interface Change {
  readonly op: keyof typeof Op;
  readonly cells: readonly Cell[];
  /** The row as it was. */
  readonly before?: readonly Cell[];
}

export function column(name: string, type: LogicalType, existingRowsDefault: string | null = null): ColumnSchema {
  return { name, type, nullable: true, sourceType: type.kind, collation: null, existingRowsDefault };
}

export function table(
  name: string,
  columns: readonly ColumnSchema[],
  key: readonly number[],
  version = 1,
  namespace = "shop",
): TableSchema {
  return { id: tableId(namespace, name), namespace, name, version, columns, key };
}

/** Of every change and truncate of the log. */
export const transaction: Transaction = { id: "1", commitTimeMs: 0, place: "0/1" };

/** Log changes, or the rows of a snapshot where all are `upsert`. */
export function batch(schema: TableSchema, changes: readonly Change[]): ChangeBatch {
  const snapshot = changes.every(({ op }) => op === "upsert");
  const columnsOf = (cellsOf: (change: Change) => readonly Cell[]): readonly Column[] =>
    schema.columns.map(({ type }, i) =>
      columnOf(
        type,
        changes.map((change) => cellsOf(change)[i] ?? null),
      ),
    );
  const nothing: readonly Cell[] = schema.columns.map(() => absent);
  const columns = columnsOf(({ cells }) => cells);
  const before = changes.some((change) => change.before !== undefined)
    ? columnsOf((change) => change.before ?? nothing)
    : null;
  const ops = snapshot ? null : Uint8Array.from(changes, ({ op }) => Op[op]);
  const runs = snapshot ? [] : [{ firstRow: 0, transaction }];
  const origin = snapshot ? "snapshot" : "log";
  return {
    schema,
    origin,
    length: changes.length,
    columns,
    before,
    ops,
    runs,
    bytes: batchBytes(columns, ops, before),
  };
}

function columnOf(type: LogicalType, cells: readonly Cell[]): Column {
  const builder = new ColumnBuilder(type);
  for (const cell of cells) {
    if (cell === null) builder.appendNull();
    else if (cell === absent) builder.appendAbsent();
    else append(builder, type, cell);
  }
  return builder.finish();
}

function append(builder: ColumnBuilder, type: LogicalType, cell: Exclude<Cell, null | typeof absent>): void {
  builder.reserve();
  const at = builder.row * builder.width;
  const view = new DataView(builder.bytes.buffer);
  switch (type.kind) {
    case "bool":
      return builder.appendBool(cell === true);
    case "text":
    case "json":
    case "bytes": {
      const bytes = cell instanceof Uint8Array ? cell : new TextEncoder().encode(String(cell));
      return builder.appendBytes(bytes, 0, bytes.byteLength);
    }
    case "uuid": {
      const bytes = Buffer.from(String(cell).replaceAll("-", ""), "hex");
      builder.bytes.set(bytes, at);
      return builder.next();
    }
    case "int":
      if (type.bits === 16) view.setInt16(at, Number(cell), true);
      else if (type.bits === 32) view.setInt32(at, Number(cell), true);
      else view.setBigInt64(at, cell as bigint, true);
      return builder.next();
    case "float":
      if (type.bits === 32) view.setFloat32(at, Number(cell), true);
      else view.setFloat64(at, Number(cell), true);
      return builder.next();
    case "decimal": {
      const unscaled = cell as bigint;
      view.setBigUint64(at, BigInt.asUintN(64, unscaled), true);
      view.setBigInt64(at + 8, unscaled >> 64n, true);
      return builder.next();
    }
    case "date":
      view.setInt32(at, Number(cell), true);
      return builder.next();
    case "time":
    case "timestamp":
      view.setBigInt64(at, cell as bigint, true);
      return builder.next();
    default:
      return assertNever(type);
  }
}
