import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, test } from "vitest";
import { multisetDifferences, duckdbTexts, sourceTable } from "../support/compare.ts";
import { TestMysqlDatabase } from "../support/mysql.ts";
import { projectRoot } from "../support/project-root.ts";
import { Random } from "../support/random.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { type AnyDatabase, createDatabaseOn, type ServerName } from "../support/test-server.ts";
import type { TextTable } from "../support/text-table.ts";

const SERVERS: readonly ServerName[] = ["postgres", "mysql", "mariadb"];

/** The query as it stands in docs/sinks/parquet.md, over the files in another folder. */
async function queryOfThePage(folder: string): Promise<string> {
  const page = await readFile(join(projectRoot, "docs", "sinks", "parquet.md"), "utf8");
  const [, section = ""] = page.split("\n## The rows a table has now\n");
  const [, sql = ""] = /```sql\n([^]+?)\n```/.exec(section) ?? [];
  expect(sql).toContain("'lake/public/orders/**/*.parquet'");
  return sql.replace("lake/public/orders", () => folder);
}

async function readBy(sql: string, columns: readonly string[]): Promise<TextTable> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return await duckdbTexts(connection, `(${sql})`, columns);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** A few hundred statements on a few rows: keys that go and come again, are moved, and keep a long text that the log leaves out. */
async function changeAtRandom(db: AnyDatabase, random: Random): Promise<void> {
  const key = (): number => random.below(40);
  for (let i = 0; i < 200; i++) {
    const [id, other] = [key(), key() + 40 * random.below(2)];
    const statements = [
      `UPDATE orders SET amount = ${random.below(1000) / 100} WHERE id = ${id}`,
      `UPDATE orders SET customer = NULL WHERE id = ${id}`,
      `UPDATE orders SET note = ${random.chance(0.5) ? "NULL" : `repeat('note ${i} ', 500)`} WHERE id = ${id}`,
      `DELETE FROM orders WHERE id = ${id}`,
      ...(id === other
        ? []
        : [`DELETE FROM orders WHERE id = ${other}`, `UPDATE orders SET id = ${other} WHERE id = ${id}`]),
      `INSERT INTO orders SELECT ${id}, 'customer ${i}', 1.5, repeat('new ', 900) WHERE NOT EXISTS (SELECT 1 FROM orders WHERE id = ${id})`,
    ];
    const chosen = random.below(statements.length);
    // A row moves to a key that is free.
    if (statements[chosen]!.includes("SET id")) await db.query(`DELETE FROM orders WHERE id = ${other}`);
    await db.query(statements[chosen]!);
  }
}

test.each(SERVERS)("the query on the sink's page gives the source's rows (%s)", async (server) => {
  await using db = await createDatabaseOn(server);
  await using pipeline = await testPipeline(db, { sink: { type: "parquet", "partition.by": "day" } });
  await db.query("CREATE TABLE orders (id int PRIMARY KEY, customer varchar(40), amount decimal(12,2), note text)");
  if (server === "postgres") await db.query("ALTER TABLE orders ALTER note SET STORAGE EXTERNAL");
  else await db.query("SET SESSION binlog_row_image = MINIMAL");
  const random = new Random(41);
  await changeAtRandom(db, random);
  const folder = join(pipeline.lake, db instanceof TestMysqlDatabase ? db.database : "public", "orders");
  const sql = await queryOfThePage(folder);
  const differences = async (): Promise<readonly string[]> => {
    await pipeline.catchUp();
    const source = await sourceTable(db, "orders");
    return multisetDifferences("orders", source, await readBy(sql, source.columns));
  };
  expect(await differences()).toEqual([]);
  await changeAtRandom(db, random);
  expect(await differences()).toEqual([]);
  await db.query("TRUNCATE TABLE orders");
  await changeAtRandom(db, random);
  expect(await differences()).toEqual([]);
});
