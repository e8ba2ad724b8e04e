import { join } from "node:path";
import { expect, test } from "vitest";
import { quoteText } from "../../src/formats/duckdb-sql.ts";
import { TestMysqlDatabase } from "../support/mysql.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { type AnyDatabase, createDatabaseOn, type ServerName } from "../support/test-server.ts";

const SERVERS: readonly ServerName[] = ["postgres", "mysql", "mariadb"];
const SINK = { type: "parquet", "before-images": "true" } as const;

/** Each change of the table: its op and key, what is not known of it, the row as it was, and what of that is not known. */
async function changes(db: AnyDatabase, pipeline: TestPipeline): Promise<readonly (readonly unknown[])[]> {
  const folder = join(pipeline.lake, db instanceof TestMysqlDatabase ? db.database : "public", "t");
  return await pipeline.sinkRows(
    `SELECT _op, id, array_to_string(_unknown, ' '), _before::varchar, array_to_string(_before_unknown, ' ')
       FROM read_parquet(${quoteText(`${folder}/*.parquet`)}) WHERE _op <> 'r' ORDER BY _seq`,
  );
}

async function change(db: AnyDatabase, pipeline: TestPipeline): Promise<void> {
  await pipeline.catchUp();
  await db.query("UPDATE t SET v = 'b' WHERE id = 1");
  await db.query("UPDATE t SET id = 20, v = 'moved' WHERE id = 2");
  await db.query("DELETE FROM t WHERE id = 3");
  await db.query("INSERT INTO t VALUES (4, 'new', 'long')");
  await pipeline.catchUp();
  expect(await pipeline.differences(["t"])).toEqual([]);
}

test.each(SERVERS)("each row has what it was before, where the log tells all of it (%s)", async (server) => {
  await using db = await createDatabaseOn(server);
  await using pipeline = await testPipeline(db, { sink: SINK });
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(10), note text)");
  if (server === "postgres") await db.query("ALTER TABLE t REPLICA IDENTITY FULL");
  await db.query("INSERT INTO t VALUES (1, 'a', 'long'), (2, NULL, 'long'), (3, 'c', NULL)");
  await change(db, pipeline);
  expect(await changes(db, pipeline)).toEqual([
    ["u", 1, null, "{'id': 1, 'v': a, 'note': long}", null],
    ["d", 2, null, "{'id': 2, 'v': NULL, 'note': long}", null],
    ["c", 20, null, null, null],
    ["d", 3, null, "{'id': 3, 'v': c, 'note': NULL}", null],
    ["c", 4, null, null, null],
  ]);
});

test.each(SERVERS)("and says what it does not tell, apart from nulls (%s)", async (server) => {
  await using db = await createDatabaseOn(server);
  await using pipeline = await testPipeline(db, { sink: SINK });
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(10), note text)");
  if (server === "postgres") await db.query("ALTER TABLE t ALTER note SET STORAGE EXTERNAL");
  else await db.query("SET SESSION binlog_row_image = MINIMAL");
  await db.query("INSERT INTO t VALUES (1, 'a', repeat('long', 2000)), (2, NULL, NULL), (3, 'c', NULL)");
  await change(db, pipeline);
  const key = (id: number): readonly string[] => [`{'id': ${id}, 'v': NULL, 'note': NULL}`, "v note"];
  expect(await changes(db, pipeline)).toEqual([
    // Of an update that leaves the key as it is, PostgreSQL's log has nothing from before.
    ["u", 1, "note", ...(server === "postgres" ? [null, null] : key(1))],
    ["d", 2, null, ...key(2)],
    ["c", 20, null, null, null],
    ["d", 3, null, ...key(3)],
    ["c", 4, null, null, null],
  ]);
});
