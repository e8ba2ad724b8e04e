import { describe, expect, it } from "vitest";
import { createMysqlDatabase } from "../../../test/support/mysql.ts";
import type { ChunkRange, KeyBound } from "../../core/chunk.ts";
import {
  ALL,
  batchRows,
  deadline,
  GRANT,
  NO_CAPS,
  openPlanner,
  openReader,
  openSessions,
  readChunk,
  RULES,
  schemaOf,
  series,
} from "../../../test/support/mysql-source.ts";
import { selectByKey } from "./key-select.ts";
import { GtidSet } from "./position/gtid-set.ts";
import { GtidPosition } from "./position/mariadb-gtid.ts";
import { LogCut, MariadbPosition, MysqlPosition } from "./position.ts";

describe.each(["mysql", "mariadb"] as const)("chunks of %s", (flavour) => {
  // Of 22,000 rows MySQL thinks that there are from 13,000 to 25,000, and says half of it of whatever has nearly all.
  it.each(flavour === "mysql" ? [null, 14_000, 40_000] : [null])(
    "cost no more on keys spread over 2^62 than on neighbours (the server reckons with %s rows)",
    async (reckoned) => {
      await using db = await createMysqlDatabase(flavour);
      await db.query("CREATE TABLE t (id bigint PRIMARY KEY) STATS_AUTO_RECALC = 0");
      await db.query(`INSERT INTO t SELECT g FROM ${series(20_000)}`);
      await db.query(`INSERT INTO t SELECT 4611686018427387904 - g * 999999999999 FROM ${series(2000)}`);
      await db.query("ANALYZE TABLE t");
      if (reckoned !== null) {
        await db.query("UPDATE mysql.innodb_table_stats SET n_rows = ? WHERE database_name = ?", [
          reckoned,
          db.database,
        ]);
        await db.query("FLUSH TABLES t");
      }
      await using sessions = openSessions(db);
      const planner = openPlanner(sessions);
      const schema = await schemaOf(sessions, db, "t");
      const { max, rowsEstimate } = await planner.extent(schema, deadline());
      if (reckoned !== null) expect(rowsEstimate).toBe(reckoned);
      const uppers: string[] = [];
      for (let lower: readonly string[] | null = null; lower?.[0] !== max![0];) {
        const planned = await planner.next(schema, { lower, upper: max }, 1000, deadline());
        lower = planned.upper;
        uppers.push(lower![0]!);
      }
      expect(uppers.length).toBeLessThan(60);
      expect(uppers.length).toBeGreaterThan(10);
    },
  );

  it("know about how large a table is, and that it is empty", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (a varchar(9), b int, PRIMARY KEY (b, a))");
    await using sessions = openSessions(db);
    const planner = openPlanner(sessions);
    const schema = await schemaOf(sessions, db, "t");
    expect(await planner.extent(schema, deadline())).toMatchObject({ table: schema.id, max: null });
    await db.query(`INSERT INTO t SELECT CONCAT('x', g), g DIV 10 FROM ${series(5000)}`);
    await db.query("ANALYZE TABLE t");
    const extent = await planner.extent(schema, deadline());
    expect(extent.max).toEqual(["500", "x5000"]);
    expect(extent.rowsEstimate).toBeGreaterThan(2000);
    expect(extent.rowsEstimate).toBeLessThan(12_000);
    expect(extent.bytesPerRowEstimate).toBeGreaterThan(10);
  });

  it("are one for a table that fits, and more where it has grown since", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY) STATS_AUTO_RECALC = 0");
    await db.query(`INSERT INTO t SELECT g * 100 FROM ${series(50)}`);
    await db.query("ANALYZE TABLE t");
    await using sessions = openSessions(db);
    const planner = openPlanner(sessions);
    await using reader = openReader(db);
    const schema = await schemaOf(sessions, db, "t");
    const { max, rowsEstimate } = await planner.extent(schema, deadline());
    expect(rowsEstimate).toBeLessThan(1000);
    const whole = { lower: null, upper: max };
    await db.query(`INSERT IGNORE INTO t SELECT g FROM ${series(5000)}`);
    const planned = await planner.next(schema, whole, 1000, deadline());
    expect(planned).toEqual(whole);
    const ids: number[] = [];
    for (let range: ChunkRange | null = planned; range !== null;) {
      const { outcome, rows } = await readChunk(reader, schema, range, { ...NO_CAPS, rowsMax: 2000 });
      ids.push(...rows.map(([id]) => Number(id)));
      const lower: KeyBound = outcome.rest?.lower ?? range.upper!;
      range = lower[0] === max![0] ? null : await planner.next(schema, { lower, upper: max }, 1000, deadline());
    }
    expect(ids).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
  });

  it("that are refused leave nothing behind for the next table on the same connection", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using sessions = openSessions(db);
    await using reader = openReader(db);
    const schema = await schemaOf(sessions, db, "t");
    const refused = readChunk(reader, schema, { lower: null, upper: ["no number"] });
    await expect(refused).rejects.toMatchObject({ code: "INTERNAL" });
    expect((await readChunk(reader, schema, { lower: null, upper: ["9"] })).outcome.rows).toBe(0);
  });

  it("end at their byte cap and give the rest back", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await db.query(`INSERT INTO t SELECT g, REPEAT('x', 20000) FROM ${series(300)}`);
    await using sessions = openSessions(db);
    await using reader = openReader(db);
    const schema = await schemaOf(sessions, db, "t");
    const ids: number[] = [];
    let range: ChunkRange | null = { lower: null, upper: ["300"] };
    let reads = 0;
    for (; range !== null; reads++) {
      const { outcome, rows } = await readChunk(reader, schema, range, { ...NO_CAPS, bytesMax: 2_000_000 });
      expect(outcome.bytes).toBeLessThan(2_600_000);
      ids.push(...rows.map((row) => Number(row[0])));
      range = outcome.rest;
    }
    expect(ids).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(reads).toBeGreaterThanOrEqual(3);
  });

  it("read what their cut includes and nothing else", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query(`INSERT INTO t SELECT g FROM ${series(10)}`);
    const position = async (): Promise<string> => {
      const variable = flavour === "mysql" ? "@@global.gtid_executed" : "@@global.gtid_binlog_pos";
      const [row] = await db.query<{ gtids: string }>(`SELECT ${variable} AS gtids`);
      return row!.gtids;
    };
    const open = await db.client();
    await open.query("BEGIN");
    await open.query("INSERT INTO t VALUES (11)");
    await db.query("INSERT INTO t VALUES (13)");
    const before = await position();
    await using sessions = openSessions(db);
    await using reader = openReader(db);
    const { cut, rows } = await readChunk(reader, await schemaOf(sessions, db, "t"), ALL);
    await open.query("COMMIT");
    const after = await position();
    expect(rows.map((row) => row[0])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13].map(String));
    const { included, bound } = LogCut.parse(cut);
    const parsed = (text: string): MysqlPosition | MariadbPosition =>
      flavour === "mysql" ? new MysqlPosition(GtidSet.parse(text)) : new MariadbPosition(GtidPosition.parse(text));
    // Other tests may commit at the same time, so neither is exactly the cut's.
    expect(included!.covers(parsed(before))).toBe(true);
    expect(bound.covers(included!)).toBe(true);
    expect(bound.covers(parsed(after))).toBe(false);
  });

  it("report columns that the plan did not know, with what older rows got", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await db.query("INSERT INTO t VALUES (1)");
    await using sessions = openSessions(db);
    const schema = await schemaOf(sessions, db, "t");
    await db.query("ALTER TABLE t ADD COLUMN a varchar(20) DEFAULT 'it''s, {so}', ADD COLUMN b int");
    await using reader = openReader(db);
    const { outcome, rows } = await readChunk(reader, schema, ALL);
    expect(rows).toEqual([["1", "it's, {so}", null]]);
    expect(outcome.schema.version).toBe(2);
    expect(outcome.schema.columns.map((column) => [column.name, column.existingRowsDefault])).toEqual([
      ["id", null],
      ["a", "it's, {so}"],
      ["b", null],
    ]);
  });

  it.each([
    "ALTER TABLE t DROP COLUMN v",
    "ALTER TABLE t RENAME COLUMN v TO w",
    "ALTER TABLE t MODIFY v varchar(8) NOT NULL",
    "ALTER TABLE t MODIFY v varchar(9) CHARACTER SET latin1 NOT NULL",
    "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (v)",
    "ALTER TABLE t RENAME TO u",
    "DROP TABLE t",
  ])("are refused after %s", async (ddl) => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_general_ci NOT NULL)");
    await db.query("INSERT INTO t VALUES (1, 'x')");
    await using sessions = openSessions(db);
    const schema = await schemaOf(sessions, db, "t");
    await db.query(ddl);
    await using reader = openReader(db);
    await expect(readChunk(reader, schema, ALL)).rejects.toMatchObject({ code: "SCHEMA_CHANGED" });
    await db.query("CREATE TABLE again (id int PRIMARY KEY)");
    expect((await readChunk(reader, await schemaOf(sessions, db, "again"), ALL)).rows).toEqual([]);
  });

  it("wait for a locked table no longer than they may, and can be read afterwards", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using sessions = openSessions(db);
    const schema = await schemaOf(sessions, db, "t");
    const holder = await db.client();
    await holder.query("LOCK TABLES t WRITE");
    await using reader = openReader(db, { lockTimeoutMs: 100 });
    await expect(readChunk(reader, schema, ALL)).rejects.toMatchObject({ code: "SOURCE_LOCK_TIMEOUT", retry: "timed" });
    await holder.query("UNLOCK TABLES");
    expect((await readChunk(reader, schema, ALL)).rows).toEqual([]);
  });

  it("wait with the socket while a batch is being taken, and lose nothing", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await db.query(`INSERT INTO t SELECT g, REPEAT('x', 100) FROM ${series(100_000)}`);
    await using sessions = openSessions(db);
    await using reader = openReader(db);
    let taken = 0;
    let open = 0;
    const outcome = await reader.read(
      { grant: GRANT, schema: await schemaOf(sessions, db, "t"), range: ALL, ...NO_CAPS },
      {
        opened: () => undefined,
        batch: async (batch) => {
          expect(++open).toBe(1);
          await db.query("SELECT 1");
          taken += batch.length;
          open--;
        },
      },
      deadline(),
    );
    expect(taken).toBe(100_000);
    expect(outcome.rows).toBe(100_000);
    expect(outcome.rest).toBe(null);
  });

  it("are cut off by an abort", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await db.query(`INSERT INTO t SELECT g, REPEAT('x', 100) FROM ${series(100_000)}`);
    await using sessions = openSessions(db);
    const schema = await schemaOf(sessions, db, "t");
    await using reader = openReader(db);
    const abort = new AbortController();
    const reading = reader.read(
      { grant: GRANT, schema, range: ALL, ...NO_CAPS },
      { opened: () => undefined, batch: async () => abort.abort(new Error("enough")) },
      abort.signal,
    );
    await expect(reading).rejects.toThrow("enough");
    expect((await readChunk(reader, schema, { lower: null, upper: ["3"] })).rows).toHaveLength(3);
  });

  it("fail with a killed connection so that they are tried again, and the reader goes on", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    await db.query(`INSERT INTO t SELECT g, REPEAT('x', 1000) FROM ${series(30_000)}`);
    await using sessions = openSessions(db);
    const schema = await schemaOf(sessions, db, "t");
    await using reader = openReader(db);
    let killed = false;
    const kill = async (): Promise<void> => {
      if (killed) return;
      killed = true;
      const list = await db.query<{ Id: number; Info: string | null }>("SHOW FULL PROCESSLIST");
      const found = list.find(({ Info }) => Info?.startsWith("SELECT t.`id`") === true && Info.includes(db.database));
      await db.query("KILL ?", [found!.Id]);
    };
    const reading = reader.read(
      { grant: GRANT, schema, range: ALL, ...NO_CAPS },
      { opened: () => undefined, batch: kill },
      deadline(),
    );
    await expect(reading).rejects.toMatchObject({ code: "SOURCE_CONNECTION_LOST", retry: "timed" });
    expect((await readChunk(reader, schema, { lower: null, upper: ["3"] })).rows).toHaveLength(3);
  });

  it("read values of 16 MB and more, and go on behind them", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v longtext)");
    // Of sessions that begin from here on; MariaDB has 16 MB of itself.
    await db.query("SET GLOBAL max_allowed_packet = ?", [1 << 26]);
    const writer = await db.client();
    const lengths = [16_777_214 - 11, 16_777_215 - 11, 16_777_216, 3 * 16_777_215 - 14, 5];
    for (const [i, length] of lengths.entries())
      await writer.query("INSERT INTO t SELECT ?, CONCAT(REPEAT('ab', ?), ?)", [i, length >> 1, "c"]);
    await using sessions = openSessions(db);
    await using reader = openReader(db);
    const { batches } = await readChunk(reader, await schemaOf(sessions, db, "t"), ALL);
    const found = batches.flatMap(({ columns, length }) =>
      Array.from({ length }, (_, row) => columns[1]!.offsets![row + 1]! - columns[1]!.offsets![row]!),
    );
    expect(found).toEqual(lengths.map((length) => (length >> 1) * 2 + 1));
  });

  it("are selected by key, whatever the key's text", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query(
      `CREATE TABLE t (a varchar(20) COLLATE utf8mb4_bin, e enum('x','y'), s set('p','q'), b int, v text, PRIMARY KEY (a, e, s, b))`,
    );
    await db.query("INSERT INTO t VALUES ('\"q\\\\', 'y', 'p,q', 1, 'one'), ('?', 1, '', 2, 'two')");
    await db.query("INSERT INTO t VALUES ('NULL', 1, 'q', 3, NULL), ('', 2, '', 4, 'four'), ('''', 1, 'p', 5, 'five')");
    await db.query(`INSERT INTO t SELECT CONCAT('many', g), 'x', 'q', g + 9, 'm' FROM ${series(1200)}`);
    await using sessions = openSessions(db);
    const schema = await schemaOf(sessions, db, "t");
    await using reader = openReader(db);
    const { batches } = await readChunk(reader, schema, ALL);
    await db.query("DELETE FROM t WHERE b = 2");
    await db.query("UPDATE t SET v = 'new' WHERE b = 1");
    const session = await sessions.get(deadline());
    const selected = batchRows(await selectByKey(session, RULES, batches[0]!, deadline()));
    expect(selected).toHaveLength(1204);
    const few = selected.filter((row) => row[4] !== "m").sort((x, y) => Number(x[3]) - Number(y[3]));
    expect(few).toEqual([
      ['"q\\', "y", "p,q", "1", "new"],
      ["NULL", "x", "q", "3", null],
      ["", "y", "", "4", "four"],
      ["'", "x", "p", "5", "five"],
    ]);
  });
});
