import { describe, expect, test } from "vitest";
import { createMysqlDatabase, type TestMysqlDatabase } from "../support/mysql.ts";
import type { MysqlFlavour } from "../support/mysql-programs.ts";
import { Pace } from "../support/pace.ts";
import { Random } from "../support/random.ts";
import { testPipeline } from "../support/test-pipeline.ts";
import { DEADLINE_MS, waitFor } from "../support/wait-for.ts";

const KILLED = { code: null, signal: "SIGKILL" } as const;
/** Others were in the way: deadlock, lock timeout, a key that was just taken, a row that was changed since. */
const CONFLICTS = new Set([1213, 1205, 1062, 1020]);
const ROWS = 2_000;
const FAILPOINTS = [
  "snapshot.chunk-opened:2",
  "snapshot.chunk-read:1",
  "snapshot.chunk-entered:1",
  "engine.record-stored:2",
  "engine.sink-committed:3",
];

/** No key at all, of few different rows; a unique index for a key; a key that is none, on first characters. */
const TABLES = {
  same: "kind varchar(9), level int, weight double, at datetime(3), note text",
  uniquely: "a int NOT NULL, b varchar(20) NOT NULL, v int, UNIQUE (b, a)",
  prefixed: "name varchar(30), v int, PRIMARY KEY (name(12))",
} as const;
const tables = Object.keys(TABLES);

const kind = (random: Random): string => `'${random.pick(["a", "b", "ä"])}'`;
const level = (random: Random): string => random.pick(["0", "1", "NULL"]);
const number = (random: Random): number => random.below(ROWS * 2);

const STEPS: readonly ((random: Random) => string)[] = [
  (random) =>
    `INSERT INTO same (kind, level, weight, at) VALUES (${kind(random)}, ${level(random)}, 0.1, "2024-02-29 12:00:00.5")`,
  (random) => `INSERT INTO same SELECT * FROM same WHERE kind = ${kind(random)} LIMIT 2`,
  (random) => `UPDATE same SET level = ${level(random)} WHERE kind = ${kind(random)} LIMIT 1`,
  (random) => `UPDATE same SET note = REPEAT('long', 2000) WHERE kind = ${kind(random)} LIMIT ${random.below(3)}`,
  (random) => `DELETE FROM same WHERE kind = ${kind(random)} LIMIT ${1 + random.below(3)}`,
  (random) => `INSERT INTO uniquely VALUES (${number(random)}, 'b', 1) ON DUPLICATE KEY UPDATE v = v + 1`,
  (random) => `UPDATE uniquely SET a = ${number(random)}, b = 'B${random.below(9)}' WHERE a = ${number(random)}`,
  (random) => `DELETE FROM uniquely WHERE a = ${number(random)}`,
  (random) => `INSERT INTO prefixed VALUES ('${number(random)} and longer', 1) ON DUPLICATE KEY UPDATE v = v + 1`,
  (random) => `UPDATE prefixed SET name = CONCAT(name, '.') WHERE name LIKE '${number(random)} %' LIMIT 1`,
  (random) => `DELETE FROM prefixed WHERE name LIKE '${number(random)} %'`,
];

async function createTables(db: TestMysqlDatabase): Promise<void> {
  for (const [name, columns] of Object.entries(TABLES)) await db.query(`CREATE TABLE ${name} (${columns})`);
  const numbers = Array.from({ length: ROWS }, (_, i) => i);
  const same = numbers.map((i) => ["aäb"[i % 3], i % 4 === 0 ? null : i % 2, 0.1, "2024-02-29 12:00:00.5", null]);
  await db.query("INSERT INTO same VALUES ?", [same]);
  await db.query("INSERT INTO uniquely VALUES ?", [numbers.map((i) => [i, "b", i])]);
  await db.query("INSERT INTO prefixed VALUES ?", [numbers.map((i) => [`${i} and longer`, i])]);
}

