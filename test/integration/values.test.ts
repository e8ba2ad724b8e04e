import { expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { changeTypeTables, createTypeTables } from "../support/postgres-type-tables.ts";
import { expectPlainOutput } from "../support/refusal.ts";
import { testPipeline } from "../support/test-pipeline.ts";

/** Values that a type of DuckDB cannot hold are the next test's. Of the last year that it can, it prints the wrong second. */
function holdable(type: string, value: string): boolean {
  if (type.startsWith("numeric(")) return !value.includes("NaN");
  return !/'2942[47][0-9]/.test(value);
}

test.each(["newest", "oldest"] as const)(
  "every type arrives as a SELECT prints it, by snapshot and log (%s server)",
  async (server) => {
    await using db = await createDatabase(server);
    await using pipeline = await testPipeline(db, { parallelism: 1 });
    const tables = await createTypeTables(db, holdable);
    await pipeline.catchUp();
    await pipeline.expectEqual(tables);
    await changeTypeTables(db, tables);
    await pipeline.catchUp();
    expect(await pipeline.differences(tables)).toEqual([]);
  },
);

const BAD = "INSERT INTO t VALUES (100, 'NaN', '294270-01-01')";

async function filled(db: TestDatabase): Promise<void> {
  await db.query(
    "CREATE TABLE t (id int PRIMARY KEY, amount numeric(10,2), at timestamptz); CREATE TABLE other (id int PRIMARY KEY)",
  );
  await db.query(
    "INSERT INTO t SELECT i, i / 4.0, '2026-01-01' FROM generate_series(1, 50) i; INSERT INTO other VALUES (1)",
  );
}

test.each(["snapshot", "log"])(
  "a value that the sink's type cannot hold stops its table, by the %s, and a policy mends it",
  async (path) => {
    await using db = await createDatabase();
    await using pipeline = await testPipeline(db);
    await filled(db);
    if (path === "log") await pipeline.catchUp();
    await db.query(BAD);
    await using run = pipeline.run(["--until", "caught-up"]);
    expect(await run.exit(), run.output).toEqual({ code: 1, signal: null });
    expect(run.stdout).toMatch(/table public\.t has stopped: VALUE_UNREPRESENTABLE: .*(amount|at)/);
    expect(run.stdout + run.stderr).not.toMatch(/NaN|294270/);
    expectPlainOutput(run);
    await pipeline.expectEqual(["other"]);

    await pipeline.write({ source: { "unrepresentable-values": "null" } });
    const anew = ["public.t", "public.other"].flatMap((table) => ["--resnapshot", table]);
    await using mended = pipeline.run(["--until", "caught-up", ...anew]);
    expect(await mended.exit(), mended.output).toEqual({ code: 0, signal: null });
    await db.query("INSERT INTO t VALUES (101, 'NaN', '2026-01-01'), (102, 1.5, '294270-01-01')");
    await pipeline.catchUp();
    const rows = await pipeline.sinkRows(
      'SELECT id, amount::varchar, "at" IS NULL FROM public.t WHERE id >= 100 ORDER BY id',
    );
    expect(rows).toEqual([
      [100, null, true],
      [101, null, false],
      [102, "1.50", true],
    ]);
  },
);

test("as text, a value that the sink's type cannot hold is kept to the letter, by both paths", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { source: { "unrepresentable-values": "text" } });
  await filled(db);
  await db.query("INSERT INTO t VALUES (100, 'NaN', '2026-01-01')");
  await pipeline.catchUp();
  await db.query("INSERT INTO t VALUES (101, 'NaN', 'infinity'), (102, 1.5, '2026-01-01')");
  await pipeline.catchUp();
  expect(await pipeline.differences(["t", "other"])).toEqual([]);
});
