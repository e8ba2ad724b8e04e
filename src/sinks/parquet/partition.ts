import type { ChangeBatch } from "../../core/change-batch.ts";
import { bit, cellBytes, isAbsent, isNull, type Column } from "../../core/column.ts";
import { assertNever, MillraceError } from "../../core/errors.ts";
import type { LogicalType } from "../../core/logical-type.ts";
import { selectRows } from "../../core/select-rows.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { pathPart } from "./layout.ts";

const UNITS = ["year", "month", "day", "hour"] as const;
type Unit = (typeof UNITS)[number];

/** `commit`: by the time of the transaction's commit. `column`: by a column's value, or by the time in it. */
export type Partition =
  | { readonly kind: "commit"; readonly unit: Unit }
  | { readonly kind: "column"; readonly column: string; readonly unit: Unit | "identity" };

/** Hive's own word for a value that is null; here also for one that the change does not tell. */
const UNKNOWN = "__HIVE_DEFAULT_PARTITION__";
const CALL = /^(year|month|day|hour)\((.+)\)$/s;

/** `day` (of the commit), `day(created_at)`, `region`. */
export function parsePartition(text: string): Partition {
  const unit = UNITS.find((name) => name === text);
  if (unit !== undefined) return { kind: "commit", unit };
  const call = CALL.exec(text);
  if (call === null) return { kind: "column", column: text, unit: "identity" };
  return { kind: "column", column: call[2]!.trim(), unit: call[1] as Unit };
}

/**
 * The name of its folders, before the `=`: `commit_day`, `created_at_day`, `region_value`. Never that of a column: DuckDB
 * would take the folder's value in place of the row's, which is another where the folder is the default one, and pandas
 * reads no such folder at all.
 */
function folderKey(partition: Partition): string {
  if (partition.kind === "commit") return `commit_${partition.unit}`;
  return `${partition.column}_${partition.unit === "identity" ? "value" : partition.unit}`;
}

/** What keeps a table from being parted like this; null: nothing. */
export function partitionProblem(partition: Partition, schema: TableSchema): string | null {
  const key = folderKey(partition).toLowerCase();
  const taken = schema.columns.find(({ name }) => name.toLowerCase() === key);
  if (taken !== undefined) return `its column ${taken.name} has the name that the folders of a partition have`;
  if (partition.kind === "commit") return null;
  const column = schema.columns.find(({ name }) => name === partition.column);
  if (column === undefined) return `it has no column ${partition.column}`;
  const { kind } = column.type;
  const fits =
    partition.unit === "identity"
      ? kind === "text" || kind === "int" || kind === "bool" || kind === "date" || kind === "uuid"
      : kind === "timestamp" || (kind === "date" && partition.unit !== "hour");
  return fits
    ? null
    : `its column ${partition.column}, of type ${column.sourceType}, cannot be parted by ${partition.unit}`;
}

/** Some of a batch's rows, and the folder below the table's that they go to; "" where there are no partitions. */
export interface PartitionRows {
  readonly folder: string;
  readonly batch: ChangeBatch;
  /** Places of the rows in the batch that was parted, ascending; null: it is that batch. */
  readonly rows: Uint32Array | null;
}

/**
 * Parts a batch's rows by the folders they go to, in order within each. A row whose value is null or not known (a delete
 * tells its key alone; a snapshot's row has no commit) goes to Hive's default partition.
 */
export function partRows(batch: ChangeBatch, partitions: readonly Partition[]): readonly PartitionRows[] {
  if (partitions.length === 0) return [{ folder: "", batch, rows: null }];
  const byFolder = new Map<string, number[]>();
  const parts = partitions.map((partition) => ({
    key: pathPart(folderKey(partition)),
    value: valueOf(partition, batch),
  }));
  for (let row = 0; row < batch.length; row++) {
    const folder = parts.map(({ key, value }) => `${key}=${value(row)}`).join("/");
    const rows = byFolder.get(folder);
    if (rows === undefined) byFolder.set(folder, [row]);
    else rows.push(row);
  }
  const [only] = byFolder.keys();
  if (byFolder.size === 1) return [{ folder: only!, batch, rows: null }];
  return [...byFolder].map(([folder, places]) => {
    const rows = Uint32Array.from(places);
    return { folder, batch: selectRows(batch, rows), rows };
  });
}

