import { describe, expect, it } from "vitest";
import {
  binlogDecoder,
  BinlogTail,
  decodeBinlog,
  itemTexts,
  LoneMysqlDatabase,
  mysqlSchema,
} from "../../../../test/support/mysql-binlog.ts";
import type { LogItem } from "../../../core/line.ts";
import { parseLogPosition } from "../position.ts";

const FLAVOURS = ["mysql", "mariadb"] as const;

function xa(xid: string, ...statements: readonly string[]): string[] {
  return [`XA START ${xid}`, ...statements, `XA END ${xid}`];
}

/** A row of t, and what it comes as. */
const row = (id: number): string => `INSERT INTO t VALUES (${id}, 'x')`;
const text = (id: number): string => `insert ${id},x`;

interface Log {
  readonly db: LoneMysqlDatabase;
  readonly tail: BinlogTail;
}

describe.each(FLAVOURS)("XA transactions in the log (%s)", (flavour) => {
  async function openLog(): Promise<LoneMysqlDatabase> {
    const db = await LoneMysqlDatabase.start(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))");
    await db.query("CREATE TABLE other (id int PRIMARY KEY)");
    return db;
  }

  async function run(db: LoneMysqlDatabase, ...statements: readonly string[]): Promise<void> {
    for (const statement of statements) await db.query(statement);
  }

  /** What of the events is decoded behind `from`, and where that ends. */
  async function decoded(
    { db, tail }: Log,
    options: Partial<Parameters<typeof binlogDecoder>[2]> = {},
  ): Promise<{ texts: string[]; items: LogItem[]; position: ReturnType<typeof parseLogPosition> }> {
    const decoder = binlogDecoder(flavour, [await mysqlSchema(db, "t")], options);
    const items = await decodeBinlog(decoder, await tail.events());
    return { texts: itemTexts(items), items, position: parseLogPosition(decoder.position.serialize()) };
  }

  it("come at their commit, in its place, as rows of its transaction", async () => {
    await using db = await openLog();
    const tail = await BinlogTail.open(db, flavour);
    await run(
      db,
      ...xa("'a','b',7", row(1), "INSERT INTO other VALUES (1)", "UPDATE t SET v = 'y' WHERE id = 1"),
      "XA PREPARE 'a','b',7",
    );
    const writer = await db.client();
    await writer.query(row(2));
    await run(db, "XA COMMIT 'a','b',7", row(3));
    await run(db, ...xa("X'00ff27'", row(4)), "XA PREPARE X'00FF27'", "XA ROLLBACK X'00ff27'", row(5));
    await run(db, ...xa("'once'", row(6)), "XA COMMIT 'once' ONE PHASE");
    await run(db, ...xa("'unprepared'", row(7)), "XA ROLLBACK 'unprepared'");
    await run(db, ...xa("'empty'", "SELECT 1"), "XA PREPARE 'empty'", "XA COMMIT 'empty'");
    await run(
      db,
      ...xa("'elsewhere'", "INSERT INTO other VALUES (2)"),
      "XA PREPARE 'elsewhere'",
      "XA COMMIT 'elsewhere'",
    );
    const { texts, items, position } = await decoded({ db, tail });
    expect(texts).toEqual([text(2), text(1), "update 1,y", text(3), text(5), text(6)]);
    const runs = items.flatMap((item) => (item.kind === "rows" ? item.batch.runs : []));
    expect(new Set(runs.map(({ transaction }) => transaction.id)).size).toBe(5);
    expect(runs.every(({ transaction }) => position.has(transaction))).toBe(true);
    expect(position.isPlain).toBe(true);
  });

  it("lose what they rolled back to a savepoint", async () => {
    await using db = await openLog();
    await db.query("CREATE TABLE m (id int PRIMARY KEY) ENGINE=MyISAM");
    const tail = await BinlogTail.open(db, flavour);
    const mixed = flavour === "mariadb" ? ["INSERT INTO m VALUES (1)"] : [];
    await run(db, ...xa("'s'", row(1), "SAVEPOINT s", row(2), ...mixed, "ROLLBACK TO s", row(3)), "XA PREPARE 's'");
    await run(db, "XA COMMIT 's'");
    expect((await decoded({ db, tail })).texts).toEqual([text(1), text(3)]);
  });

  it("have the next reading begin before their PREPARE, until they are decided", async () => {
    await using db = await openLog();
    const tail = await BinlogTail.open(db, flavour);
    await db.query(row(1));
    const first = await decoded({ db, tail });
    expect(first.position.isPlain).toBe(true);
    await run(db, ...xa("'a'", row(2)), "XA PREPARE 'a'");
    const second = await decoded({ db, tail }, { from: first.position });
    const [a, b] = [await db.client(), await db.client()];
    await b.query(row(3));
    for (const statement of [...xa("'b'", row(4)), "XA PREPARE 'b'"]) await b.query(statement);
    await a.query(row(5));
    const third = await decoded({ db, tail }, { from: second.position });
    expect(second.texts).toEqual([]);
    expect(third.texts).toEqual([text(3), text(5)]);
    // What is done grows, and the place to begin at stays where it was.
    expect(third.position.covers(second.position)).toBe(true);
    expect(second.position.covers(third.position)).toBe(false);
    for (const { position } of [second, third]) {
      expect(position.isPlain).toBe(false);
      expect(position.restart.covers(first.position)).toBe(true);
    }
    if (flavour === "mariadb") expect(third.position.restart).toEqual(first.position);
    await b.query("XA ROLLBACK 'b'");
    const fourth = await decoded({ db, tail }, { from: third.position });
    await run(db, "XA COMMIT 'a'");
    await a.query(row(6));
    const fifth = await decoded({ db, tail }, { from: fourth.position });
    expect([fourth.texts, fifth.texts]).toEqual([[], [text(2), text(6)]]);
    expect(fifth.position.isPlain).toBe(true);
    expect((await decoded({ db, tail }, { from: fifth.position })).texts).toEqual([]);
    // From the first position, with another reader of everything.
    expect((await decoded({ db, tail }, { from: first.position })).texts).toEqual([3, 5, 2, 6].map(text));
  });

  it("are not read from their outcome alone", async () => {
    await using db = await openLog();
    const client = await db.client();
    for (const statement of [...xa("'a'", row(1)), "XA PREPARE 'a'"]) await client.query(statement);
    const tail = await BinlogTail.open(db, flavour);
    await client.query("XA COMMIT 'a'");
    await expect(decoded({ db, tail })).rejects.toMatchObject({
      code: "LOG_LOST",
      message: expect.stringContaining("X'61',X'',1") as string,
    });
  });

  it("are delivered after the server was killed between PREPARE and COMMIT", async () => {
    await using db = await openLog();
    const tail = await BinlogTail.open(db, flavour);
    await run(db, ...xa("'a'", row(1)), "XA PREPARE 'a'");
    await db.restart();
    await run(db, row(2), "XA COMMIT 'a'");
    expect((await decoded({ db, tail })).texts).toEqual([text(2), text(1)]);
  });

  it("are delivered bit by bit where they are large, and stop their table where they are too large", async () => {
    await using db = await openLog();
    await db.query("ALTER TABLE t MODIFY v longtext");
    const tail = await BinlogTail.open(db, flavour);
    const large = "INSERT INTO t SELECT id, REPEAT('x', 100000) FROM (SELECT 1 AS id UNION SELECT 2 UNION SELECT 3) n";
    await run(db, ...xa("'a'", large, "INSERT INTO t SELECT id + 10, v FROM t"), "XA PREPARE 'a'", "XA COMMIT 'a'");
    const ids = (texts: readonly string[]): string[] => texts.map((each) => each.replace(/,.*/, ""));
    const bounds = { batchBytesMax: 1 << 16, xaBytesMax: 1_000_000 };
    const { texts, items } = await decoded({ db, tail }, bounds);
    expect(ids(texts)).toEqual([1, 2, 3, 11, 12, 13].map((id) => `insert ${id}`));
    expect(items.filter(({ kind }) => kind === "rows").length).toBeGreaterThan(3);
    const more = ["INSERT INTO t SELECT id + 20, v FROM t WHERE id < 4", "INSERT INTO t SELECT id + 100, v FROM t"];
    await run(db, ...xa("'b'", ...more), "XA PREPARE 'b'", "XA COMMIT 'b'", row(7));
    expect(ids((await decoded({ db, tail }, bounds)).texts.slice(6))).toEqual(["stop XA_TOO_LARGE"]);
    expect((await decoded({ db, tail }, { ...bounds, xaBytesMax: 1 << 21 })).texts).toHaveLength(6 + 1 + 3 + 9);
  });
});

