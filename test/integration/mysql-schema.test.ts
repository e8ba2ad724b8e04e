import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tableId } from "../../src/core/table-schema.ts";
import { LoneMysqlDatabase } from "../support/mysql-binlog.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

const ROWS = 2_000;

async function filled(db: LoneMysqlDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY, a int, b int, v varchar(20), e enum('x','y') DEFAULT 'x')");
  await db.query("CREATE TABLE other (id int PRIMARY KEY)");
  const rows = Array.from({ length: ROWS }, (_, i) => [i + 1, i, -i, `row ${i}`, "x"]);
  await db.query("INSERT INTO t VALUES ?", [rows]);
}

/** An alteration with rows before and behind it; `n` makes its names and keys its own. Columns of one type change places. */
async function alter(db: LoneMysqlDatabase, n: number): Promise<void> {
  const key = 10_000 * n;
  const change = (id: number): string => `INSERT INTO t (id, a, b) VALUES (${key + id}, ${id}, ${-id})`;
  await db.query(change(1));
  await db.query(`UPDATE t SET a = a + 1, b = b - 1 WHERE id BETWEEN ${100 * n} AND ${100 * n + 50}`);
  await db.query(
    `ALTER TABLE t ADD COLUMN n${n} int NOT NULL DEFAULT ${n} FIRST, MODIFY b int AFTER ${n % 2 === 0 ? "a" : "id"}`,
  );
  await db.query(change(2));
  await db.query(`UPDATE t SET a = a + 1, b = b - 1, n${n} = a WHERE id BETWEEN ${100 * n + 20} AND ${100 * n + 90}`);
  await db.query(`ALTER TABLE t ADD KEY k${n} (a), MODIFY e enum('x','y'${labels(n)}) DEFAULT 'x'`);
  await db.query(`DELETE FROM t WHERE id = ${100 * n + 60}`);
  await db.query(`UPDATE t SET e = 'e${n}' WHERE id = ${key + 2}`);
}

function labels(n: number): string {
  return Array.from({ length: n }, (_, i) => `,'e${i + 1}'`).join("");
}

describe.each([
  ["mysql", "MINIMAL"],
  ["mysql", "FULL"],
  ["mariadb", "NO_LOG"],
  ["mariadb", "FULL"],
] as const)("tables of %s with binlog_row_metadata = %s", (flavour, metadata) => {
  let db: LoneMysqlDatabase;
  beforeAll(async () => {
    db = await LoneMysqlDatabase.start(flavour, { binlog_row_metadata: metadata });
  });
  beforeEach(async () => {
    await db.renew();
    await filled(db);
  });
  afterAll(() => db[Symbol.asyncDispose]());

  test("end equal when they are altered during the snapshot, behind it, and while the pipeline is stopped or killed", async () => {
    await using pipeline = await testPipeline(db, { parallelism: 1 });
    await using run = pipeline.run();
    await pipeline.untilRows("t", 200);
    await alter(db, 1);
    await pipeline.untilStreaming(["t", "other"]);
    await alter(db, 2);
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await alter(db, 3);
    await using killed = pipeline.run([], { MILLRACE_FAILPOINT: "engine.record-stored:2" });
    await alter(db, 4);
    expect(await killed.exit(), killed.output).toEqual({ code: null, signal: "SIGKILL" });
    await alter(db, 5);
    await pipeline.catchUp();
    await pipeline.expectEqual(["t", "other"]);
  });

  test("stop alone where their shape cannot be followed, and begin anew", async () => {
    await using pipeline = await testPipeline(db);
    await using run = pipeline.run();
    await pipeline.untilStreaming(["t", "other"]);
    await db.query("ALTER TABLE t DROP a, ADD a int AFTER id");
    await db.query("UPDATE t SET a = id");
    await db.query("INSERT INTO other VALUES (1)");
    await waitFor("t to stop", async () => (await pipeline.tableState("t"))?.kind === "stopped");
    await waitFor("the other table to go on", async () => {
      const { facts } = (await pipeline.status()).state;
      return (facts.tables.get(tableId(db.database, "other"))?.changes ?? 0) > 0;
    });
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    expect(await pipeline.tableState("t")).toMatchObject({ kind: "stopped", code: "SCHEMA_CHANGED" });
    await pipeline.expectEqual(["other"]);
    await using again = pipeline.run(["--resnapshot", `${db.database}.t`, "--until", "caught-up"]);
    expect(await again.exit(), again.output).toEqual({ code: 0, signal: null });
    await pipeline.expectEqual(["t", "other"]);
  });
});
