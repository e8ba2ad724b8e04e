import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { quoteText } from "../../src/formats/duckdb-sql.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { PythonReader } from "../support/python-reader.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn, type ServerName } from "../support/test-server.ts";

const LONG = "x".repeat(300);
/** No folder can be called like that: rows with such a value are in the default one. */
const HOMELESS = [null, "", LONG];
const ODD = [
  "eu",
  "a/b",
  "x=y",
  " two  words ",
  "ünï ☃ 漢",
  "%41",
  ".hidden",
  "_under",
  "*?[a-z]{b}",
  `q"'`,
  "back\\slash",
  "..",
];

/** The folders that have files, below a table's. */
async function foldersOf(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true });
  const found = names.filter((name) => name.endsWith(".parquet")).map((name) => dirname(name));
  return [...new Set(found)].toSorted();
}

async function regions(db: TestDatabase): Promise<void> {
  await db.query("CREATE TABLE regions (id int PRIMARY KEY, region text, made timestamptz)");
  await db.query("ALTER TABLE regions REPLICA IDENTITY FULL");
  for (const [i, region] of [...ODD, ...HOMELESS].entries())
    await db.query("INSERT INTO regions VALUES ($1, $2, '2026-03-31 23:30:00+00')", [i, region]);
}

/** Rows that lie in another folder than that of their value; the folder's value as DuckDB makes it out. */
function misplaced(pipeline: TestPipeline): string {
  const files = quoteText(join(pipeline.lake, "public/regions/**/*.parquet"));
  const homeless = `region IS NULL OR region = '' OR length(region) > 200`;
  return `SELECT region, region_value, _op FROM read_parquet(${files}, hive_types_autocast = false)
    WHERE region_value IS DISTINCT FROM CASE WHEN ${homeless} THEN NULL ELSE region END
       OR made_month IS DISTINCT FROM strftime(made AT TIME ZONE 'UTC', '%Y-%m')`;
}

test("rows lie in the folders of their values, however odd, and every reader finds the values in the rows", async () => {
  await using db = await createDatabase();
  await regions(db);
  await db.query("CREATE TABLE plain (id int PRIMARY KEY, day date, flag boolean, n bigint, u uuid)");
  await db.query(
    "INSERT INTO plain SELECT i, date '2026-01-01' + i, i % 2 = 0, i, md5(i::text)::uuid FROM generate_series(1, 3) i",
  );
  await db.query("CREATE TABLE whole (id int PRIMARY KEY)");
  const rules = `{public.regions: 'region, month(made)', public.pl\\.*: 'flag, n, u, year(day), day(day)', other.\\.*: none}`;
  await using pipeline = await testPipeline(db, {
    sink: { type: "parquet", "partition.by": rules },
  });
  await pipeline.catchUp();
  await db.query(
    "UPDATE regions SET region = region || '2' WHERE id < 3; UPDATE regions SET made = '1999-12-31' WHERE id = 3",
  );
  await db.query("DELETE FROM regions WHERE id = 4; INSERT INTO whole VALUES (1); DELETE FROM plain WHERE id = 1");
  await pipeline.catchUp();
  expect(await pipeline.differences(["regions", "plain", "whole"])).toEqual([]);
  expect(await pipeline.sinkRows(misplaced(pipeline))).toEqual([]);
  await db.query("TRUNCATE regions; INSERT INTO regions VALUES (1, 'a/b', NULL)");
  await pipeline.catchUp();
  expect(await pipeline.differences(["regions"])).toEqual([]);

  expect(await foldersOf(join(pipeline.lake, "public/whole"))).toEqual(["."]);
  const folders = await foldersOf(join(pipeline.lake, "public/plain"));
  expect(folders).toContain(
    "flag_value=true/n_value=2/u_value=c81e728d-9d4c-2f63-6f06-7f89cc14862c/day_year=2026/day_day=2026-01-03",
  );
  // The delete tells the key alone.
  expect(folders.filter((name) => name.startsWith("flag_value=__HIVE_DEFAULT_PARTITION__/n_value=__"))).toHaveLength(1);
  await using python = new PythonReader();
  const { duckdb, pyarrow, wholeFolder } = await python.rows(join(pipeline.lake, "public/regions"));
  expect(duckdb.cells).toEqual(pyarrow.cells);
  expect(wholeFolder).toBe(duckdb.cells[0]!.length);
  expect(duckdb.cells[1]).toContain(LONG);
});

test.each(["postgres", "mysql", "mariadb"] as readonly ServerName[])(
  "parted by the time of the commit (%s)",
  async (server) => {
    await using db = await createDatabaseOn(server);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(10))");
    await db.query("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    const sink = { type: "parquet", "partition.by": "'day, hour'", layout: "'raw/db={schema}/{table} files'" };
    await using pipeline = await testPipeline(db, { sink });
    await pipeline.catchUp();
    await db.query("UPDATE t SET v = 'c' WHERE id = 1");
    await db.query("DELETE FROM t WHERE id = 2");
    await pipeline.catchUp();
    const folder = `raw/db=${server === "postgres" ? "public" : db.database}/t files`;
    const [files] = [quoteText(join(pipeline.lake, folder, "**/*.parquet"))];
    const rows = await pipeline.sinkRows(
      `SELECT id, _op, commit_day = strftime(_commit_ts AT TIME ZONE 'UTC', '%Y-%m-%d'), commit_hour = strftime(_commit_ts AT TIME ZONE 'UTC', '%Y-%m-%d-%H')
       FROM read_parquet(${files}, hive_types_autocast = false) ORDER BY _seq`,
    );
    // A row of the snapshot has no commit: it is in the default folders.
    expect(rows).toEqual([
      [1, "r", null, null],
      [2, "r", null, null],
      [1, "u", true, true],
      [2, "d", true, true],
    ]);
  },
);
