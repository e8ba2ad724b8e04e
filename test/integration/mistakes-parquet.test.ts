import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort } from "../support/free-port.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectPlainOutput, expectRefusal, expectSecretKept, type Refusal } from "../support/refusal.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";

async function filled(db: TestDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY, price numeric(10,2))");
  await db.query("INSERT INTO t SELECT i, i FROM generate_series(1, 300) i");
}

async function expectStatus(pipeline: TestPipeline, line: RegExp): Promise<void> {
  await using status = pipeline.command("status");
  expect(await status.exit(), status.output).toEqual({ code: 0, signal: null });
  expect(status.stdout).toMatch(line);
  expectPlainOutput(status);
}

const PARTITIONS: readonly (readonly [string, string, RegExp])[] = [
  ["a column that the table does not have", "nonsense", /it has no column nonsense/],
  ["a column of a type that makes no folders", "price", /its column price, of type numeric\(10,2\)/],
  ["the day of a number", "day(id)", /its column id, of type integer/],
];

test("a partition that the table cannot have is refused by plan and by run, and the corrected file runs", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db);
  await filled(db);
  for (const [what, by, says] of PARTITIONS) {
    await pipeline.write({ sink: { type: "parquet", "partition.by": by } });
    await using plan = pipeline.command("plan");
    expect(await plan.exit(), `${what}\n${plan.output}`).toEqual({ code: 3, signal: null });
    expect(plan.stdout).toMatch(/public\.t refused\n +error SINK_PARTITION: /);
    expect(plan.stdout, what).toMatch(says);
  }
  const refusal: Refusal = { code: "SINK_PARTITION", says: PARTITIONS.at(-1)![2], hint: /`partition\.by`/ };
  await using run = pipeline.run();
  await expectRefusal(run, refusal);
  await pipeline.write({ sink: { type: "parquet", "partition.by": "id" } });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
});

test("a path that is a file is refused by its name, and status says so", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  await filled(db);
  await writeFile(pipeline.lake, "");
  await using run = pipeline.run();
  await expectRefusal(run, {
    code: "STORE_FAILED",
    says: /lake cannot be used because a file stands/,
    hint: /Move away/,
  });
  await expectStatus(pipeline, /failed: STORE_FAILED/);
  await rm(pipeline.lake);
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
});

test("an endpoint where nobody listens is an error in bounded time, without the secret", async () => {
  await using db = await createDatabase();
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const keys = { "s3.access-key-id": "me", "s3.secret-access-key": "${S3_SECRET}", "s3.attempts": "2" };
  const sink = { type: "parquet", path: "s3://shop/lake", "s3.endpoint": endpoint, ...keys };
  await using pipeline = await testPipeline(db, { sink, source: { "connect.max-retries": "1" } });
  await filled(db);
  const secret = "swordfish-and-chips";
  for (const command of ["run", "drop"]) {
    await using run = pipeline.command(command, command === "drop" ? ["--yes"] : [], { S3_SECRET: secret });
    const refusal: Refusal = { code: "STORE_UNREACHABLE", says: /s3:\/\/shop\/lake\/: ECONNREFUSED/, hint: /endpoint/ };
    await expectRefusal(run, refusal);
    await expectSecretKept(secret, run, pipeline.path("."));
  }
});

test("a drop that waits for an endpoint which says nothing ends by Ctrl-C, without an error of its own", async () => {
  await using db = await createDatabase();
  const silent = createServer();
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const keys = { "s3.access-key-id": "me", "s3.secret-access-key": "${S3_SECRET}" };
  const sink = { type: "parquet", path: "s3://shop/lake", "s3.endpoint": endpoint, ...keys };
  await using pipeline = await testPipeline(db, { sink });
  const asked = once(silent, "connection");
  await using drop = pipeline.command("drop", ["--yes"], { S3_SECRET: "swordfish" });
  await asked;
  drop.signal("SIGINT");
  expect(await drop.exit(), drop.output).toEqual({ code: 130, signal: null });
  expect(drop.output).not.toContain("error");
  silent.close();
});

test("plan and status name the place, status the files of the last epoch, and drop makes no folder", async () => {
  await using db = await createDatabase();
  await using pipeline = await testPipeline(db, { sink: { type: "parquet" } });
  await filled(db);
  await using early = pipeline.command("drop", ["--yes"]);
  expect(await early.exit(), early.output).toEqual({ code: 0, signal: null });
  expect(existsSync(pipeline.lake)).toBe(false);
  await using plan = pipeline.command("plan");
  expect(await plan.exit(), plan.output).toEqual({ code: 0, signal: null });
  expect(plan.stdout).toContain(`sink       parquet ${pipeline.lake}\n`);
  expect(existsSync(pipeline.lake)).toBe(false);
  await using run = pipeline.run(["--until", "caught-up"]);
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  await expectStatus(pipeline, /sink +parquet \S+lake; in the last epoch (no file|1 file, [\d.]+ kB)/);
  await pipeline.expectEqual(["t"]);
});
