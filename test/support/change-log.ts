import { DuckDBInstance } from "@duckdb/node-api";
import { quoteText } from "../../src/formats/duckdb-sql.ts";
import { parseFileName } from "../../src/sinks/parquet/layout.ts";
import { duckdbTexts } from "./compare.ts";
import type { Cell, TextTable } from "./text-table.ts";

/** A row of the Parquet files. `position` and `commitTime` are null of rows that no transaction of the log made. */
export interface LoggedChange {
  readonly sequence: bigint;
  readonly op: string;
  readonly commitTime: string | null;
  readonly position: string | null;
  /** Names of columns. */
  readonly unknown: readonly string[];
  /** The table's, as the file's name has it. */
  readonly incarnation: number;
  readonly cells: readonly Cell[];
}

/** All that the files of a table say, in the order of `_seq`. */
export interface ChangeLog {
  readonly columns: readonly string[];
  readonly changes: readonly LoggedChange[];
}

const CHANGE = ["_seq", "_op", "_commit_ts", "_position", "_unknown", "filename"] as const;

/** `columns`: those of the source, in whose texts the cells are. */
export async function readChangeLog(folder: string, columns: readonly string[]): Promise<ChangeLog> {
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "512MB" });
  const connection = await instance.connect();
  try {
    const files = quoteText(`${folder}/**/*.parquet`);
    const relation = `(SELECT * REPLACE (to_json(_unknown) AS _unknown)
      FROM read_parquet(${files}, union_by_name = true, hive_partitioning = false, filename = true))`;
    const read = await duckdbTexts(connection, relation, [...CHANGE, ...columns], "_seq");
    const own = read.columns.slice(CHANGE.length);
    return { columns: own, changes: read.rows.map(changeOf) };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function changeOf(row: readonly Cell[]): LoggedChange {
  const [sequence, op, commitTime, position, unknown, file] = row;
  return {
    sequence: BigInt(sequence!),
    op: op!,
    commitTime: commitTime!,
    position: position!,
    unknown: unknown === null ? [] : (JSON.parse(unknown!) as string[]),
    incarnation: parseFileName(file!)!.incarnation,
    cells: row.slice(CHANGE.length),
  };
}

/** Of a change: the cells of the key, and of a table without one all of them. */
function keyOf(columns: readonly string[], key: readonly string[], cells: readonly Cell[]): string {
  return JSON.stringify(key.length === 0 ? cells : key.map((name) => cells[columns.indexOf(name)]));
}

/**
 * The rows that the changes leave, by following them one after the other: nothing of it is taken from the query that lies
 * beside the files.
 */
export function followed({ columns, changes }: ChangeLog, key: readonly string[]): TextTable {
  const rows = key.length === 0 ? followedWithoutKey(changes) : followedByKey({ columns, changes }, key);
  return { columns, key, rows };
}

function followedByKey({ columns, changes }: ChangeLog, key: readonly string[]): readonly (readonly Cell[])[] {
  const rows = new Map<string, readonly Cell[]>();
  for (const { op, cells, unknown } of changes) {
    const id = keyOf(columns, key, cells);
    if (op === "t") rows.clear();
    else if (op === "d") rows.delete(id);
    else if (unknown.length === 0) rows.set(id, cells);
    else {
      const row = rows.get(id);
      // Its chunk will bring it, or it was gone before it could be asked for.
      if (row === undefined) continue;
      rows.set(
        id,
        cells.map((cell, i) => (unknown.includes(columns[i]!) ? row[i]! : cell)),
      );
    }
  }
  return [...rows.values()];
}

function followedWithoutKey(changes: readonly LoggedChange[]): readonly (readonly Cell[])[] {
  const counts = new Map<string, number>();
  for (const { op, cells } of changes) {
    const row = JSON.stringify(cells);
    const count = counts.get(row) ?? 0;
    if (op === "t") counts.clear();
    else counts.set(row, op === "d" ? Math.max(0, count - 1) : count + 1);
  }
  return [...counts].flatMap(([row, count]) => Array.from({ length: count }, () => JSON.parse(row) as Cell[]));
}

/**
 * What is wrong with the order of a table's changes: a number of which there are two, a place in the log behind a later
 * one, and per key a commit before an earlier one, or a row of the snapshot that came twice.
 */
export function orderMistakes({ columns, changes }: ChangeLog, key: readonly string[]): readonly string[] {
  const mistakes: string[] = [];
  const commits = new Map<string, string>();
  const read = new Set<string>();
  let place: readonly bigint[] = [];
  let last = -1n;
  for (const { sequence, op, cells, commitTime, position, incarnation } of changes) {
    if (sequence <= last) mistakes.push(`${sequence} is there twice`);
    last = sequence;
    const id = keyOf(columns, key, cells);
    if (op === "r" && key.length > 0) {
      if (read.has(`${incarnation} ${id}`)) mistakes.push(`${id} was read twice`);
      read.add(`${incarnation} ${id}`);
    }
    if (position === null || commitTime === null) continue;
    const here = placeNumbers(position);
    if (isBefore(here, place)) mistakes.push(`${sequence} is at ${position}, behind a later place`);
    place = here;
    if (commitTime < (commits.get(id) ?? ""))
      mistakes.push(`${sequence} has a commit before that of an earlier change`);
    commits.set(id, commitTime);
  }
  return mistakes;
}

/** `0/16B3748`, or `binlog.000012:4711`. */
function placeNumbers(position: string): readonly bigint[] {
  const [, file, offset] = /(\d+):(\d+)$/.exec(position) ?? [];
  if (file !== undefined) return [BigInt(file), BigInt(offset!)];
  return position.split("/").map((half) => BigInt(`0x${half}`));
}

function isBefore([file, offset]: readonly bigint[], [lastFile, lastOffset]: readonly bigint[]): boolean {
  if (lastFile === undefined) return false;
  return file! < lastFile || (file === lastFile && offset! < lastOffset!);
}
