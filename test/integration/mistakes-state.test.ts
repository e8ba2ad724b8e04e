import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, test } from "vitest";
import { createRole, type TestRole } from "../support/postgres-role.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectRefusal, expectSecretKept } from "../support/refusal.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";

interface Setting extends AsyncDisposable {
  readonly db: TestDatabase;
  readonly role: TestRole;
  readonly pipeline: TestPipeline;
}

/** A pipeline that has caught up, and a source that has moved on since. */
async function caughtUp(): Promise<Setting> {
  const db = await createDatabase();
  const role = await createRole(db, "SUPERUSER");
  const pipeline = await testPipeline(role);
  const setting: Setting = {
    db,
    role,
    pipeline,
    async [Symbol.asyncDispose]() {
      for (const part of [pipeline, role, db]) await part[Symbol.asyncDispose]();
    },
  };
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
  await db.query("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 300) i");
  await pipeline.catchUp();
  await db.query("DELETE FROM t WHERE id % 7 = 0; INSERT INTO t VALUES (1001, 'later')");
  return setting;
}

async function checkpointFiles({ pipeline }: Setting): Promise<readonly string[]> {
  const folder = pipeline.path(`.millrace/${pipeline.name}`);
  const names = await readdir(folder);
  return names.filter((name) => /^\d+-(base|epoch)-\d+\.json$/.test(name)).map((name) => join(folder, name));
}

/** Changes one bit in the middle. */
async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(path, bytes);
}

test("a damaged newest checkpoint file is passed over with a warning", async () => {
  await using on = await caughtUp();
  const { pipeline } = on;
  const files = await checkpointFiles(on);
  await flip(files.toSorted((a, b) => a.slice(-15).localeCompare(b.slice(-15))).at(-1)!);
  await using run = pipeline.run(["--until", "caught-up"]);
  expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
  expect(run.stderr).toMatch(/"level":"warn".*damaged/);
  await pipeline.expectEqual(["t"]);
});

test("a checkpoint of which every file is damaged is refused, and restored from the sink", async () => {
  await using on = await caughtUp();
  const { pipeline, role } = on;
  for (const file of await checkpointFiles(on)) await flip(file);
  await using run = pipeline.run();
  await expectRefusal(run, { code: "CHECKPOINT_DAMAGED", says: /\.json/, hint: /millrace state adopt/ });
  await expectSecretKept(role.password, run, pipeline.path("."));
  await using status = pipeline.command("status");
  expect(await status.exit(), status.output).toEqual({ code: 0, signal: null });
  expect(status.stdout).toContain("CHECKPOINT_DAMAGED");

  await pipeline.adopt();
  await using mended = pipeline.run(["--until", "caught-up"]);
  expect(await mended.exit(), mended.output).toEqual({ code: 0, signal: null });
  expect(mended.stdout).not.toContain("snapshot begins");
  await pipeline.expectEqual(["t"]);
  await pipeline.catchUp();
});

test("a deleted checkpoint store is refused, and restored from the sink", async () => {
  await using on = await caughtUp();
  const { pipeline } = on;
  await rm(pipeline.path(".millrace"), { recursive: true });
  await using run = pipeline.run();
  await expectRefusal(run, { code: "RECOVERY_STORE_EMPTY", says: /store is empty/, hint: /millrace state adopt/ });
  await pipeline.adopt();
  await using mended = pipeline.run(["--until", "caught-up"]);
  expect(await mended.exit(), mended.output).toEqual({ code: 0, signal: null });
  expect(mended.stdout).not.toContain("snapshot begins");
  await pipeline.expectEqual(["t"]);
});

test("a deleted DuckDB file is refused, and a dropped pipeline begins anew", async () => {
  await using on = await caughtUp();
  const { pipeline } = on;
  await rm(pipeline.path("warehouse.duckdb"));
  await using run = pipeline.run();
  await expectRefusal(run, { code: "RECOVERY_SINK_EMPTY", says: /sink knows nothing/, hint: /millrace drop/ });
  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
});

test("a DuckDB file that somebody has open is refused with the process that has it", async () => {
  await using on = await caughtUp();
  const { pipeline } = on;
  const instance = await DuckDBInstance.create(pipeline.path("warehouse.duckdb"));
  await using run = pipeline.run();
  try {
    await expectRefusal(run, {
      code: "SINK_LOCKED",
      says: new RegExp(`process ${process.pid}`),
      hint: /then run again/,
    });
  } finally {
    instance.closeSync();
  }
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
});

test("a file that is no DuckDB file, and a folder that is not there, are refused and not touched", async () => {
  await using on = await caughtUp();
  const { pipeline } = on;
  await writeFile(pipeline.path("letter.txt"), "Dear reader, ".repeat(2_000));
  await pipeline.write({ sink: { path: "./letter.txt" }, pipeline: { "checkpoint.store": "./elsewhere" } });
  await using letter = pipeline.run();
  await expectRefusal(letter, { code: "SINK_NOT_DUCKDB", says: /letter\.txt/, hint: /another file/ });
  expect(await readFile(pipeline.path("letter.txt"), "utf8")).toBe("Dear reader, ".repeat(2_000));
  await pipeline.write({ sink: { path: "./no/such/folder.duckdb" }, pipeline: { "checkpoint.store": "./elsewhere" } });
  await using folder = pipeline.run();
  await expectRefusal(folder, { code: "SINK_UNOPENABLE", says: /folder does not exist/, hint: /Create the folder/ });
  await pipeline.write({});
  await pipeline.catchUp();
  await pipeline.expectEqual(["t"]);
});
