import { expect, test } from "vitest";
import type { ErrorCode } from "../../src/core/error-codes.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectPlainOutput } from "../support/refusal.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";

const ROWS = 400;

async function filled(db: TestDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text, n int); CREATE TABLE other (id int PRIMARY KEY)");
  await db.query(
    `INSERT INTO t SELECT i, 'row ' || i, i FROM generate_series(1, ${ROWS}) i; INSERT INTO other VALUES (1)`,
  );
}

const ADDED: readonly string[] = [
  "added text",
  "added text DEFAULT 'it''s constant'",
  "added numeric(12,3) DEFAULT 1.5",
  "added int NOT NULL DEFAULT 7",
  "added timestamptz DEFAULT now()",
  "added bytea DEFAULT '\\x00ff'",
  "added date DEFAULT '0044-03-15 BC'",
  "added int[] DEFAULT '{1,2}'",
];

/** Rows before, the new column, rows behind, all in one transaction, and an aborted alteration before it. */
function alteration(table: string, column: string, firstId: number): string {
  return `BEGIN; ALTER TABLE ${table} ADD COLUMN never int DEFAULT 3; INSERT INTO ${table} VALUES (-1, 'never'); ROLLBACK;
    BEGIN;
    INSERT INTO ${table} (id, v) VALUES (${firstId}, 'before');
    UPDATE ${table} SET v = 'before' WHERE id = 5; DELETE FROM ${table} WHERE id = 6;
    ALTER TABLE ${table} ADD COLUMN ${column};
    INSERT INTO ${table} (id, v) VALUES (${firstId + 1}, 'behind');
    UPDATE ${table} SET v = 'behind' WHERE id IN (7, ${firstId}); DELETE FROM ${table} WHERE id = 8;
    COMMIT;
    INSERT INTO other VALUES (${firstId})`;
}

test("columns added while streaming, with every kind of default, reach the rows that were there", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await filled(db);
  const tables = ADDED.map((_, i) => `t${i}`);
  for (const table of tables)
    await db.query(`CREATE TABLE ${table} (LIKE t INCLUDING ALL); INSERT INTO ${table} TABLE t`);
  await using run = pipeline.run();
  await pipeline.untilStreaming([...tables, "other"]);
  for (const [i, column] of ADDED.entries()) await db.query(alteration(tables[i]!, column, 1001 + i));
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await pipeline.expectEqual([...tables, "t", "other"]);
  for (const table of tables) {
    await db.query(`UPDATE ${table} SET added = DEFAULT WHERE id < 50; DELETE FROM ${table} WHERE id > 300`);
    await db.query(`ALTER TABLE ${table} ADD COLUMN more int DEFAULT 9; UPDATE ${table} SET more = 1 WHERE id < 10`);
  }
  await pipeline.catchUp();
  await pipeline.expectEqual([...tables, "t", "other"]);
});

test("columns added during the snapshot, with rows before and behind, end equal", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { parallelism: 1 });
  await filled(db);
  await db.query("INSERT INTO t SELECT i, repeat('row ' || i, 100), i FROM generate_series(1001, 20000) i");
  await using run = pipeline.run();
  await pipeline.untilRows("t", 300);
  for (const [i, column] of ADDED.entries())
    await db.query(alteration("t", column.replace("added", `added_${i}`), 70_000 + 10 * i));
  await pipeline.untilStreaming(["t", "other"], 60_000);
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "other"]);
});

