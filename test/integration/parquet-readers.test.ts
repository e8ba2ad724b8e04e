import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDatabase } from "../support/postgres.ts";
import { PythonReader } from "../support/python-reader.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkload } from "../support/workload.ts";

async function dataFiles(folder: string): Promise<readonly string[]> {
  if (!existsSync(folder)) return [];
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith(".parquet"));
}

/** By reader and path, the size that a file was met with. */
type Seen = Map<string, readonly [number, number]>;

/** Has both readers go through the folder. Whatever they met before is the same. */
async function look(python: PythonReader, folder: string, seen: Seen): Promise<void> {
  for (const [reader, files] of Object.entries(await python.look(folder)))
    for (const [path, size] of Object.entries(files)) {
      const known = seen.get(`${reader} ${path}`) ?? size;
      expect(size, `${reader} ${path}`).toEqual(known);
      seen.set(`${reader} ${path}`, size);
    }
}

test("who reads the folder while it is written meets whole files alone, whichever way", async () => {
  await using db = await createDatabase();
  await using workload = await createWorkload(db, { seed: 31, rows: 4_000, writers: 2, longStatements: 100 });
  const { tables } = workload;
  const sink = { type: "parquet", "row-group.size": "64kB", "page.size": "4KiB" };
  await using pipeline = await testPipeline(db, { sink, checkpointInterval: "400ms", tables });
  await using python = new PythonReader();
  const folders = tables.map((table) => join(pipeline.lake, "public", table));
  const seen: Seen = new Map();
  workload.start();
  const run = pipeline.run();
  let grown = 0;
  const meeting = async (): Promise<boolean> => {
    expect(run.hasEnded, run.output).toBe(false);
    const before = seen.size;
    for (const folder of folders) if ((await dataFiles(folder)).length > 0) await look(python, folder, seen);
    if (seen.size > before) grown++;
    return grown >= 8;
  };
  await waitFor("files to be met while others come", meeting, 120_000);
  await workload.stop();
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  let files = 0;
  for (const folder of folders) {
    await look(python, folder, seen);
    files += (await dataFiles(folder)).length;
    const { duckdb, pyarrow, wholeFolder } = await python.rows(folder);
    expect(duckdb.names).toEqual(pyarrow.names);
    expect(duckdb.cells).toEqual(pyarrow.cells);
    expect(wholeFolder).toBe(duckdb.cells[0]!.length);
  }
  // Each by both, and nothing else.
  expect(seen.size).toBe(files * 2);
});
