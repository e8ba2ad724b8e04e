import { expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { TYPE_CASES, TYPE_CASES_SETUP } from "../support/postgres-type-cases.ts";
import { expectPlainOutput } from "../support/refusal.ts";
import { testPipeline } from "../support/test-pipeline.ts";

/** Values that a type of DuckDB cannot hold are the next test's. Of the last year that it can, it prints the wrong second. */
function holdable(type: string, value: string): boolean {
  if (type.startsWith("numeric(")) return !value.includes("NaN");
  return !/'2942[47][0-9]/.test(value);
}

/** Of `reg…` types the names depend on the search path. */
const CASES = TYPE_CASES.filter(({ type }) => !type.startsWith("reg")).map(({ type, values }, i) => ({
  type,
  name: `c${i}`,
  values: values.filter((value) => holdable(type, value)),
}));

test.each(["newest", "oldest"] as const)(
  "every type arrives as a SELECT prints it, by snapshot and log (%s server)",
  async (server) => {
    await using db = await createDatabase(server);
    // The types share a few tables, since DuckDB needs memory for each column that is written.
    await using pipeline = await testPipeline(db, { parallelism: 1 });
    await db.query(TYPE_CASES_SETUP);
    await db.query("DROP TABLE mood_table");
    const [{ version } = { version: 0 }] = await db.query<{ version: number }>(
      "SELECT current_setting('server_version_num')::int / 10000 AS version",
    );
    const known = CASES.filter(({ type }) => (TYPE_CASES.find((it) => it.type === type)?.since ?? 0) <= version);
    const tables: string[] = [];
    for (let first = 0; first < known.length; first += 20) {
      const cases = known.slice(first, first + 20);
      const table = `types_${first}`;
      tables.push(table);
      await db.query(
        `CREATE TABLE ${table} (id int PRIMARY KEY, ${cases.map(({ name, type }) => `${name} ${type}`).join(", ")})`,
      );
      const rows = Math.max(...cases.map(({ values }) => values.length));
      for (let i = 0; i < rows; i++) {
        const cells = cases.map(({ type, values }) =>
          values[i] === undefined ? "NULL" : `CAST(${values[i]} AS ${type})`,
        );
        await db.query(`INSERT INTO ${table} VALUES (${i}, ${cells.join(", ")})`);
      }
    }
    await pipeline.catchUp();
    await pipeline.expectEqual(tables);
    for (const table of tables) {
      await db.query(
        `CREATE TEMP TABLE again AS TABLE ${table}; UPDATE again SET id = id + 1000; INSERT INTO ${table} TABLE again; DROP TABLE again`,
      );
      await db.query(`UPDATE ${table} SET id = id + 5000 WHERE id < 3`);
    }
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
