import { describe, expect, it } from "vitest";
import {
  binlogDecoder,
  BinlogTail,
  decodeBinlog,
  itemTexts,
  LoneMysqlDatabase,
  mysqlSchema,
} from "../../../../test/support/mysql-binlog.ts";
import { deadline, openSessions } from "../../../../test/support/mysql-source.ts";
import { testAmbient } from "../../../../test/support/test-ambient.ts";
import type { Clock } from "../../../core/ambient.ts";
import type { Session } from "../connection.ts";
import type { LogPosition } from "../position.ts";
import { startPosition } from "./start-position.ts";
import { visibleCut } from "./visible.ts";

async function prepareXa(
  db: LoneMysqlDatabase,
  xid: string,
  statement: string,
): Promise<(sql: string) => Promise<void>> {
  const client = await db.client();
  const run = async (sql: string): Promise<void> => {
    await client.query(sql);
  };
  for (const sql of [`XA START ${xid}`, statement, `XA END ${xid}`, `XA PREPARE ${xid}`]) await run(sql);
  return run;
}

async function started(db: LoneMysqlDatabase, waitMs: number, onWait?: () => void): Promise<LogPosition> {
  const signal = deadline();
  await using sessions = openSessions(db);
  const { clock } = testAmbient();
  const sleep: Clock["sleep"] = (ms, until) => {
    onWait?.();
    return clock.sleep(ms, until);
  };
  const session = await sessions.get(signal);
  return await startPosition({ session, clock: { ...clock, sleep }, waitMs, signal }, () => visible(session, signal));
}

async function visible(session: Session, signal: AbortSignal): Promise<LogPosition> {
  return (await visibleCut(session, signal)).included!;
}

describe.each(["mysql", "mariadb"] as const)("the start (%s)", (flavour) => {
  it("is what is visible, where no XA transaction is open", async () => {
    await using db = await LoneMysqlDatabase.start(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const position = await started(db, 0);
    expect(position.isPlain).toBe(true);
    await db.query("INSERT INTO t VALUES (1)");
    expect(position.covers(await started(db, 0))).toBe(false);
  });

  it("is refused while XA transactions are open, by their names", async () => {
    await using db = await LoneMysqlDatabase.start(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const first = await prepareXa(db, "'a','b',3", "INSERT INTO t VALUES (1)");
    await expect(started(db, 150)).rejects.toMatchObject({
      code: "XA_UNDECIDED",
      message: expect.stringContaining("X'61',X'62',3") as string,
      hint: expect.stringContaining("XA ROLLBACK X'61',X'62',3") as string,
    });
    await first("XA ROLLBACK 'a','b',3");
    await started(db, 0);
  });

  it("waits for the XA transactions before it, and begins to read before those that came meanwhile", async () => {
    await using db = await LoneMysqlDatabase.start(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const tail = await BinlogTail.open(db, flavour);
    const a = await prepareXa(db, "'a'", "INSERT INTO t VALUES (1)");
    let waited: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => (waited = resolve));
    const starting = started(db, 20_000, waited);
    await waiting;
    const b = await prepareXa(db, "'b'", "INSERT INTO t VALUES (2)");
    // MariaDB does not tell of a prepared one whether its commit is in the log already: it is waited for, too.
    if (flavour === "mariadb") await b("XA COMMIT 'b'");
    await a("XA COMMIT 'a'");
    const from = await starting;
    if (flavour === "mysql") {
      expect(from.isPlain).toBe(false);
      await b("XA COMMIT 'b'");
    }
    await db.query("INSERT INTO t VALUES (3)");
    const decoder = binlogDecoder(flavour, [await mysqlSchema(db, "t")], { from });
    const texts = itemTexts(await decodeBinlog(decoder, await tail.events()));
    expect(texts).toEqual(flavour === "mysql" ? ["insert 2", "insert 3"] : ["insert 3"]);
    expect(decoder.position.isPlain).toBe(true);
  });
});

it("begins where MySQL does not tell of XA transactions", async () => {
  await using db = await LoneMysqlDatabase.start("mysql");
  await db.query("CREATE USER plain IDENTIFIED BY 'a plain one'");
  await db.query("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO plain");
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  await prepareXa(db, "'a'", "INSERT INTO t VALUES (1)");
  const signal = deadline();
  await using sessions = openSessions({
    host: db.host,
    port: db.port,
    user: "plain",
    password: "a plain one",
    database: "",
  });
  const session = await sessions.get(signal);
  const options = { session, clock: testAmbient().clock, waitMs: 0, signal };
  const start = await startPosition(options, () => visible(session, signal));
  expect(start.isPlain).toBe(true);
});
