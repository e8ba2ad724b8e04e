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

const ADDED: readonly (readonly [what: string, column: string])[] = [
  ["without a default", "added text"],
  ["with a constant default", "added text DEFAULT 'it''s constant'"],
  ["with a default of another type", "added numeric(12,3) DEFAULT 1.5"],
  ["with a NOT NULL default", "added int NOT NULL DEFAULT 7"],
  ["with a stable default", "added timestamptz DEFAULT now()"],
  ["with bytes by default", "added bytea DEFAULT '\\x00ff'"],
  ["with a date before Christ by default", "added date DEFAULT '0044-03-15 BC'"],
  ["with an array by default", "added int[] DEFAULT '{1,2}'"],
];

/** Rows before, the new column, rows behind, all in one transaction, and an aborted alteration before it. */
function alteration(column: string, firstId: number): string {
  return `BEGIN; ALTER TABLE t ADD COLUMN never int DEFAULT 3; INSERT INTO t VALUES (-1, 'never'); ROLLBACK;
    BEGIN;
    INSERT INTO t (id, v) VALUES (${firstId}, 'before'); UPDATE t SET v = 'before' WHERE id = 5; DELETE FROM t WHERE id = 6;
    ALTER TABLE t ADD COLUMN ${column};
    INSERT INTO t (id, v) VALUES (${firstId + 1}, 'behind'); UPDATE t SET v = 'behind' WHERE id IN (7, ${firstId});
    DELETE FROM t WHERE id = 8;
    COMMIT;
    INSERT INTO other VALUES (${firstId})`;
}

test.each(ADDED)("a column added %s while streaming reaches the rows that were there", async (_, column) => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await filled(db);
  await using run = pipeline.run();
  await pipeline.untilStreaming(["t", "other"]);
  await db.query(alteration(column, 1001));
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "other"]);
  await db.query(
    "UPDATE t SET added = DEFAULT WHERE id < 50; ALTER TABLE t ADD COLUMN more int DEFAULT 9; DELETE FROM t WHERE id > 300",
  );
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "other"]);
});

test("columns added during the snapshot, with rows before and behind, end equal", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { parallelism: 1 });
  await filled(db);
  await db.query("INSERT INTO t SELECT i, repeat('row ' || i, 100), i FROM generate_series(1001, 6000) i");
  await using run = pipeline.run();
  await pipeline.untilRows("t", 300);
  for (const [i, [, column]] of ADDED.entries())
    await db.query(alteration(column.replace("added", `added_${i}`), 70_000 + 10 * i));
  await pipeline.untilStreaming(["t", "other"], 60_000);
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "other"]);
});

interface Stop {
  readonly what: string;
  readonly ddl: string;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const STOPS: readonly Stop[] = [
  { what: "a dropped column", ddl: "ALTER TABLE t DROP COLUMN n", code: "SCHEMA_CHANGED", says: /column n/ },
  { what: "a renamed column", ddl: "ALTER TABLE t RENAME COLUMN n TO m", code: "SCHEMA_CHANGED", says: /column n/ },
  { what: "an altered type", ddl: "ALTER TABLE t ALTER n TYPE text", code: "SCHEMA_CHANGED", says: /column n/ },
  {
    what: "another key",
    ddl: "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (n)",
    code: "SCHEMA_CHANGED",
    says: /key/,
  },
  {
    what: "a volatile default",
    ddl: "ALTER TABLE t ADD COLUMN added float8 DEFAULT random()",
    code: "DDL_UNCLEAR",
    says: /added/,
  },
  {
    what: "a renamed table",
    ddl: "ALTER TABLE t RENAME TO was_t; CREATE TABLE t AS TABLE was_t; ALTER TABLE t ADD PRIMARY KEY (id)",
    code: "SCHEMA_CHANGED",
    says: /./,
  },
];

/** Ends with 1 and names the table, whose neighbour goes on. */
async function expectStopped(pipeline: TestPipeline, { code, says }: Pick<Stop, "code" | "says">): Promise<void> {
  await using run = pipeline.run(["--until", "caught-up"]);
  expect(await run.exit(), run.output).toEqual({ code: 1, signal: null });
  expect(run.stdout).toMatch(new RegExp(`table public\\.t has stopped: ${code}: `));
  expectPlainOutput(run);
  expect(await pipeline.tableState("t")).toMatchObject({ kind: "stopped", code, message: expect.stringMatching(says) });
  await pipeline.expectEqual(["other"]);
}

test.each(STOPS)(
  "$what stops that table, the other goes on, and --resnapshot brings it back",
  async ({ ddl, ...stop }) => {
    await using db = await createDatabase();
    await using pipeline = await testPipeline(db, { tables: ["t", "other"] });
    await filled(db);
    await pipeline.catchUp();
    await db.query(
      `UPDATE t SET v = 'before' WHERE id = 5; ${ddl}; UPDATE t SET v = 'behind' WHERE v = 'row 7'; INSERT INTO other VALUES (2)`,
    );
    await expectStopped(pipeline, stop);
    await db.query("UPDATE t SET v = 'later' WHERE v = 'row 9'; INSERT INTO other VALUES (3)");
    await expectStopped(pipeline, stop);

    await using again = pipeline.run(["--until", "caught-up", "--resnapshot", "public.t"]);
    expect(await again.exit(), again.output).toEqual({ code: 0, signal: null });
    await pipeline.expectEqual(["t", "other"]);
    await db.query("UPDATE t SET v = 'last' WHERE v = 'row 11'");
    await pipeline.catchUp();
    await pipeline.expectEqual(["t", "other"]);
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
