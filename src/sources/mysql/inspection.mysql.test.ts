import { describe, expect, it } from "vitest";
import { BinlogTail, binlogDecoder, decodeBinlog, itemTexts } from "../../../test/support/mysql-binlog.ts";
import { deadline, openSessions, RULES, schemaOf, sourceOptions } from "../../../test/support/mysql-source.ts";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../test/support/mysql.ts";
import { AMBIENT } from "../../../test/support/postgres-source.ts";
import type { Inspection } from "../../core/source.ts";
import type { Startup } from "../../core/startup.ts";
import { parseTablePatterns } from "../../core/table-pattern.ts";
import type { MysqlOptions } from "./config.ts";
import { inspect } from "./inspection.ts";
import { prepare } from "./preparation.ts";
import { serverFacts } from "./server-facts.ts";

function optionsOf(db: TestMysqlDatabase, changes: Partial<MysqlOptions> = {}): MysqlOptions {
  const tables = parseTablePatterns(`${db.database}.\\.*`, "database.table").patterns;
  return sourceOptions(db, { tables, ...changes });
}

async function inspected(db: TestMysqlDatabase): Promise<Inspection> {
  await using sessions = openSessions(db);
  return await inspect(optionsOf(db), RULES, { session: await sessions.get(deadline()), beside: sessions }, deadline());
}

describe.each(["mysql", "mariadb"] as const)("the inspection of %s", (flavour) => {
  it("says whose rows a foreign key changes without the log", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE p (id int PRIMARY KEY)");
    await db.query(
      "CREATE TABLE c (id int PRIMARY KEY, p int, CONSTRAINT of_p FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)",
    );
    await db.query("CREATE TABLE d (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id))");
    const { offers } = await inspected(db);
    await using sessions = openSessions(db);
    const { logsCascades } = await serverFacts(await sessions.get(deadline()), deadline());
    // MySQL 9.6 and newer have them in the log.
    expect(logsCascades).toBe(flavour === "mysql");
    const notes = Object.fromEntries(offers.map((offer) => [offer.schema.name, offer.notes]));
    expect(notes).toEqual({
      c: logsCascades ? [] : [expect.stringMatching(/foreign key of_p .* not in the server's log/)],
      d: [],
      p: [],
    });
    const schema = await schemaOf(sessions, db, "c");
    const tail = await BinlogTail.open(db, flavour);
    await db.query("INSERT INTO p VALUES (1)");
    await db.query("INSERT INTO c VALUES (1, 1)");
    await db.query("DELETE FROM p");
    const items = await decodeBinlog(binlogDecoder(flavour, [schema]), await tail.events());
    expect(itemTexts(items)).toEqual(["insert 1,1", ...(logsCascades ? ["delete 1,absent"] : [])]);
  });

  it("refuses a start in a past of the log that names no columns, and no other", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    await using sessions = openSessions(db);
    const session = await sessions.get(deadline());
    const facts = { ...(await serverFacts(session, deadline())), rowMetadata: "MINIMAL" };
    const starting = (startup: Startup, rowMetadata: string): Promise<unknown> =>
      prepare(
        optionsOf(db, { startup }),
        { session, clock: AMBIENT.clock, signal: deadline() },
        { ...facts, rowMetadata },
        { resume: null, tables: [] },
      );
    await expect(starting({ kind: "earliest" }, "MINIMAL")).rejects.toMatchObject({
      code: "SOURCE_SETTING",
      hint: expect.stringContaining("binlog_row_metadata = 'FULL'"),
    });
    await starting({ kind: "earliest" }, "FULL");
    await starting({ kind: "latest" }, "MINIMAL");
  });
});

it("offers no sequence of MariaDB, and refuses what the log has other rows of than a SELECT", async () => {
  await using db = await createMysqlDatabase("mariadb");
  await db.query("CREATE SEQUENCE s");
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  await db.query("CREATE TABLE v (id int PRIMARY KEY, n int) WITH SYSTEM VERSIONING");
  await db.query("CREATE TABLE g (a int, b int AS (a + 1))");
  await db.query("CREATE TABLE h (id int PRIMARY KEY, body text, UNIQUE long_one (body))");
  const { offers, refusals } = await inspected(db);
  expect(offers.map((offer) => offer.schema.name)).toEqual(["t"]);
  expect(refusals.map(({ error }) => [error.code, error.message])).toEqual([
    ["TABLE_NO_IDENTITY", expect.stringMatching(/\.g has no key, .* generated columns .*: b$/)],
    ["TABLE_NOT_SUPPORTED", expect.stringMatching(/\.h has a unique index on a long column, long_one/)],
    ["TABLE_NOT_SUPPORTED", expect.stringMatching(/\.v is a system versioned table/)],
  ]);
});
