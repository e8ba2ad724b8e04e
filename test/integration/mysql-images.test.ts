import { expect, test } from "vitest";
import { createMysqlDatabase, type TestMysqlDatabase } from "../support/mysql.ts";
import { Random } from "../support/random.ts";
import { testPipeline } from "../support/test-pipeline.ts";

const ROWS = 500;
const CHANGES = 400;

async function filled(db: TestMysqlDatabase): Promise<void> {
  await db.query(
    `CREATE TABLE t (id int PRIMARY KEY, a int, j json, note text,
       doubled int AS (a * 2) STORED, shown varchar(40) AS (CONCAT('<', a, '>')) VIRTUAL)`,
  );
  const rows = Array.from({ length: ROWS }, (_, i) => [i, i, JSON.stringify({ n: i, list: [1, 2, 3] }), `note ${i}`]);
  await db.query("INSERT INTO t (id, a, j, note) VALUES ?", [rows]);
}

function change(random: Random): string {
  const id = random.below(ROWS + 50);
  const where = `WHERE id = ${id}`;
  switch (random.below(7)) {
    case 0:
      return `UPDATE t SET a = a + 1 ${where}`;
    case 1:
      return `UPDATE t SET j = JSON_SET(j, '$.n', ${random.below(1000)}) ${where}`;
    case 2:
      return `UPDATE t SET j = JSON_REPLACE(j, '$.list[last]', ${random.below(1000)}) ${where}`;
    case 3:
      return `UPDATE t SET note = 'changed', a = NULL ${where}`;
    case 4:
      return `UPDATE IGNORE t SET id = ${random.below(ROWS + 50)}, a = 7 ${where}`;
    case 5:
      return `DELETE FROM t ${where}`;
    default:
      return `INSERT IGNORE INTO t (id, a, j) VALUES (${id}, 3, '{"n": 1, "list": [4]}')`;
  }
}

/** MariaDB logs no generated column of an updated row; MySQL may log what has changed within a JSON value. */
test.each([
  ["mysql", "FULL", ["binlog_row_value_options = 'PARTIAL_JSON'"]],
  ["mysql", "MINIMAL", ["binlog_row_value_options = 'PARTIAL_JSON'"]],
  ["mariadb", "FULL", []],
] as const)(
  "%s with binlog_row_image = %s: what the log leaves out of a change is there all the same",
  async (flavour, image, more) => {
    await using db = await createMysqlDatabase(flavour);
    await filled(db);
    const writer = await db.client();
    await writer.query(`SET SESSION binlog_row_image = '${image}'`);
    for (const setting of more) await writer.query(`SET SESSION ${setting}`);
    await using pipeline = await testPipeline(db);
    await using run = pipeline.run();
    const random = new Random(7);
    for (let i = 0; i < CHANGES; i++) await writer.query(change(random));
    await pipeline.untilStreaming(["t"]);
    for (let i = 0; i < CHANGES; i++) await writer.query(change(random));
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.differences(["t"])).toEqual([]);
  },
);
