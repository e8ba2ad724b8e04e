import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { expect, test } from "vitest";
import { followed, readChangeLog } from "../support/change-log.ts";
import { createMysqlDatabase } from "../support/mysql.ts";
import { createDatabase } from "../support/postgres.ts";
import { expectPlainOutput, expectRefusal } from "../support/refusal.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { createDatabaseOn, type ServerName } from "../support/test-server.ts";
import { waitFor } from "../support/wait-for.ts";

const SERVERS: readonly ServerName[] = ["postgres", "mysql", "mariadb"];
const DONE = { code: 0, signal: null } as const;
const NAMES = [
  ...[
    "select",
    "Upper Case",
    "dots.and.dots",
    "a/b",
    "%2Fa",
    "100%",
    "k=v",
    "_under",
    ".dot",
    "..",
    "ünï ☃",
    "'it''s'",
  ],
  ...["*?[x]{y}", "back\\slash", "semi;colon--", "$1", "x ".repeat(20).trim()],
];
const quote = (name: string): string => pg.escapeIdentifier(name);

test("odd names of schemas, tables and columns keep tables apart, and are found again", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, {
    sink: { type: "parquet" },
    source: { tables: `'${db.database}.\\.*.\\.*'` },
  });
  const names = [...NAMES, 'has "quotes"'];
  const tables = names.map((name) => `${quote(name)}.${quote(`${name} t`)}`);
  tables.push(`${quote("a/b")}.${quote("b")}`, `${quote("k=v")}."A/t"`);
  const columns = names.map((name) => `${quote(name)} text DEFAULT 'x'`).join(", ");
  for (const name of names) await db.query(`CREATE SCHEMA ${quote(name)}`);
  for (const table of tables)
    await db.query(
      `CREATE TABLE ${table} (${quote("the id")} int PRIMARY KEY, ${columns}); INSERT INTO ${table} VALUES (1), (2)`,
    );
  await pipeline.catchUp();
  for (const table of tables)
    await db.query(
      `UPDATE ${table} SET ${quote("a/b")} = 'changed' WHERE ${quote("the id")} = 1; DELETE FROM ${table} WHERE ${quote("the id")} = 2`,
    );
  await pipeline.catchUp();
  expect(await pipeline.differences(tables)).toEqual([]);
});

test.each(["mysql", "mariadb"] as const)("so do those of %s", async (flavour) => {
  await using db = await createMysqlDatabase(flavour);
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  const names = ["a/b", "%2Fa", "k=v", "_under", "ünï ☃", 'has "quotes"'];
  const columns = names.map((name) => `\`${name}\` varchar(20) DEFAULT 'x'`).join(", ");
  for (const name of names) {
    await db.query(`CREATE TABLE \`${name}\` (\`the id\` int PRIMARY KEY, ${columns})`);
    await db.query(`INSERT INTO \`${name}\` (\`the id\`) VALUES (1), (2)`);
  }
  await pipeline.catchUp();
  for (const name of names) {
    await db.query(`UPDATE \`${name}\` SET \`a/b\` = 'changed' WHERE \`the id\` = 1`);
    await db.query(`DELETE FROM \`${name}\` WHERE \`the id\` = 2`);
  }
  await pipeline.catchUp();
  expect(await pipeline.differences(names)).toEqual([]);
});

test("tables whose names differ only in case have files of their own", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  for (const table of ["t", "T"]) {
    const name = quote(table);
    await db.query(`CREATE TABLE ${name} (name text PRIMARY KEY); INSERT INTO ${name} VALUES ('${table}'), ('both')`);
  }
  await pipeline.catchUp();
  await db.query(`DELETE FROM t WHERE name = 'both'`);
  await pipeline.catchUp();
  const rows = async (table: string): Promise<unknown> =>
    followed(await readChangeLog(join(pipeline.lake, "public", table), ["name"]), ["name"]).rows;
  expect(await rows("t")).toEqual([["t"]]);
  expect(await rows("T")).toEqual([["T"], ["both"]]);
});

test.each(SERVERS)(
  "added columns, with a default or without, are told by `_schema` and by the rows (%s)",
  async (server) => {
    await using db = await createDatabaseOn(server);
    await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(10))");
    await db.query("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    await using run = pipeline.run();
    await pipeline.untilStreaming(["t"]);
    await db.query("UPDATE t SET v = 'before' WHERE id = 1");
    await db.query("ALTER TABLE t ADD COLUMN bare int");
    await db.query("UPDATE t SET bare = 7 WHERE id = 2");
    await db.query(
      "ALTER TABLE t ADD COLUMN amount decimal(6,2) NOT NULL DEFAULT 1.50, ADD COLUMN word varchar(20) DEFAULT 'it''s'",
    );
    await db.query("UPDATE t SET amount = 2, word = NULL WHERE id = 1");
    await db.query("INSERT INTO t (id, v) VALUES (4, 'd')");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual(DONE);
    await pipeline.catchUp();
    expect(await pipeline.differences(["t"])).toEqual([]);

    const folder = join(pipeline.lake, server === "postgres" ? "public" : db.database, "t", "_schema");
    expect((await readdir(folder)).toSorted()).toEqual([
      "i1-v1.json",
      "i1-v2.json",
      "i1-v3.json",
      "present.sql",
      "table.json",
    ]);
    const document = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(folder, name), "utf8"));
    expect(await document("table.json")).toMatchObject({ pipeline: pipeline.name, version: 3, snapshot: "complete" });
    expect(await document("i1-v3.json")).toMatchObject({
      incarnation: 1,
      key: ["id"],
      columns: [
        { name: "id", fieldId: 1, since: 1 },
        { name: "v", fieldId: 2, since: 1 },
        { name: "bare", fieldId: 3, since: 2, nullable: true, existingRowsDefault: null },
        { name: "amount", fieldId: 4, since: 3, type: { kind: "decimal", precision: 6, scale: 2 } },
        { name: "word", fieldId: 5, since: 3, existingRowsDefault: "it's" },
      ],
    });
  },
);

