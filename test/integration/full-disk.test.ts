import { expect, test } from "vitest";
import { createRole } from "../support/postgres-role.ts";
import { createDatabase } from "../support/postgres.ts";
import { expectRefusal, expectSecretKept } from "../support/refusal.ts";
import { testPipeline } from "../support/test-pipeline.ts";

const UNTIL = ["--until", "caught-up"];

/** About 8 MB that cannot be compressed. */
const ROWS =
  "SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 128) j) FROM generate_series(1, 2000) i";

test.each(["snapshot", "stream"])(
  "a full disk under the DuckDB file, in the %s: the run ends, and goes on when there is room",
  async (when) => {
    await using db = await createDatabase();
    await using role = await createRole(db, "SUPERUSER");
    await using pipeline = await testPipeline(role, { chunkRows: 500 });
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    if (when === "stream") await pipeline.catchUp();
    await db.query(`INSERT INTO t ${ROWS}`);

    await using run = pipeline.command("run", UNTIL, {}, { fileBytesMax: 2_000_000 });
    await expectRefusal(run, { code: "SINK_DISK_FULL", says: /warehouse\.duckdb/, hint: /Make room/ });
    await expectSecretKept(role.password, run, pipeline.path("."));
    await pipeline.catchUp();
    await pipeline.expectEqual(["t"]);
  },
);

test("a full disk under the checkpoint store: the run ends, and goes on when there is room", async () => {
  await using db = await createDatabase();
  await using role = await createRole(db, "SUPERUSER");
  // Its record is longer than the limit, and this sink writes no file of its own.
  await using pipeline = await testPipeline(role, { sink: { type: "discard" } });
  const columns = Array.from({ length: 300 }, (_, i) => `column_${i} text`);
  await db.query(`CREATE TABLE t (id int PRIMARY KEY, ${columns.join(", ")})`);
  await db.query("INSERT INTO t SELECT i FROM generate_series(1, 300) i");

  await using run = pipeline.command("run", UNTIL, {}, { fileBytesMax: 8_192 });
  await expectRefusal(run, { code: "CHECKPOINT_DISK_FULL", says: /epoch-\d+\.json/, hint: /Free some space/ });
  await pipeline.catchUp();
  expect(await pipeline.tableState("t")).toMatchObject({ kind: "streaming", rows: 300 });
});
