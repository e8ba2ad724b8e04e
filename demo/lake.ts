import { readdir, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { lakeViews } from "../test/support/lake.ts";
import { projectRoot } from "../test/support/project-root.ts";
import type { Destination } from "./destination.ts";
import { count, dim, heading, printTable, red, say } from "./terminal.ts";

const FOLDER = join(projectRoot, "demo", "lake");
/** Of views alone. */
const VIEWS = join(projectRoot, "demo", "lake.duckdb");
const STAGED = ".staged";

/** A folder of Parquet files, in which every change is kept; a table's rows are what they come to. */
export const LAKE: Destination = {
  title: "Parquet files",
  label: "Parquet",
  noun: "lake",
  pipelineFile: "pipeline-parquet.yaml",
  example: "postgres-to-parquet.yaml",
  leaves: ["lake", "lake.duckdb", "lake.duckdb.wal", ".millrace"],
  question: '--sink parquet "select status, count(*) from public.orders group by 1"',
  readable: () => lakeViews(FOLDER, VIEWS),
  tellKilled,
  size,
  tellMore,
};

interface LakeFile {
  /** Below the lake's own. */
  readonly folder: string;
  readonly name: string;
  readonly bytes: number;
}

async function lakeFiles(): Promise<readonly LakeFile[]> {
  const entries = await readdir(FOLDER, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(
    files.map(async ({ parentPath, name }) => ({
      folder: relative(FOLDER, parentPath),
      name,
      bytes: (await stat(join(parentPath, name))).size,
    })),
  );
}

function isStaged({ folder }: LakeFile): boolean {
  return folder.split("/")[0] === STAGED;
}

function isData(file: LakeFile): boolean {
  return file.name.endsWith(".parquet") && !isStaged(file);
}

async function tellKilled(): Promise<void> {
  const staged = (await lakeFiles()).filter(isStaged).length;
  say(`  Of the epoch under way it left ${count(staged)} staged files, in a folder that no reader looks into.`);
}

async function size(): Promise<string> {
  const files = (await lakeFiles()).filter(isData);
  return `${megabytes(files)} MB in ${count(files.length)} files in demo/lake`;
}

function megabytes(files: readonly LakeFile[]): string {
  return (files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(1);
}

async function tellMore(warehouse: DuckDBConnection): Promise<boolean> {
  heading("7  The files");
  const files = await lakeFiles();
  tellFolders(files);
  const staged = files.filter(isStaged).length;
  const text = `  Staged files that are left: ${count(staged)}.`;
  say(staged === 0 ? text : red(text));
  say(dim("  The demo commits twice a second; an interval of a minute makes fewer and larger files."));
  await tellHistory(warehouse);
  return staged === 0;
}

function tellFolders(files: readonly LakeFile[]): void {
  const data = files.filter(isData);
  const folders = [...new Set(data.map(({ folder }) => folder))].sort();
  const rows = folders.map((folder) => {
    const inIt = data.filter((file) => file.folder === folder);
    const largest = Math.max(...inIt.map(({ bytes }) => bytes));
    return [`demo/lake/${folder}`, count(inIt.length), megabytes(inIt), (largest / 1e6).toFixed(1)];
  });
  printTable([["folder", "files", "MB", "largest"], ...rows], (line) => line);
  say();
  const [beside] = files.filter(({ folder, name }) => name === "present.sql" && folder.includes("orders"));
  if (beside !== undefined)
    say(`  The rows compared above are what ${dirname(beside.folder)}/_schema/present.sql makes of the changes.`);
}

const ORDERS = "demo/lake/public/orders/*.parquet";

/** `_op`: c, u and d are created, updated and deleted; r was read by the snapshot. */
const HISTORY = `with steps as (
  select *, lag(status) over (partition by id order by _seq) as before
  from '${ORDERS}'
)
select case _op when 'c' then 'placed'
                when 'd' then coalesce(before, 'not read yet') || ', then cancelled'
                else before || ', then ' || status end as step,
  count(*) as orders,
  strftime(min(_commit_ts), '%H:%M:%S') as first, strftime(max(_commit_ts), '%H:%M:%S') as last
from steps
where _op in ('c', 'd') or (_op = 'u' and status <> before)
group by step order by orders desc`;

async function tellHistory(warehouse: DuckDBConnection): Promise<void> {
  heading("8  What the table itself could not answer: how its orders got here");
  for (const line of HISTORY.split("\n")) say(dim(`  ${line}`));
  say();
  const result = await warehouse.runAndReadAll(HISTORY.replace(ORDERS, join(projectRoot, ORDERS)));
  const rows = result
    .getRows()
    .map((row) => row.map((cell) => (typeof cell === "bigint" ? count(cell) : String(cell))));
  printTable([result.columnNames(), ...rows], (line) => line);
}
