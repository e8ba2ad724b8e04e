import { DuckDBInstance } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { tableDifferences } from "./compare.ts";
import { createDatabase } from "./postgres.ts";
import { tempFolder } from "./temp-folder.ts";

async function inDuckdb(file: string, ...statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(file);
  const connection = await instance.connect();
  for (const statement of statements) await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
}

it("finds rows equal whose values are, in whatever order and whatever each database prints", async () => {
  await using db = await createDatabase();
  await using folder = tempFolder();
  const duckdb = folder.file("target.duckdb");
  const row = `true, 12.50, 1e20, '2026-01-02 03:04:05.600+02', '2026-01-02 03:04:05', '08:00:00.25'`;
  await db.query(
    `CREATE TABLE t (id bigint PRIMARY KEY, b boolean, n numeric(12,2), f float8, z timestamptz, s timestamp, h time, x bytea, u uuid)`,
  );
  const uuid = "'0f0e0d0c-0b0a-0908-0706-050403020100'";
  await db.query(
    `INSERT INTO t VALUES (1, ${row}, '\\x00ff', ${uuid}), (2, null, -1, 'infinity', null, null, null, '', null)`,
  );
  await inDuckdb(
    duckdb,
    `CREATE TABLE t (id bigint, b boolean, n decimal(12,2), f double, z timestamptz, s timestamp, h time, x blob, u uuid)`,
    `INSERT INTO t VALUES (2, null, -1, 'inf', null, null, null, '', null), (1, ${row}, '\\x00\\xFF'::blob, ${uuid})`,
  );
  expect(await tableDifferences({ source: db, table: "t", duckdb, target: "t" })).toEqual([]);
});

it("tells which keys differ and how, and counts identical rows", async () => {
  await using db = await createDatabase();
  await using folder = tempFolder();
  const duckdb = folder.file("target.duckdb");
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
  await db.query("INSERT INTO t VALUES (1, 'same'), (2, 'here'), (3, 'missing'), (5, null)");
  await db.query("CREATE TABLE bag (v text)");
  await db.query("INSERT INTO bag VALUES ('a'), ('a'), ('b')");
  await inDuckdb(
    duckdb,
    "CREATE TABLE t (id int, v varchar)",
    "INSERT INTO t VALUES (1, 'same'), (2, 'there'), (4, 'extra'), (5, '')",
    "CREATE TABLE bag (v varchar)",
    "INSERT INTO bag VALUES ('a'), ('b'), ('b')",
  );
  expect(await tableDifferences({ source: db, table: "t", duckdb, target: "t" })).toEqual([
    "t: 4 rows in the source, 4 in the target; 3 missing, 3 unexpected",
    "(id=2): v is here, in the target there",
    "(id=3): missing in the target",
    "(id=5): v is null, in the target ",
    "(id=4): in the target alone",
  ]);
  expect(await tableDifferences({ source: db, table: "bag", duckdb, target: "bag" })).toEqual([
    "bag: 3 rows in the source, 3 in the target; 1 missing, 1 unexpected",
    "(v=a): missing in the target",
    "(v=b): in the target alone",
  ]);
});
