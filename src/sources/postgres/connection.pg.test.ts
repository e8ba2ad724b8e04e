import { expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { sourceOptions } from "../../../test/support/postgres-source.ts";
import { startProxy } from "../../../test/support/proxy.ts";
import { within } from "../../../test/support/wait-for.ts";
import { LazySession } from "./connection.ts";

const LIMITS = { statementTimeoutMs: 10_000, lockTimeoutMs: 10_000 };
const { signal } = new AbortController();

function lazySession(db: TestDatabase): LazySession {
  return new LazySession(sourceOptions(db, "public.\\.*"), LIMITS);
}

test("whoever asks at the same time gets the same connection, and none is left open", async () => {
  await using db = await createDatabase();
  const sessions = lazySession(db);
  const [one, other] = await Promise.all([sessions.get(signal), sessions.get(signal)]);
  expect(other).toBe(one);
  await sessions[Symbol.asyncDispose]();
  expect(one?.broken).toBe(true);
});

test("no limit of the database's ends what may take long", async () => {
  await using db = await createDatabase("newest");
  const limits = ["transaction_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"];
  for (const limit of limits) await db.query(`ALTER DATABASE "${db.database}" SET ${limit} = '10min'`);
  await using sessions = lazySession(db);
  const session = await sessions.get(signal);
  const settings = limits.map((limit) => `current_setting('${limit}') AS ${limit}`).join(", ");
  const [found] = await session.query<Record<string, string>>(`SELECT ${settings}`, [], signal);
  expect(Object.values(found!)).toEqual(["0", "0", "0"]);
});

test("a script that fails is rolled back before the next statement runs", async () => {
  await using db = await createDatabase();
  await using sessions = lazySession(db);
  const session = await sessions.get(signal);
  const failing = session.script("BEGIN; SELECT 1/0; COMMIT", signal);
  const next = session.query<{ one: number }>("SELECT 1 AS one", [], signal);
  await expect(failing).rejects.toThrow("SQLSTATE 22012");
  expect(await next).toEqual([{ one: 1 }]);
});

test("an abort takes who waits for a turn out of the queue, and leaves the connection to who has it", async () => {
  await using db = await createDatabase();
  await using sessions = lazySession(db);
  const session = await sessions.get(signal);
  const first = session.query<{ slept: string }>("SELECT pg_sleep(0.2)::text AS slept", [], signal);
  const impatient = new AbortController();
  const second = session.query("SELECT 2", [], impatient.signal);
  impatient.abort(new Error("enough"));
  await expect(second).rejects.toThrow("enough");
  expect(await first).toEqual([{ slept: "" }]);
  expect(session.broken).toBe(false);
});

test("a connection ends without an answer of the server, which a silent network never brings", async () => {
  await using db = await createDatabase();
  await using proxy = await startProxy(db);
  const options = { ...sourceOptions(db, "public.\\.*"), hostname: proxy.host, port: proxy.port };
  const sessions = new LazySession(options, LIMITS);
  const session = await sessions.get(signal);
  proxy.stall();
  await within("the connection to end", sessions[Symbol.asyncDispose](), 5_000);
  expect(session.broken).toBe(true);
});

test("is lost when nothing is heard of a statement for longer than it may take", async () => {
  await using db = await createDatabase();
  await using proxy = await startProxy(db);
  const options = { ...sourceOptions(db, "public.\\.*"), hostname: proxy.host, port: proxy.port };
  await using sessions = new LazySession(options, { statementTimeoutMs: 400, lockTimeoutMs: 100 });
  const session = await sessions.get(signal);
  expect(await session.query("SELECT 1 AS one", [], signal)).toEqual([{ one: 1 }]);
  proxy.stall();
  const asked = session.query("SELECT 1", [], signal);
  await expect(asked).rejects.toMatchObject({ code: "SOURCE_CONNECTION_LOST", retry: "timed" });
  await expect(asked).rejects.toThrow("silent for 500 ms");
  expect(session.broken).toBe(true);
});
