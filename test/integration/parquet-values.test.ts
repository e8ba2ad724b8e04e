import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createMysqlDatabase } from "../support/mysql.ts";
import { typeTable } from "../support/mysql-type-cases.ts";
import { changeTypeTables, createTypeTables } from "../support/postgres-type-tables.ts";
import { createDatabase } from "../support/postgres.ts";
import { projectRoot } from "../support/project-root.ts";
import { type PythonLeaf, PythonReader } from "../support/python-reader.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";

/** What a policy decides is another test's. Of the last year that DuckDB has, it prints the wrong second. */
function holdable(type: string, value: string): boolean {
  if (type.startsWith("numeric(")) return !value.includes("NaN");
  if (/^(date|timestamp)/.test(type) && !type.endsWith("[]") && value.includes("infinity")) return false;
  return !/'2942[47][0-9]/.test(value);
}

/** Both readers find the same cells in a table's files. */
async function expectSameCells(python: PythonReader, folder: string): Promise<void> {
  const { duckdb, pyarrow } = await python.rows(folder);
  expect(pyarrow.names).toEqual(duckdb.names);
  for (const [i, name] of duckdb.names.entries()) expect(pyarrow.cells[i], name).toEqual(duckdb.cells[i]);
}

test("every type of PostgreSQL arrives as a SELECT prints it, by snapshot and log", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { parallelism: 1, sink: { type: "parquet" } });
  const tables = await createTypeTables(db, holdable);
  await pipeline.catchUp();
  await pipeline.expectEqual(tables);
  await changeTypeTables(db, tables);
  await pipeline.catchUp();
  expect(await pipeline.differences(tables)).toEqual([]);
  await using python = new PythonReader();
  for (const table of tables) await expectSameCells(python, join(pipeline.lake, "public", table));
});

test.each(["mysql", "mariadb"] as const)("so does every type of %s", async (flavour) => {
  await using db = await createMysqlDatabase(flavour);
  await db.query("SET time_zone = '+00:00'");
  for (const sql of typeTable(flavour)) await db.query(sql);
  await using pipeline = await testPipeline(db, { parallelism: 1, sink: { type: "parquet" } });
  await pipeline.catchUp();
  await pipeline.expectEqual(["types"]);
  await db.query("CREATE TEMPORARY TABLE again AS SELECT * FROM types");
  await db.query("UPDATE again SET id = id + 1000");
  await db.query("INSERT INTO types SELECT * FROM again");
  await db.query("UPDATE types SET id = id + 5000 WHERE id < 3");
  await pipeline.catchUp();
  expect(await pipeline.differences(["types"])).toEqual([]);
  await using python = new PythonReader();
  await expectSameCells(python, join(pipeline.lake, db.database, "types"));
});

test("zeros of either sign are two values, in rows with a key and without", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  await db.query("CREATE TABLE keyed (id int PRIMARY KEY, f real, d float8); CREATE TABLE bare (f real, d float8)");
  await db.query(
    "CREATE TABLE keys (f real, d float8, v int, PRIMARY KEY (f, d)); INSERT INTO keys VALUES ('-0', 'NaN'), (0.1, '-0')",
  );
  await db.query("ALTER TABLE bare REPLICA IDENTITY FULL");
  await db.query("INSERT INTO keyed VALUES (1, '0', '-0'), (2, '-0', '0')");
  await db.query("INSERT INTO bare VALUES ('0', 0), ('-0', 0), ('-0', 0), ('0', '-0'), (NULL, 'NaN'), ('NaN', NULL)");
  await pipeline.catchUp();
  expect(await pipeline.differences(["keyed", "keys", "bare"])).toEqual([]);
  await db.query("UPDATE keyed SET f = d, d = f; INSERT INTO bare VALUES ('-0', '-0'), ('-0', 0)");
  await db.query("UPDATE keys SET v = 1; UPDATE keys SET d = '0' WHERE d = 0");
  await db.query("DELETE FROM bare WHERE ctid = (SELECT min(ctid) FROM bare WHERE f::text = '0' AND d::text = '0')");
  await pipeline.catchUp();
  expect(await pipeline.differences(["keyed", "keys", "bare"])).toEqual([]);
});

const UNHELD = [
  "(1, 'NaN', '2026-01-01', '2026-01-01', '2026-01-01')",
  "(2, 1.5, 'infinity', '-infinity', 'infinity')",
  "(3, 1.5, '-infinity', '294247-02-01', '2026-01-01')",
  "(4, -2.5, '2026-01-01', '2026-01-01 00:00:00.5', '2026-01-01 01:02:03.000004+02')",
];
const HELD = [
  [1, null, "2026-01-01", "2026-01-01 00:00:00", "2026-01-01 00:00:00"],
  [2, "1.50", null, null, null],
  [3, "1.50", null, null, "2026-01-01 00:00:00"],
  [4, "-2.50", "2026-01-01", "2026-01-01 00:00:00.5", "2025-12-31 23:02:03.000004"],
];

