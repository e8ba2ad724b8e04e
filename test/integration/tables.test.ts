import pg from "pg";
import { expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn } from "../support/test-server.ts";

const quote = (name: string): string => pg.escapeIdentifier(name);

/** All schemas of the database and not `public` alone. */
const everywhere = (db: TestDatabase): { tables: string } => ({ tables: `'${db.database}.\\.*.\\.*'` });

/** How source and sink differ when the statements have run beside a run, and another has caught up. */
async function differencesAfter(
  pipeline: TestPipeline,
  db: TestDatabase,
  sql: string,
  tables: readonly string[],
): Promise<readonly string[]> {
  const run = pipeline.run();
  await run.untilOutput(/running/);
  await db.query(sql);
  run.signal("SIGTERM");
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  return await pipeline.differences(tables);
}

test("identical rows without a key: a delete removes exactly one, an update changes exactly one", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await db.query("CREATE TABLE t (a text, b int, c text); ALTER TABLE t REPLICA IDENTITY FULL");
  await db.query(
    "INSERT INTO t SELECT 'same', 1, NULL FROM generate_series(1, 5); INSERT INTO t VALUES ('other', NULL, repeat('long', 5000))",
  );
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
  const one = "ctid = (SELECT min(ctid) FROM t WHERE a = 'same')";
  const sql = `DELETE FROM t WHERE ${one}; UPDATE t SET b = 2 WHERE ${one}; UPDATE t SET b = 7 WHERE a = 'other'; INSERT INTO t VALUES ('same', 1, NULL)`;
  expect(await differencesAfter(pipeline, db, sql, ["t"])).toEqual([]);
  const left = await db.query("SELECT b, count(*)::int AS n FROM t GROUP BY b ORDER BY b");
  expect(left).toEqual([
    { b: 1, n: 4 },
    { b: 2, n: 1 },
    { b: 7, n: 1 },
  ]);
});

test("odd names of schemas, tables and columns are kept to the letter", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { source: everywhere(db) });
  const names = [
    "select",
    "Upper Case",
    'has "quotes"',
    "dots.and.dots",
    "semi;colon--",
    "ünï ☃",
    "100%",
    "back\\slash",
    "it's",
    "$1",
  ];
  const tables = names.map((name) => `${quote(name)}.${quote(`${name} t`)}`);
  for (const [i, name] of names.entries()) {
    const columns = [...names, "value", "table"].map((column) => `${quote(column)} text DEFAULT 'x'`);
    await db.query(
      `CREATE SCHEMA ${quote(name)}; CREATE TABLE ${tables[i]!} (${quote(`${name} id`)} text PRIMARY KEY, ${columns.join(", ")})`,
    );
    await db.query(`INSERT INTO ${tables[i]!} SELECT i FROM generate_series(1, 150) i`);
  }
  await pipeline.catchUp();
  await pipeline.expectEqual(tables);
  const changes = tables.map(
    (table, i) =>
      `UPDATE ${table} SET value = 'changed' WHERE ${quote(`${names[i]!} id`)} < '3'; DELETE FROM ${table} WHERE ${quote(`${names[i]!} id`)} > '8'`,
  );
  expect(await differencesAfter(pipeline, db, changes.join("; "), tables)).toEqual([]);
});

test("a table with 300 columns, an empty one, and one that gets its first rows later", async () => {
  await using db = await createDatabase();
  // DuckDB keeps a block of 256 KiB for each column of what is written, and one for each that is read.
  await using pipeline = await testPipeline(db, { sink: { "memory.limit": "256MiB" } });
  const columns = Array.from(
    { length: 299 },
    (_, i) => `c${i} ${["int", "text", "numeric(20,3)", "timestamptz"][i % 4]!}`,
  );
  await db.query(`CREATE TABLE wide (id int PRIMARY KEY, ${columns.join(", ")})`);
  await db.query(
    "INSERT INTO wide (id, c0, c1, c2, c3, c298) SELECT i, i, 't' || i, i / 7.0, now(), i FROM generate_series(1, 250) i",
  );
  await db.query(
    "CREATE TABLE empty (id int PRIMARY KEY); CREATE TABLE later (id int PRIMARY KEY, v text); CREATE TABLE bare (v text)",
  );
  await db.query("ALTER TABLE bare REPLICA IDENTITY FULL");
  await pipeline.catchUp();
  await pipeline.expectEqual(["wide", "empty", "later", "bare"]);
  const sql =
    "UPDATE wide SET c297 = 'changed', c0 = NULL WHERE id % 5 = 0; INSERT INTO later SELECT i FROM generate_series(1, 300) i; INSERT INTO bare VALUES ('a'), ('a')";
  expect(await differencesAfter(pipeline, db, sql, ["wide", "empty", "later", "bare"])).toEqual([]);
});

const KEYS: readonly (readonly [name: string, columns: string, key: string, value: string])[] = [
  ["collated", `k text COLLATE "en-x-icu"`, "k", "(ARRAY['ä','a','Z','z','é','E','ß','ss'])[1 + i % 8] || i"],
  ["uuids", "k uuid", "k", "md5(i::text)::uuid"],
  ["numerics", "k numeric", "k", "(i * 1.5 - 100)::numeric"],
  ["scaled", "k numeric(10,2)", "k", "i / 4.0 - 30"],
  ["times", "k timestamptz", "k", "timestamptz '1999-12-31 23:59:59.999999+00' + i * interval '1 day 1 microsecond'"],
  ["dates", "k date", "k", "date '1900-01-01' + i * 100"],
  ["bytes", "k bytea", "k", "decode(md5(i::text), 'hex')"],
  ["enums", "k mood, n int", "k, n", "(ARRAY['sad','ok','fine'])[1 + i % 3]::mood, i"],
  ["booleans", "k boolean, n int", "k, n", "i % 2 = 0, i"],
  ["composites", "a text, b bigint, c date", "c, a, b", "'x' || i % 3, i, date '2020-01-01' + i % 5"],
  ["floats", "k float8", "k", "i / 3.0"],
  ["citexts", "k varchar(20)", "k", "'row ' || i"],
  ["arrays", "k int[]", "k", "ARRAY[i % 5, i]"],
  ["inets", "k inet", "k", "'10.0.0.0'::inet + i"],
  ["intervals", "k interval", "k", "i * interval '1 minute'"],
  ["smalls", "k smallint", "k", "i - 200"],
];

