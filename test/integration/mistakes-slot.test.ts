import { expect, test } from "vitest";
import { createRole } from "../support/postgres-role.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { expectRefusal, expectSecretKept } from "../support/refusal.ts";
import { testPipeline, type TestPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

async function filled(db: TestDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY)");
  await db.query("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 300) i; INSERT INTO u VALUES (1)");
}

/** Ends whoever reads the slot, as often as it comes back, and drops it. */
async function dropSlot(db: TestDatabase, slot: string): Promise<void> {
  await waitFor("the slot to be dropped", async () => {
    await db.query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1", [slot]);
    return await db.query("SELECT pg_drop_replication_slot($1)", [slot]).then(
      () => true,
      () => false,
    );
  });
}

/** What the hint of a lost log says: drop, and begin anew. */
async function beginAnew(pipeline: TestPipeline, db: TestDatabase): Promise<void> {
  await db.query("DELETE FROM t WHERE id <= 100; INSERT INTO t VALUES (1001, 'later')");
  await using drop = pipeline.command("drop", ["--yes"]);
  expect(await drop.exit(), drop.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "u"]);
}

test("the same pipeline a second time is refused, and the first goes on", async () => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  await using pipeline = await testPipeline(role);
  await filled(db);
  const first = pipeline.run();
  await pipeline.untilStreaming(["t", "u"]);

  await using second = pipeline.run();
  await expectRefusal(second, { code: "CHECKPOINT_LOCKED", says: new RegExp(String(first.pid)), hint: /Stop/ });
  expect((await pipeline.status()).pid).toBe(first.pid);

  await using drop = pipeline.command("drop", ["--yes"]);
  await expectRefusal(drop, { code: "SINK_LOCKED", says: new RegExp(String(first.pid)), hint: /./ });
  await db.query("INSERT INTO t VALUES (1001, 'later')");
  first.signal("SIGTERM");
  expect(await first.exit(), first.output).toEqual({ code: 0, signal: null });
  await expectSecretKept(role.password, second, pipeline.path("."));
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "u"]);
});

test("another pipeline on the same slot is refused, and the first goes on", async () => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  await using pipeline = await testPipeline(role);
  await using other = await testPipeline(role, {
    pipeline: { name: `other_${db.database}` },
    source: { "slot.name": pipeline.slot },
  });
  await filled(db);
  const first = pipeline.run();
  await pipeline.untilStreaming(["t", "u"]);

  await using second = other.run();
  const [statement] = await expectRefusal(second, {
    code: "SLOT_IN_USE",
    says: new RegExp(`${pipeline.slot} is being read by process \\d+ \\(millrace ${pipeline.name}\\)`),
    hint: /slot\.name/,
  });
  expect(statement).toMatch(/^SELECT pg_terminate_backend\(\d+\)$/);
  await db.query("INSERT INTO t VALUES (1001, 'later')");
  expect(first.hasEnded).toBe(false);
  first.signal("SIGTERM");
  expect(await first.exit(), first.output).toEqual({ code: 0, signal: null });
  await pipeline.catchUp();
  await pipeline.expectEqual(["t", "u"]);

  await other.write({ pipeline: { name: `other_${db.database}` } });
  await other.catchUp();
  await other.expectEqual(["t", "u"]);
});

test("a slot dropped while the pipeline was stopped is a lost log, and the hint begins anew", async () => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  await using pipeline = await testPipeline(role);
  await filled(db);
  await pipeline.catchUp();
  await dropSlot(db, pipeline.slot);

  await using run = pipeline.run();
  await expectRefusal(run, {
    code: "LOG_LOST",
    says: new RegExp(`${pipeline.slot} does not exist`),
    hint: /millrace drop/,
  });
  await expectSecretKept(role.password, run, pipeline.path("."));
  await beginAnew(pipeline, db);
});

test("a slot dropped while the pipeline runs is a lost log, and the hint begins anew", async () => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  await using pipeline = await testPipeline(role);
  await filled(db);
  await using run = pipeline.run();
  await pipeline.untilStreaming(["t", "u"]);
  await dropSlot(db, pipeline.slot);

  await expectRefusal(run, {
    code: "LOG_LOST",
    says: new RegExp(`${pipeline.slot} does not exist`),
    hint: /millrace drop/,
  });
  await expectSecretKept(role.password, run, pipeline.path("."));
  await beginAnew(pipeline, db);
});

test.each(["runs", "is stopped"])("a publication dropped while the pipeline %s is a lost log", async (when) => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  await using pipeline = await testPipeline(role);
  await filled(db);
  await using first = pipeline.run();
  await pipeline.untilStreaming(["t", "u"]);
  if (when === "is stopped") {
    first.signal("SIGTERM");
    await first.exit();
  }
  await db.query(`DROP PUBLICATION ${pipeline.slot}`);
  await db.query("INSERT INTO t VALUES (1001, 'nobody publishes this')");

  await using run = when === "is stopped" ? pipeline.run() : first;
  await expectRefusal(run, { code: "LOG_LOST", says: /publication .+ does not exist/, hint: /millrace drop/ });
  await db.query("DELETE FROM t WHERE id = 1001");
  await beginAnew(pipeline, db);
});

test("a table taken out of the publication by somebody else does not lose changes silently", async () => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  await using pipeline = await testPipeline(role);
  await filled(db);
  await pipeline.catchUp();
  await db.query(`ALTER PUBLICATION ${pipeline.slot} DROP TABLE t`);
  await db.query("INSERT INTO t VALUES (1001, 'nobody publishes this')");

  await using run = pipeline.run(["--until", "caught-up"]);
  expect(await run.exit(), run.output).toEqual({ code: 1, signal: null });
  expect(await pipeline.tableState("t")).toMatchObject({ kind: "stopped", code: "TABLE_UNPUBLISHED" });
  await using again = pipeline.run(["--until", "caught-up", "--resnapshot", "public.t"]);
  expect(await again.exit(), again.output).toEqual({ code: 0, signal: null });
  await pipeline.expectEqual(["t", "u"]);
});

test.each(["is stopped", "goes on"])(
  "the only table, unpublished while the pipeline %s, stays stopped when it is back",
  async (when) => {
    await using db = await createDatabase();
    await using role = await createRole(db, "SUPERUSER");
    await using pipeline = await testPipeline(role);
    await db.query("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    await pipeline.catchUp();
    const unpublish = `ALTER PUBLICATION ${pipeline.slot} DROP TABLE t`;
    if (when === "is stopped") await db.query(unpublish);
    await using run = pipeline.run();
    if (when === "goes on") {
      await run.untilOutput(/running/);
      await db.query(unpublish);
    }
    await expectRefusal(run, { code: "ALL_TABLES_STOPPED", says: /public\.t \(TABLE_UNPUBLISHED/, hint: /./ });
    expect(await pipeline.tableState("t")).toMatchObject({ kind: "stopped", code: "TABLE_UNPUBLISHED" });
    if (when === "goes on") return;

    await db.query("INSERT INTO t VALUES (2)");
    await db.query(`ALTER PUBLICATION ${pipeline.slot} ADD TABLE t`);
    await using back = pipeline.run(["--until", "caught-up"]);
    await expectRefusal(back, { code: "ALL_TABLES_STOPPED", says: /TABLE_UNPUBLISHED/, hint: /./ });
    await using again = pipeline.run(["--until", "caught-up", "--resnapshot", "public.t"]);
    expect(await again.exit(), again.output).toEqual({ code: 0, signal: null });
    await pipeline.expectEqual(["t"]);
  },
);
