import { describe, expect, test } from "vitest";
import { createMysqlDatabase } from "../support/mysql.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

describe.each(["mysql", "mariadb"] as const)("%s into DuckDB", (flavour) => {
  test("added columns, TRUNCATE and large transactions arrive while it runs", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(200), n int)");
    await db.query("CREATE TABLE emptied (id int PRIMARY KEY)");
    await db.query("INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2)");
    await db.query("INSERT INTO emptied VALUES (1), (2), (3)");
    await using pipeline = await testPipeline(db);
    const run = pipeline.run();
    await pipeline.untilStreaming(["t", "emptied"]);
    await db.query("ALTER TABLE t ADD COLUMN added int NOT NULL DEFAULT 7, ADD COLUMN word varchar(10) AFTER id");
    await db.query("UPDATE t SET v = 'two again' WHERE id = 2");
    await db.query("INSERT INTO t (id, word, v) VALUES (3, 'three', 'Ω')");
    await db.query("TRUNCATE emptied");
    await db.query("INSERT INTO emptied VALUES (4)");
    const writer = await db.client();
    if (flavour === "mysql") await writer.query("SET SESSION binlog_transaction_compression = ON");
    await writer.query("START TRANSACTION");
    for (let from = 1000; from < 41_000; from += 1000)
      await writer.query("INSERT INTO t (id, v) VALUES ?", [
        Array.from({ length: 1000 }, (_, i) => [from + i, `row ${from + i} `.repeat(10)]),
      ]);
    await writer.query("UPDATE t SET id = -id WHERE id > 40000");
    await writer.query("COMMIT");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.differences(["t", "emptied"])).toEqual([]);
  });

  test("a table that is altered otherwise, or dropped, stops with a code, and another goes on", async () => {
    await using db = await createMysqlDatabase(flavour);
    for (const table of ["retyped", "dropped", "renamed", "kept"])
      await db.query(`CREATE TABLE ${table} (id int PRIMARY KEY, n int)`);
    await using pipeline = await testPipeline(db);
    const tables = ["retyped", "dropped", "renamed"];
    const run = pipeline.run();
    await pipeline.untilStreaming([...tables, "kept"]);
    await db.query("ALTER TABLE retyped MODIFY n bigint");
    await db.query("INSERT INTO retyped VALUES (1, 1)");
    await db.query("DROP TABLE dropped");
    await db.query("RENAME TABLE renamed TO other_name");
    await db.query("INSERT INTO kept VALUES (1, 1)");
    for (const table of tables)
      await waitFor(`${table} to stop`, async () => (await pipeline.tableState(table))?.kind === "stopped");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    for (const table of tables)
      expect(await pipeline.tableState(table)).toMatchObject({ kind: "stopped", code: "SCHEMA_CHANGED" });
    expect(await pipeline.differences(["kept"])).toEqual([]);
  });
});
