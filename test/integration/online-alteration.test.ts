import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LoneMysqlDatabase } from "../support/mysql-binlog.ts";
import type { TestMysqlDatabase } from "../support/mysql.ts";
import { likeGhost, likePercona } from "../support/online-alteration.ts";
import { Pace } from "../support/pace.ts";
import { Random } from "../support/random.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { waitFor } from "../support/wait-for.ts";

const ROWS = 1_500;

async function fill(db: TestMysqlDatabase): Promise<void> {
  await db.query("CREATE TABLE t (id int PRIMARY KEY, a varchar(30), b decimal(10,2) NOT NULL DEFAULT 0)");
  await db.query("INSERT INTO t VALUES ?", [Array.from({ length: ROWS }, (_, i) => [i + 1, `row ${i}`, i / 4])]);
}

/** Sessions that change the table until they are told to stop. */
class Writers {
  readonly #pace = new Pace(500);
  readonly #running: Promise<unknown>;
  #isStopping = false;
  #written = 0;

  constructor(db: TestMysqlDatabase) {
    this.#running = Promise.all([1, 2].map((seed) => this.#write(db, new Random(seed))));
  }

  async #write(db: TestMysqlDatabase, random: Random): Promise<void> {
    const client = await db.client();
    const id = (): number => 1 + random.below(ROWS * 2);
    while (!this.#isStopping) {
      const [sql, values] = random.pick([
        ["INSERT IGNORE INTO t (id, a) VALUES (?, ?)", [id(), random.text(5)]],
        ["UPDATE t SET a = ?, b = b + 1 WHERE id >= ? ORDER BY id LIMIT 2", [random.text(9), id()]],
        ["DELETE FROM t WHERE id >= ? ORDER BY id LIMIT 1", [id()]],
      ] as const);
      await this.#pace.turn();
      // A deadlock with the tool's own statements is one of the writer's.
      await client.query(sql, [...values]).catch((error: { errno?: number }) => {
        if (error.errno !== 1213 && error.errno !== 1205) throw error;
      });
      this.#written++;
    }
  }

  async untilWritten(more: number): Promise<void> {
    const goal = this.#written + more;
    await waitFor("the writers to write", () => this.#written >= goal);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }
}

describe.each([
  ["mysql", "MINIMAL"],
  ["mysql", "FULL"],
  ["mariadb", "NO_LOG"],
  ["mariadb", "FULL"],
] as const)("a table of %s that is altered online, with writers beside (%s)", (flavour, metadata) => {
  let db: LoneMysqlDatabase;
  beforeAll(async () => {
    db = await LoneMysqlDatabase.start(flavour, { binlog_row_metadata: metadata });
  });
  beforeEach(async () => {
    await db.renew();
    await fill(db);
  });
  afterAll(() => db[Symbol.asyncDispose]());

  const ALTERATION = "ADD COLUMN n int NOT NULL DEFAULT 7 AFTER id, MODIFY a varchar(60)";

  test("ends equal, by either tool, and the tools' tables stay out", async () => {
    await using pipeline = await testPipeline(db);
    const writers = new Writers(db);
    await using run = pipeline.run();
    await pipeline.untilStreaming(["t"]);
    await likeGhost(db, ALTERATION, "_t_del");
    await writers.untilWritten(50);
    await db.query("UPDATE t SET n = id WHERE id % 3 = 0");
    await likePercona(db, "ADD COLUMN m varchar(5) DEFAULT 'm', ADD KEY k (a)");
    await writers.untilWritten(50);
    await likeGhost(db, "ADD COLUMN o date FIRST", "_t_20240131093000_del");
    await db.query("UPDATE t SET m = NULL, o = '2024-01-31' WHERE id % 5 = 0");
    await writers.untilWritten(50);
    await writers.stop();
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    await pipeline.expectEqual(["t"]);
    const tables = await pipeline.sinkRows(
      `SELECT table_name FROM information_schema.tables WHERE table_schema = '${db.database}'`,
    );
    expect(tables.flat()).toEqual(["t"]);
  });

  test("ends equal when it is altered during its snapshot, and when the pipeline was killed on the way", async () => {
    await using pipeline = await testPipeline(db, { parallelism: 1 });
    const writers = new Writers(db);
    await using killed = pipeline.run();
    await pipeline.untilRows("t", 200);
    await likeGhost(db, ALTERATION, "_t_del");
    killed.signal("SIGKILL");
    expect(await killed.exit(), killed.output).toEqual({ code: null, signal: "SIGKILL" });
    await likePercona(db, "ADD COLUMN m varchar(5) DEFAULT 'm'");
    await writers.untilWritten(50);
    await writers.stop();
    await pipeline.catchUp();
    await pipeline.expectEqual(["t"]);
  });

  test("stops where the copy was given other values, and begins anew", async () => {
    await db.query("CREATE TABLE other (id int PRIMARY KEY)");
    await using pipeline = await testPipeline(db);
    await using run = pipeline.run();
    await pipeline.untilStreaming(["t", "other"]);
    await db.query("CREATE TABLE `_t_gho` LIKE t");
    await db.query(`ALTER TABLE \`_t_gho\` ${ALTERATION}`);
    await db.query("INSERT INTO `_t_gho` (id, a, b, n) SELECT id, a, b, id * 2 FROM t");
    await db.query("RENAME TABLE t TO `_t_del`, `_t_gho` TO t");
    await waitFor("t to stop", async () => (await pipeline.tableState("t"))?.kind === "stopped");
    run.signal("SIGTERM");
    await run.exit();
    expect(await pipeline.tableState("t")).toMatchObject({ kind: "stopped", code: "SCHEMA_CHANGED" });
    await using again = pipeline.run(["--resnapshot", `${db.database}.t`, "--until", "caught-up"]);
    expect(await again.exit(), again.output).toEqual({ code: 0, signal: null });
    await pipeline.expectEqual(["t"]);
  });
});
