import type { ErrorCode } from "../core/error-codes.ts";
import { MillraceError } from "../core/errors.ts";
import type { TablePart } from "../core/record.ts";
import type { TableId } from "../core/table-schema.ts";

export interface StoppedTable {
  readonly table: TableId;
  readonly code: ErrorCode;
  readonly message: string;
}

/** The tables that the record has as stopped, and those that stop `now`. */
export function stoppedTables(
  tables: ReadonlyMap<TableId, TablePart>,
  now: ReadonlyMap<TableId, MillraceError> = new Map(),
): readonly StoppedTable[] {
  const stopped = [...now].map(([table, { code, message }]) => ({ table, code, message }));
  for (const [table, { state }] of tables)
    if (state.kind === "stopped") stopped.push({ table, code: state.code, message: state.message });
  return stopped;
}

export function allTablesStopped(stopped: readonly StoppedTable[]): MillraceError {
  const list = stopped.map(({ table, code, message }) => `${table} (${code}: ${message})`).join("; ");
  return new MillraceError("ALL_TABLES_STOPPED", `every table of the pipeline has stopped: ${list}`);
}
