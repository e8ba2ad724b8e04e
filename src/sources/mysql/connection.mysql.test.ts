import { createServer, type AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { freePort } from "../../../test/support/free-port.ts";
import { createMysqlDatabase } from "../../../test/support/mysql.ts";
import { deadline, openSessions, sourceOptions } from "../../../test/support/mysql-source.ts";
import { startProxy } from "../../../test/support/proxy.ts";
import { Session } from "./connection.ts";

const LIMITS = { statementTimeoutMs: 10_000, lockTimeoutMs: 1_500 };

describe.each(["mysql", "mariadb"] as const)("a session at %s", (flavour) => {
  it("has the settings that values and locks depend on, and says whose it is", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await Session.open(sourceOptions(db), LIMITS, deadline());
    expect(session.flavour).toBe(flavour);
    const [found] = await session.query<Readonly<Record<string, string | number>>>(
      `SELECT @@time_zone zone, @@sql_mode mode, @@collation_connection collation, @@character_set_results results,
         @@lock_wait_timeout locks, @@net_write_timeout writes,
         @@transaction_isolation isolation,
         ${flavour === "mysql" ? "@@max_execution_time" : "CAST(@@max_statement_time * 1000 AS SIGNED)"} statement`,
      [],
      deadline(),
    );
    expect(Object.entries(found!).map(([name, value]) => `${name}: ${value}`)).toEqual([
      "zone: +00:00",
      "mode: ALLOW_INVALID_DATES",
      "collation: utf8mb4_bin",
      "results: utf8mb4",
      "locks: 2",
      "writes: 3600",
      "isolation: REPEATABLE-READ",
      "statement: 10000",
    ]);
    expect(await session.query("SHOW WARNINGS", [], deadline())).toEqual([]);
  });

  it("gives values as the server writes them, and takes them quoted", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await Session.open(sourceOptions(db), LIMITS, deadline());
    const text = 'it\'s \\ "quoted" 😀 ?';
    const [row] = await session.query(
      "SELECT ? AS t, 9007199254740993 AS b, TIMESTAMP'2024-01-02 03:04:05.678' AS at",
      [text],
      deadline(),
    );
    expect(row).toEqual({ t: text, b: "9007199254740993", at: "2024-01-02 03:04:05.678" });
  });

  it("is one for whoever asks at the same time, and none is left open", async () => {
    await using db = await createMysqlDatabase(flavour);
    const sessions = openSessions(db);
    const [one, other] = await Promise.all([sessions.get(deadline()), sessions.get(deadline())]);
    expect(other).toBe(one);
    await sessions[Symbol.asyncDispose]();
    expect(one.broken).toBe(true);
  });

  it("rolls back a script that fails before the next statement runs", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using session = await Session.open(sourceOptions(db), LIMITS, deadline());
    const name = `${db.database}.t`;
    const failing = session.script(
      `START TRANSACTION; INSERT INTO ${name} VALUES (1); SELECT * FROM no.where; COMMIT`,
      deadline(),
    );
    const next = session.query(`SELECT COUNT(*) AS n FROM ${name}`, [], deadline());
    await expect(failing).rejects.toMatchObject({
      code: expect.stringMatching(/^SOURCE_(NO_DATABASE|STATEMENT_FAILED)$/),
    });
    expect(await next).toEqual([{ n: "0" }]);
  });

  it("lets an abort take who waits out of the queue, and leaves the connection to who has it", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await Session.open(sourceOptions(db), LIMITS, deadline());
    const first = session.query("SELECT CONCAT('s', SLEEP(0.2)) AS slept", [], deadline());
    const impatient = new AbortController();
    const second = session.query("SELECT 2", [], impatient.signal);
    impatient.abort(new Error("enough"));
    await expect(second).rejects.toThrow("enough");
    expect(await first).toEqual([{ slept: "s0" }]);
    expect(session.broken).toBe(false);
  });

  it("is cut by an abort of what it does", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using sessions = openSessions(db);
    const session = await sessions.get(deadline());
    const abort = new AbortController();
    const sleeping = session.query("SELECT SLEEP(600)", [], abort.signal);
    setImmediate(() => abort.abort(new Error("enough")));
    await expect(sleeping).rejects.toThrow("enough");
    expect(session.broken).toBe(true);
    expect(await sessions.get(deadline())).not.toBe(session);
  });

  it("is broken when the server ends it", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using session = await Session.open(sourceOptions(db), LIMITS, deadline());
    const closed = new Promise((resolve) => session.connection.once("error", resolve));
    await db.query("KILL ?", [session.connection.threadId]);
    await closed;
    expect(session.broken).toBe(true);
    await expect(session.query("SELECT 1", [], deadline())).rejects.toMatchObject({ code: "SOURCE_CONNECTION_LOST" });
  });

  it("is lost when nothing is heard of a statement for longer than it may take", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using proxy = await startProxy(db);
    const options = { ...sourceOptions(db), hostname: proxy.host, port: proxy.port };
    const limits = { statementTimeoutMs: 400, lockTimeoutMs: 100 };
    await using session = await Session.open(options, limits, deadline());
    expect(await session.query("SELECT 'one' AS one", [], deadline())).toEqual([{ one: "one" }]);
    proxy.stall();
    const asked = session.query("SELECT 1", [], deadline());
    await expect(asked).rejects.toMatchObject({ code: "SOURCE_CONNECTION_LOST", retry: "timed" });
    await expect(asked).rejects.toThrow("silent for 500 ms");
    expect(session.broken).toBe(true);
  });

  it.each([
    [{ password: "wrong" }, "SOURCE_AUTH"],
    [{ username: "nobody_of_that_name" }, "SOURCE_AUTH"],
    [{ hostname: "no-such-host.invalid" }, "SOURCE_UNREACHABLE"],
    [{ ssl: "verify" as const }, "SOURCE_AUTH"],
  ])("is not had with %j", async (changes, code) => {
    await using db = await createMysqlDatabase(flavour);
    const opening = Session.open(sourceOptions(db, changes), LIMITS, deadline());
    await expect(opening).rejects.toMatchObject({ code });
    await expect(opening).rejects.not.toThrow(db.password);
  });

  it("is refused when there are too many", async () => {
    await using db = await createMysqlDatabase(flavour);
    const user = `${db.database.slice(-20)}_u`;
    await db.query("CREATE USER ? IDENTIFIED BY 'a' WITH MAX_USER_CONNECTIONS 1", [user]);
    try {
      const options = sourceOptions(db, { username: user, password: "a" });
      await using _ = await Session.open(options, LIMITS, deadline());
      await expect(Session.open(options, LIMITS, deadline())).rejects.toMatchObject({ code: "SOURCE_BUSY" });
    } finally {
      await db.query("DROP USER ?", [user]);
    }
  });
});