test("a key of every kind, through snapshot, changes and moves", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { parallelism: 3 });
  await db.query("CREATE TYPE mood AS ENUM ('sad', 'ok', 'fine')");
  for (const [name, columns, key, value] of KEYS) {
    await db.query(`CREATE TABLE ${name} (${columns}, i int, v text, PRIMARY KEY (${key}))`);
    await db.query(
      `INSERT INTO ${name} SELECT ${value}, i, repeat('value ' || i, 1000) FROM generate_series(1, 320) i`,
    );
    await db.query(`ALTER TABLE ${name} ALTER v SET STORAGE EXTERNAL`);
  }
  const tables = KEYS.map(([name]) => name);
  await pipeline.catchUp(60_000);
  await pipeline.expectEqual(tables);
  const sql = KEYS.flatMap(([name, columns, , value]) => {
    const names = columns.split(", ").map((column) => column.split(" ")[0]!);
    const moved = value.replaceAll(/\bi\b/g, "(i + 400)");
    return [
      `UPDATE ${name} SET v = 'changed' WHERE i < 40`,
      `UPDATE ${name} SET i = i + 1000 WHERE i BETWEEN 40 AND 80`,
      `UPDATE ${name} SET (${names.join(", ")}) = ROW(${moved}) WHERE i BETWEEN 100 AND 130`,
      `DELETE FROM ${name} WHERE i BETWEEN 200 AND 250`,
      `INSERT INTO ${name} SELECT ${value}, i, 'new' FROM generate_series(700, 720) i`,
    ];
  });
  expect(await differencesAfter(pipeline, db, sql.join("; "), tables)).toEqual([]);
});

test.each(["postgres", "mysql", "mariadb"] as const)("of %s small tables are read before large ones", async (kind) => {
  await using db = await createDatabaseOn(kind);
  await using pipeline = await testPipeline(db, { parallelism: 1 });
  const rows = { a_large: 3000, b_small: 50, c_middle: 800 };
  for (const [table, count] of Object.entries(rows)) {
    await db.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v varchar(100))`);
    const values = Array.from({ length: count }, (_, i) => `(${i}, 'some value to give the row a size, number ${i}')`);
    await db.query(`INSERT INTO ${table} VALUES ${values.join(", ")}`);
    await db.query(kind === "postgres" ? `ANALYZE ${table}` : `ANALYZE TABLE ${table}`);
  }
  await using run = pipeline.run(["--until", "caught-up"]);
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  const done = [...run.stdout.matchAll(/\.(\w+): snapshot done/g)].map(([, table]) => table);
  expect(done).toEqual(["b_small", "c_middle", "a_large"]);
  await pipeline.expectEqual(Object.keys(rows));
});

test("partitioned tables are one table, whatever moves between their partitions", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await db.query(`CREATE TABLE p (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (MINVALUE) TO (200);
    CREATE TABLE p_high PARTITION OF p FOR VALUES FROM (200) TO (MAXVALUE) PARTITION BY HASH (id);
    CREATE TABLE p_high_0 PARTITION OF p_high FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE p_high_1 PARTITION OF p_high FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO p SELECT i, 'row ' || i FROM generate_series(1, 500) i`);
  await pipeline.catchUp();
  await pipeline.expectEqual(["p"]);
  expect(
    await differencesAfter(
      pipeline,
      db,
      "UPDATE p SET id = id + 1000 WHERE id BETWEEN 100 AND 220; DELETE FROM p WHERE id % 9 = 0; INSERT INTO p VALUES (-1, 'low')",
      ["p"],
    ),
  ).toEqual([]);
});

test("tables are added to and taken out of the pipeline file between runs", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { tables: ["a"] });
  const published = async (): Promise<readonly unknown[]> =>
    await db.query("SELECT tablename FROM pg_publication_tables ORDER BY 1");
  await db.query("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)");
  await db.query(
    "INSERT INTO a SELECT i FROM generate_series(1, 250) i; INSERT INTO b SELECT i FROM generate_series(1, 250) i",
  );
  await pipeline.catchUp();
  expect(await published()).toEqual([{ tablename: "a" }]);
  await db.query("UPDATE a SET v = 'changed' WHERE id < 9; UPDATE b SET v = 'changed' WHERE id < 9");
  await pipeline.write({ tables: ["a", "b"] });
  await pipeline.catchUp();
  await pipeline.expectEqual(["a", "b"]);

  await pipeline.write({ tables: ["b"] });
  await pipeline.catchUp();
  expect(await published()).toEqual([{ tablename: "b" }]);
  expect(await pipeline.tableState("a")).toBeNull();
  await db.query("DELETE FROM a WHERE id > 100; DELETE FROM b WHERE id > 100");
  await pipeline.catchUp();
  await pipeline.expectEqual(["b"]);
  await pipeline.write({ tables: ["a", "b"] });
  await pipeline.catchUp();
  await pipeline.expectEqual(["a", "b"]);
});