describe("MySQL's XA transactions", () => {
  it("may be compressed, with one phase or two", async () => {
    await using db = await LoneMysqlDatabase.start("mysql");
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(1000))");
    const schema = await mysqlSchema(db, "t");
    const tail = await BinlogTail.open(db, "mysql");
    const rows = (from: number): string =>
      `INSERT INTO t VALUES (${from}, REPEAT('x', 500)), (${from + 1}, REPEAT('x', 500))`;
    await db.query("SET SESSION binlog_transaction_compression = ON");
    for (const statement of [
      ...[...xa("'a'", rows(1)), "XA PREPARE 'a'", "XA COMMIT 'a'"],
      ...[...xa("'b'", rows(3)), "XA PREPARE 'b'", "XA ROLLBACK 'b'"],
      ...[...xa("'c'", rows(5)), "XA COMMIT 'c' ONE PHASE"],
    ])
      await db.query(statement);
    const decoder = binlogDecoder("mysql", [schema]);
    const texts = itemTexts(await decodeBinlog(decoder, await tail.events()));
    expect(texts.map((each) => each.replace(/,.*/, ""))).toEqual([1, 2, 5, 6].map((id) => `insert ${id}`));
    const again = binlogDecoder("mysql", [schema], { from: decoder.position });
    expect(itemTexts(await decodeBinlog(again, await tail.events()))).toEqual([]);
  });
});
