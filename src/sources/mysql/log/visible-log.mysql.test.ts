import { expect, it } from "vitest";
import { LoneMysqlDatabase } from "../../../../test/support/mysql-binlog.ts";
import { deadline, openSessions } from "../../../../test/support/mysql-source.ts";
import { waitFor } from "../../../../test/support/wait-for.ts";
import type { Clock } from "../../../core/ambient.ts";
import type { LogCut } from "../position.ts";
import { VisibleLog } from "./visible-log.ts";

const WITHOUT_GTIDS = { gtid_mode: "OFF", enforce_gtid_consistency: "OFF" };
const SETTLE_MS = 30_000;

/** Real servers, and a time that passes when the test says so. */
class TestClock implements Clock {
  ms: number = 0;

  nowMs(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }

  readonly sleep: Clock["sleep"] = () => Promise.reject(new Error("nobody waits here"));
}

interface Looks {
  readonly clock: TestClock;
  readonly look: () => Promise<LogCut>;
}

async function looks(db: LoneMysqlDatabase, sessions: ReturnType<typeof openSessions>): Promise<Looks> {
  const clock = new TestClock();
  const log = new VisibleLog(clock);
  const session = await sessions.get(deadline());
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  return { clock, look: () => log.cut(session, deadline()) };
}

it("a place that a user without PROCESS has seen counts as visible when it is old enough", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT_GTIDS);
  await db.query("CREATE USER plain IDENTIFIED WITH caching_sha2_password BY 'plain'");
  await db.query("GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO plain");
  const { host, port, database } = db;
  await using sessions = openSessions({ host, port, database, user: "plain", password: "plain" });
  const { clock, look } = await looks(db, sessions);
  const first = await look();
  expect(first.included).toBeNull();
  clock.ms = SETTLE_MS - 1;
  await db.query("INSERT INTO t VALUES (1)");
  const second = await look();
  expect(second.included).toBeNull();
  clock.ms = SETTLE_MS;
  const third = await look();
  expect(third.included?.toString()).toBe(first.bound.toString());
  expect(third.bound.toString()).toBe(second.bound.toString());
  clock.ms = 2 * SETTLE_MS;
  expect((await look()).included?.toString()).toBe(second.bound.toString());
});

it("a statement that has written and goes on holds it back for as long, and an idle transaction does not", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT_GTIDS);
  await using sessions = openSessions(db);
  const { clock, look } = await looks(db, sessions);
  const [idle, busy] = [await db.client(), await db.client()];
  for (const [i, writer] of [idle, busy].entries()) {
    await writer.query("START TRANSACTION");
    await writer.query("INSERT INTO t VALUES (?)", [i]);
  }
  const going = busy.query("DO SLEEP(600)");
  going.catch(() => undefined);
  const list = "SELECT 1 FROM information_schema.processlist WHERE info = 'DO SLEEP(600)'";
  await waitFor("the statement to go on", async () => (await db.query(list)).length > 0);
  const { bound } = await look();
  // Looked at in earnest, and more than once.
  for (clock.ms = 1000; clock.ms < SETTLE_MS; clock.ms += 7000) expect((await look()).included).toBeNull();
  clock.ms = SETTLE_MS;
  expect((await look()).included?.toString()).toBe(bound.toString());
  await db.query("KILL QUERY ?", [busy.threadId]);
  await going.catch(() => undefined);
  await waitFor("the present to be visible", async () => {
    clock.ms += 1000;
    const { included, bound: now } = await look();
    return included?.covers(now) === true;
  });
  expect(clock.ms).toBeLessThan(2 * SETTLE_MS);
});

it("a list of sessions that MySQL cannot give for a statement's emoji is asked for again", async () => {
  await using db = await LoneMysqlDatabase.start("mysql", WITHOUT_GTIDS);
  await using sessions = openSessions(db);
  const { clock, look } = await looks(db, sessions);
  const speaker = await db.client();
  const going = speaker.query("SELECT SLEEP(600), '😀'");
  going.catch(() => undefined);
  await waitFor("the statement to go on", async () => {
    const list = await db.query<{ Info: string | null }>("SHOW PROCESSLIST");
    return list.some(({ Info }) => Info?.includes("😀") === true);
  });
  const { bound } = await look();
  for (; clock.ms < 5000; clock.ms += 1000) expect((await look()).included).toBeNull();
  await db.query("KILL QUERY ?", [speaker.threadId]);
  await going.catch(() => undefined);
  // In the server's time: who asks it too often gets an old list.
  const passedMs = clock.ms;
  const beganMs = performance.now();
  await waitFor("the place to be visible", async () => {
    clock.ms = passedMs + performance.now() - beganMs;
    return (await look()).included?.covers(bound) === true;
  });
  expect(clock.ms).toBeLessThan(SETTLE_MS);
});