/** Writers until they are stopped; each statement is a transaction. */
class Writers implements AsyncDisposable {
  readonly #pace = new Pace(1_000);
  readonly #running: Promise<unknown>;
  #isStopping = false;
  #written = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(db: TestMysqlDatabase, count: number) {
    this.#running = Promise.all(Array.from({ length: count }, (_, i) => this.#write(db, new Random(i))));
  }

  async #write(db: TestMysqlDatabase, random: Random): Promise<void> {
    const client = await db.client();
    await client.query("SET innodb_lock_wait_timeout = 2");
    while (!this.#isStopping)
      try {
        await this.#pace.turn();
        await client.query(random.pick(STEPS)(random));
        this.#written++;
      } catch (error) {
        if (CONFLICTS.has((error as { errno?: number }).errno ?? 0)) continue;
        this.#failure ??= { error };
        this.#isStopping = true;
      }
  }

  async untilWritten(more: number): Promise<void> {
    const goal = this.#written + more;
    await waitFor(`${more} statements`, () => this.#failure !== null || this.#written >= goal, DEADLINE_MS);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    if (this.#failure !== null) throw this.#failure.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }
}

async function filled(flavour: MysqlFlavour): Promise<TestMysqlDatabase> {
  const db = await createMysqlDatabase(flavour);
  await createTables(db);
  return db;
}

describe.each(["mysql", "mariadb"] as const)("tables without a primary key of %s", (flavour) => {
  test("end equal, as often as each row is there, after a snapshot under writers", async () => {
    await using db = await filled(flavour);
    await using pipeline = await testPipeline(db);
    await using writers = new Writers(db, 3);
    await writers.untilWritten(20);
    const run = pipeline.run();
    await pipeline.untilStreaming(tables);
    await writers.untilWritten(500);
    await db.query("ALTER TABLE same ADD COLUMN added int DEFAULT 7");
    await writers.stop();
    await db.query("UPDATE same SET added = 8 LIMIT 100");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.differences(tables)).toEqual([]);
  });

  test("lose and double nothing where processes are killed at each of these failpoints", async () => {
    await using db = await filled(flavour);
    await using pipeline = await testPipeline(db, { checkpointInterval: "50ms" });
    await using writers = new Writers(db, 2);
    for (const failpoint of FAILPOINTS) {
      const run = pipeline.run([], { MILLRACE_FAILPOINT: failpoint });
      expect(await run.exit(), `${failpoint}\n${run.output}`).toEqual(KILLED);
      await writers.untilWritten(50);
    }
    await writers.stop();
    await pipeline.catchUp();
    expect(await pipeline.differences(tables)).toEqual([]);
  });

  test("of identical rows, a DELETE of one takes one, and a TRUNCATE all", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (a varchar(9), b int)");
    await db.query("CREATE TABLE emptied (a int)");
    await db.query("INSERT INTO t VALUES ('same', NULL), ('same', NULL), ('same', NULL), ('other', 1)");
    await db.query("INSERT INTO emptied VALUES (1), (1)");
    await using pipeline = await testPipeline(db);
    const run = pipeline.run();
    await pipeline.untilStreaming(["t", "emptied"]);
    await db.query("DELETE FROM t WHERE a = 'same' LIMIT 1");
    await db.query("UPDATE t SET b = 2 WHERE a = 'same' LIMIT 1");
    await db.query("TRUNCATE emptied");
    await db.query("INSERT INTO emptied VALUES (2), (2)");
    run.signal("SIGTERM");
    expect(await run.exit(), run.output).toEqual({ code: 0, signal: null });
    await pipeline.catchUp();
    expect(await pipeline.differences(["t", "emptied"])).toEqual([]);
    expect(await pipeline.sinkRows(`SELECT a, b FROM "${db.database}".t ORDER BY ALL`)).toEqual([
      ["other", 1],
      ["same", 2],
      ["same", null],
    ]);
  });
});