async function untilStopped(pipeline: TestPipeline, table: string): Promise<void> {
  await waitFor(`${table} to stop`, async () => (await pipeline.tableState(table))?.kind === "stopped");
}

test("a table with a column of the sink's own name is refused by plan and run alike", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  await db.query(
    'CREATE TABLE t (id int PRIMARY KEY, "_Op" text); CREATE TABLE u (id int PRIMARY KEY, "A" int, a int)',
  );
  await db.query("CREATE TABLE good (id int PRIMARY KEY); INSERT INTO good VALUES (1)");
  await using plan = pipeline.command("plan");
  expect(await plan.exit(), plan.output).toEqual({ code: 3, signal: null });
  expect(plan.stdout).toMatch(/public\.t refused\n +error SINK_NAME_CLASH: .+_Op/);
  expect(plan.stdout).toMatch(/public\.u refused\n +error SINK_NAME_CLASH: .+differ only in case/);
  expect(plan.stdout).toMatch(/1 table, 2 refused; nothing was written/);
  expectPlainOutput(plan);
  await db.query("DROP TABLE u");
  await using run = pipeline.run();
  await expectRefusal(run, { code: "SINK_NAME_CLASH", says: /_Op/, hint: /out of the pipeline/ });
  await pipeline.write({ sink: { type: "parquet" }, tables: ["good"] });
  await pipeline.catchUp();
  expect(await pipeline.differences(["good"])).toEqual([]);
});

test.each(SERVERS)(
  "a column of such a name that is added stops its table alone, while it runs and before (%s)",
  async (server) => {
    await using db = await createDatabaseOn(server);
    await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
    for (const table of ["running", "stopped", "good"]) await db.query(`CREATE TABLE ${table} (id int PRIMARY KEY)`);
    await using run = pipeline.run();
    await pipeline.untilStreaming(["running", "stopped", "good"]);
    await db.query("ALTER TABLE running ADD COLUMN _seq int");
    await db.query("INSERT INTO running VALUES (1, 1)");
    await untilStopped(pipeline, "running");
    await db.query("INSERT INTO good VALUES (1)");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual(DONE);
    await db.query("ALTER TABLE stopped ADD COLUMN _seq int");
    await db.query("INSERT INTO stopped VALUES (1, 1)");
    await db.query("INSERT INTO good VALUES (2)");
    await using next = pipeline.run(["--until", "caught-up"]);
    expect(await next.exit(), next.output).toEqual({ code: 1, signal: null });
    for (const table of ["running", "stopped"])
      expect(await pipeline.tableState(table)).toMatchObject({ kind: "stopped", code: "SINK_NAME_CLASH" });
    expect(await pipeline.differences(["good"])).toEqual([]);
  },
);

test("a partition that a table cannot have is found by plan and run alike, and a rule of its own mends it", async () => {
  await using db = await createDatabase();
  const sink = { type: "parquet", "partition.by": "region" };
  await using pipeline = await testPipeline(db, { sink });
  await db.query("CREATE TABLE parted (id int PRIMARY KEY, region text); INSERT INTO parted VALUES (1, 'eu')");
  await db.query(
    "CREATE TABLE bare (id int PRIMARY KEY, region json); INSERT INTO bare VALUES (1); CREATE TABLE taken (region text PRIMARY KEY, region_value int)",
  );
  await using plan = pipeline.command("plan");
  expect(await plan.exit(), plan.output).toEqual({ code: 3, signal: null });
  expect(plan.stdout).toMatch(/public\.bare refused\n +error SINK_PARTITION: .+region, of type json, cannot be parted/);
  expect(plan.stdout).toMatch(/public\.taken refused\n +error SINK_PARTITION: .+region_value has the name/);
  await db.query("DROP TABLE taken; ALTER TABLE bare DROP COLUMN region");
  await using run = pipeline.run();
  await expectRefusal(run, { code: "SINK_PARTITION", says: /public\.bare .*no column region/, hint: /mapping/ });
  await pipeline.write({ sink: { ...sink, "partition.by": "{public.bare: day, public.\\.*: region}" } });
  await pipeline.catchUp();
  expect(await pipeline.differences(["parted", "bare"])).toEqual([]);
});