/** The folder of a row that tells nothing but its transaction: that of a truncate. */
export function emptyRowFolder(partitions: readonly Partition[], commitTimeMs: number | null): string {
  return partitions
    .map((partition) => {
      const value =
        partition.kind === "commit" && commitTimeMs !== null ? timeText(commitTimeMs, partition.unit) : UNKNOWN;
      return `${pathPart(folderKey(partition))}=${value}`;
    })
    .join("/");
}

type ValueOf = (row: number) => string;

function valueOf(partition: Partition, batch: ChangeBatch): ValueOf {
  if (partition.kind === "commit") return commitValue(partition.unit, batch);
  const place = batch.schema.columns.findIndex(({ name }) => name === partition.column);
  const column = batch.columns[place];
  if (column === undefined) return () => UNKNOWN;
  const value = columnValue(column, partition.unit);
  return (row) => (isNull(column, row) || isAbsent(column, row) ? UNKNOWN : value(row));
}

function commitValue(unit: Unit, { runs }: ChangeBatch): ValueOf {
  if (runs.length === 0) return () => UNKNOWN;
  let run = 0;
  let text = timeText(runs[0]!.transaction.commitTimeMs, unit);
  return (row) => {
    if (runs[run + 1] === undefined || row < runs[run + 1]!.firstRow) return text;
    while (runs[run + 1] !== undefined && row >= runs[run + 1]!.firstRow) run++;
    text = timeText(runs[run]!.transaction.commitTimeMs, unit);
    return text;
  };
}

const DAY_MS = 86_400_000;

function columnValue(column: Column, unit: Unit | "identity"): ValueOf {
  const view = new DataView(column.values.buffer, column.values.byteOffset, column.values.byteLength);
  if (unit === "identity") return identity(column, view);
  if (column.type.kind === "date") return (row) => timeText(view.getInt32(row * 4, true) * DAY_MS, unit);
  return (row) => timeText(Number(view.getBigInt64(row * 8, true) / 1000n), unit);
}

function identity(column: Column, view: DataView): ValueOf {
  const { type } = column;
  switch (type.kind) {
    case "bool":
      return (row) => String(bit(column.values, row));
    case "int":
      return (row) => String(integer(view, row, type.bits));
    case "date":
      return (row) => timeText(view.getInt32(row * 4, true) * DAY_MS, "day");
    case "uuid":
      return (row) => uuidText(cellBytes(column, row));
    case "text":
      return (row) => textValue(new TextDecoder().decode(cellBytes(column, row)));
    case "float":
    case "decimal":
    case "json":
    case "bytes":
    case "time":
    case "timestamp":
      throw new MillraceError("INTERNAL", `a ${type.kind} column as a partition`);
    default:
      return assertNever(type);
  }
}

function integer(view: DataView, row: number, bits: Extract<LogicalType, { kind: "int" }>["bits"]): number | bigint {
  if (bits === 16) return view.getInt16(row * 2, true);
  return bits === 32 ? view.getInt32(row * 4, true) : view.getBigInt64(row * 8, true);
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** An empty value would be no folder, and file systems take names of at most 255 bytes. */
function textValue(text: string): string {
  const part = pathPart(text);
  return part === "" || Buffer.byteLength(part) > 200 ? UNKNOWN : part;
}

/** `2026`, `2026-11`, `2026-11-29`, `2026-11-29-05`, in UTC: each says the whole of it. */
function timeText(timeMs: number, unit: Unit): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  const year = date.getUTCFullYear();
  const padded = (value: number, digits = 2): string => String(value).padStart(digits, "0");
  const parts = [year < 0 ? `-${padded(-year, 4)}` : padded(year, 4)];
  if (unit !== "year") parts.push(padded(date.getUTCMonth() + 1));
  if (unit === "day" || unit === "hour") parts.push(padded(date.getUTCDate()));
  if (unit === "hour") parts.push(padded(date.getUTCHours()));
  return parts.join("-");
}