describe("a session", () => {
  it("does not lose a transaction at MariaDB that is idle for longer than others may be", async () => {
    await using db = await createMysqlDatabase("mariadb");
    const names = ["idle_transaction_timeout", "idle_readonly_transaction_timeout"];
    // In seconds: nobody else's transaction is idle for as long.
    for (const name of names) await db.query(`SET GLOBAL ${name} = 3600`);
    try {
      await using session = await Session.open(sourceOptions(db), LIMITS, deadline());
      const list = names.map((name) => `@@${name} AS ${name}`).join(", ");
      const [found] = await session.query<Readonly<Record<string, string>>>(`SELECT ${list}`, [], deadline());
      expect(names.map((name) => String(found![name]))).toEqual(["0", "0"]);
    } finally {
      for (const name of names) await db.query(`SET GLOBAL ${name} = 0`);
    }
  });

  it("is not had where nobody listens", async () => {
    await using db = await createMysqlDatabase("mysql");
    const opening = Session.open(sourceOptions(db, { port: await freePort() }), LIMITS, deadline());
    await expect(opening).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
  });

  it("is not waited for longer than the timeout where nobody answers", async () => {
    await using db = await createMysqlDatabase("mysql");
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    try {
      const options = sourceOptions(db, { hostname: "127.0.0.1", port, connectTimeoutMs: 200 });
      await expect(Session.open(options, LIMITS, deadline())).rejects.toMatchObject({
        code: "SOURCE_UNREACHABLE",
        message: `the source at 127.0.0.1:${port} did not answer within 200 ms`,
      });
    } finally {
      silent.close();
    }
  });
});