interface Stop {
  readonly table: string;
  readonly ddl: string;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const STOPS: readonly Stop[] = [
  { table: "dropped", ddl: "ALTER TABLE dropped DROP COLUMN n", code: "SCHEMA_CHANGED", says: /column n/ },
  { table: "renamed", ddl: "ALTER TABLE renamed RENAME COLUMN n TO m", code: "SCHEMA_CHANGED", says: /column n/ },
  { table: "retyped", ddl: "ALTER TABLE retyped ALTER n TYPE text", code: "SCHEMA_CHANGED", says: /column n/ },
  {
    table: "rekeyed",
    ddl: "ALTER TABLE rekeyed DROP CONSTRAINT rekeyed_pkey, ADD PRIMARY KEY (n)",
    code: "SCHEMA_CHANGED",
    says: /primary key/,
  },
  {
    table: "volatile",
    ddl: "ALTER TABLE volatile ADD COLUMN added float8 DEFAULT random()",
    code: "DDL_UNCLEAR",
    says: /added/,
  },
];

/** Ends with 1 and names the tables, whose neighbour goes on. */
async function expectStopped(pipeline: TestPipeline): Promise<void> {
  await using run = pipeline.run(["--until", "caught-up"]);
  expect(await run.exit(), run.output).toEqual({ code: 1, signal: null });
  expectPlainOutput(run);
  for (const { table, code, says } of STOPS) {
    expect(run.stdout).toMatch(new RegExp(`table public\\.${table} has stopped: ${code}: `));
    const stopped = { kind: "stopped", code, message: expect.stringMatching(says) };
    expect(await pipeline.tableState(table), table).toMatchObject(stopped);
  }
  await pipeline.expectEqual(["other"]);
}

test.each(["is stopped", "runs"])(
  "tables altered while the pipeline %s stop, another goes on, and --resnapshot brings them back",
  async (when) => {
    await using db = await createDatabase();
    const tables = STOPS.map(({ table }) => table);
    await using pipeline = await testPipeline(db);
    await filled(db);
    for (const table of tables)
      await db.query(`CREATE TABLE ${table} (LIKE t INCLUDING ALL); INSERT INTO ${table} TABLE t`);
    const run = when === "runs" ? pipeline.run() : null;
    if (run === null) await pipeline.catchUp();
    else await pipeline.untilStreaming([...tables, "other"]);
    for (const { table, ddl } of STOPS) {
      await db.query(`UPDATE ${table} SET v = 'before' WHERE id = 5`);
      await db.query(ddl);
      await db.query(`UPDATE ${table} SET v = 'behind' WHERE v = 'row 7'`);
    }
    await db.query("INSERT INTO other VALUES (2)");
    if (run !== null) {
      for (const table of tables) await run.untilOutput(new RegExp(`table public\\.${table}: stopped`));
      run.signal("SIGTERM");
      expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    }
    await expectStopped(pipeline);
    for (const table of tables) await db.query(`UPDATE ${table} SET v = 'later' WHERE v = 'row 9'`);
    await db.query("INSERT INTO other VALUES (3)");
    await expectStopped(pipeline);

    const anew = tables.flatMap((table) => ["--resnapshot", `public.${table}`]);
    await using again = pipeline.run(["--until", "caught-up", ...anew]);
    expect(await again.exit(), again.output).toEqual({ code: 0, signal: null });
    await pipeline.expectEqual([...tables, "other"]);
    for (const table of tables) await db.query(`UPDATE ${table} SET v = 'last' WHERE v = 'row 11'`);
    await pipeline.catchUp();
    await pipeline.expectEqual([...tables, "other"]);
  },
);

test.each(["runs", "is stopped"])(
  "a table dropped while the pipeline %s stops, and returns when it is there again",
  async (when) => {
    await using db = await createDatabase();
    await using pipeline = await testPipeline(db);
    await filled(db);
    await using run = pipeline.run();
    await pipeline.untilStreaming(["t", "other"]);
    if (when === "is stopped") {
      run.signal("SIGTERM");
      await run.exit();
    }
    await db.query("DROP TABLE t; INSERT INTO other VALUES (2)");
    if (when === "runs") {
      await run.untilOutput(/table public\.t: stopped/);
      expect(await pipeline.tableState("other")).toMatchObject({ kind: "streaming" });
      run.signal("SIGTERM");
      expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    }
    await using over = pipeline.run(["--until", "caught-up"]);
    await over.exit();
    expect(over.output).toContain("public.t");
    await pipeline.expectEqual(["other"]);

    await db.query("CREATE TABLE t (id int PRIMARY KEY, w text); INSERT INTO t VALUES (1, 'new')");
    await using again = pipeline.run(["--until", "caught-up", "--resnapshot", "public.t"]);
    expect(await again.exit(), again.output).toEqual({ code: 0, signal: null });
    await pipeline.expectEqual(["t", "other"]);
  },
);