test("NaN and the infinities, which a file's types do not have, stop their table or become what the policy says", async () => {
  await using db = await createDatabase();
  const sink = { type: "parquet" };
  await using pipeline = await testPipeline(db, { sink });
  await db.query(
    "CREATE TABLE t (id int PRIMARY KEY, amount numeric(10,2), day date, local timestamp, at timestamptz); CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)",
  );
  await db.query(`INSERT INTO t VALUES ${UNHELD[1]!}`);
  await using run = pipeline.run(["--until", "caught-up"]);
  expect(await run.exit(), run.output).toEqual({ code: 1, signal: null });
  expect(run.stdout).toMatch(/table public\.t has stopped: VALUE_UNREPRESENTABLE: .*day/);
  expect(await pipeline.differences(["other"])).toEqual([]);

  await db.query("DELETE FROM t");
  await pipeline.write({ sink, source: { "unrepresentable-values": "null" } });
  await changedByBothPaths(pipeline, ["--resnapshot", "public.t", "--resnapshot", "public.other"], async (first) => {
    await db.query(`INSERT INTO t VALUES ${(first ? UNHELD.slice(0, 2) : UNHELD.slice(2)).join(", ")}`);
  });
  const shown = `id, amount::varchar, day::varchar, "local"::varchar, timezone('UTC', "at")::varchar`;
  expect(await pipeline.sinkRows(`SELECT ${shown} FROM public.t ORDER BY id`)).toEqual(HELD);
});

/** Has the rows come half by the snapshot and half by the log. */
async function changedByBothPaths(
  pipeline: TestPipeline,
  args: readonly string[],
  insert: (first: boolean) => Promise<void>,
): Promise<void> {
  await insert(true);
  await using run = pipeline.run(["--until", "caught-up", ...args]);
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await insert(false);
  await pipeline.catchUp();
}

test("as text they are kept to the letter, by both paths", async () => {
  await using db = await createDatabase();
  const source = { "unrepresentable-values": "text" };
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" }, source });
  await db.query(
    "CREATE TABLE t (id int PRIMARY KEY, amount numeric(10,2), day date, local timestamp, at timestamptz)",
  );
  await changedByBothPaths(pipeline, [], async (first) => {
    await db.query(`INSERT INTO t VALUES ${(first ? UNHELD.slice(0, 2) : UNHELD.slice(2)).join(", ")}`);
  });
  expect(await pipeline.differences(["t"])).toEqual([]);
});

/** The lines of the page's table: a logical type, what the file has, and what the readers make of it. */
async function typeLines(): Promise<readonly (readonly string[])[]> {
  const page = await readFile(join(projectRoot, "docs", "types.md"), "utf8");
  const [, section = ""] = page.split("\n## In Parquet files\n");
  const lines = section.split("\n## ")[0]!.split("\n");
  const table = lines.filter((line) => line.startsWith("| ")).slice(2);
  return table.map((line) =>
    line
      .slice(2, -2)
      .split(" | ")
      .map((cell) => cell.replaceAll("`", "").trim()),
  );
}

/** A type of PostgreSQL that becomes each logical type of the page. */
const OF_LOGICAL_TYPE: Readonly<Record<string, string>> = {
  bool: "boolean",
  int16: "smallint",
  int32: "integer",
  int64: "bigint",
  float32: "real",
  float64: "float8",
  "decimal(p,s), p ≤ 9": "numeric(9,2)",
  "decimal(p,s), p ≤ 18": "numeric(18,6)",
  "decimal(p,s), p ≤ 38": "numeric(38,10)",
  text: "text",
  json: "jsonb",
  bytes: "bytea",
  uuid: "uuid",
  date: "date",
  time: "time",
  timestamp: "timestamp",
  "timestamp with zone": "timestamptz",
};

/** In the words of the format's own pages. */
function parquetText({ physical, logical }: PythonLeaf): string {
  const type = String(logical["Type"]).toUpperCase();
  const zone = logical["isAdjustedToUTC"] === true ? "UTC" : "local";
  const annotations: Readonly<Record<string, string>> = {
    INT: `INT(${String(logical["bitWidth"])}, ${logical["isSigned"] === true ? "signed" : "unsigned"})`,
    TIME: `TIME(${zone}, ${String(logical["timeUnit"])})`,
    TIMESTAMP: `TIMESTAMP(${zone}, ${String(logical["timeUnit"])})`,
    DECIMAL: "DECIMAL(p,s)",
  };
  return type === "NONE" ? physical : `${physical}, ${annotations[type] ?? type}`;
}

test("docs/types.md says what the files have, and what DuckDB and pyarrow make of it", async () => {
  const lines = await typeLines();
  await using db = await createDatabase();
  const columns = Object.values(OF_LOGICAL_TYPE).map((type, i) => `c${i} ${type}`);
  await db.query(`CREATE TABLE t (id int PRIMARY KEY, ${columns.join(", ")}); INSERT INTO t VALUES (1)`);
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  await pipeline.catchUp();
  await using python = new PythonReader();
  const folder = join(pipeline.lake, "public", "t");
  const file = readdirSync(folder).find((name) => name.endsWith(".parquet"))!;
  const { leaves, types } = await python.read(join(folder, file));
  const { duckdb } = await python.rows(folder);
  const found = Object.keys(OF_LOGICAL_TYPE).map((logical, i) => {
    const read = [duckdb.types[i + 1]!, types[i + 1]!].map((type) => type.replace(/\(\d+, ?\d+\)$/, "(p,s)"));
    return [logical, parquetText(leaves[i + 1]!), ...read];
  });
  expect(found).toEqual(lines);
});
