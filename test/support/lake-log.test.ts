import { mkdirSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LakeLog } from "./lake-log.ts";
import { type TempFolder, tempFolder } from "./temp-folder.ts";

let duckdb: DuckDBInstance;
beforeAll(async () => {
  duckdb = await DuckDBInstance.create(":memory:");
});
afterAll(() => duckdb.closeSync());

/** Rows as SQL writes them: op, key, value, sequence, transaction. */
async function write(folder: TempFolder, table: string, column: string, rows: readonly string[]): Promise<void> {
  mkdirSync(folder.file(table), { recursive: true });
  const connection = await duckdb.connect();
  const columns = `_op, id, ${column}, _seq, _tx`;
  const select = `SELECT *, NULL::varchar[] AS _unknown FROM (VALUES ${rows.map((row) => `(${row})`).join(", ")}) v(${columns})`;
  await connection.run(`COPY (${select}) TO '${folder.file(table)}/a.parquet'`);
  connection.closeSync();
}

const STEPS = ["'r', 1, 2, 1, NULL", "'c', 2, 1, 20, 'x'", "'c', 3, 2, 30, 'y'"];
const TALLY = ["'r', 7, 5, 10, NULL", "'u', 7, 6, 21, 'x'", "'u', 7, 7, 31, 'y'", "'u', 8, 1, 32, 'y'"];

async function faults(tally: readonly string[], steps: readonly string[] = STEPS): Promise<readonly string[]> {
  await using folder = tempFolder();
  await write(folder, "steps", "touched", steps);
  await write(folder, "tally", "n", tally);
  await using log = await LakeLog.open(folder.path);
  return await log.tallyFaults();
}

test("a log that has every change once has no fault", async () => {
  expect(await faults(TALLY)).toEqual([]);
});

test("what was delivered twice, not at all or in another order is found", async () => {
  expect(await faults([...TALLY, "'u', 7, 7, 33, 'y'"])).toEqual([
    "tally: 7 goes by 0 to 7 by u",
    "tally: step 3 has 3 rows and not 2",
  ]);
  expect(await faults([...TALLY, "'u', 9, 1, 32, 'z'"])).toContain("_seq 32 is there twice");
  expect(await faults(TALLY.toSpliced(1, 1))).toEqual([
    "tally: 7 goes by 2 to 7 by u",
    // The first that is in both begins the count of steps.
  ]);
  expect(await faults(TALLY.toSpliced(3, 1))).toEqual(["tally: step 3 has 1 rows and not 2"]);
  expect(await faults([...TALLY, "'r', 8, 0, 40, NULL"])).toEqual(["tally: 8 goes by -1 to 0 by r"]);
});

test("changes of a key that cannot follow each other are found", async () => {
  expect(await faults(TALLY, [...STEPS, "'c', 3, 2, 40, 'y'"])).toContain("steps: 3 c then c at 40");
  expect(await faults([...TALLY, "'d', 8, 1, 40, 'y'", "'r', 8, 1, 41, NULL"])).toContain("tally: 8 d then r at 41");
  const emptied = ["'t', NULL, NULL, 40, NULL", "'r', 8, 1, 41, NULL"];
  expect(await faults([...TALLY, ...emptied])).toEqual([]);
});
