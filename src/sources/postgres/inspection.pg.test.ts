import pg from "pg";
import { describe, expect, it } from "vitest";
import { deadline, openSource } from "../../../test/support/postgres-source.ts";
import { createDatabase, startPrivatePostgres, type TestDatabase } from "../../../test/support/postgres.ts";
import type { MillraceError } from "../../core/errors.ts";
import type { PostgresOptions } from "./config.ts";

/** Of the statements that a hint holds, the one with that number. */
function hinted(error: MillraceError, which = 0): string {
  return [...error.hint.matchAll(/`([^`]+)`/g)][which]![1]!;
}

async function failure(work: Promise<unknown>): Promise<MillraceError> {
  return work.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: unknown) => error as MillraceError,
  );
}

async function inspected(db: TestDatabase, tables = "public.\\.*", changes: Partial<PostgresOptions> = {}) {
  await using source = openSource(db, tables, changes);
  return await source.inspect(deadline());
}

const REFUSALS = [
  ["without a key", "CREATE TABLE t (id int)", "TABLE_NO_IDENTITY", 1],
  [
    "that identifies nothing",
    "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING",
    "TABLE_NO_IDENTITY",
    0,
  ],
  [
    "identified by another index",
    "CREATE TABLE t (id int PRIMARY KEY, u int NOT NULL UNIQUE); ALTER TABLE t REPLICA IDENTITY USING INDEX t_u_key",
    "TABLE_NO_IDENTITY",
    0,
  ],
  ["with a deferrable key", "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)", "TABLE_NO_IDENTITY", 0],
  ["that is unlogged", "CREATE UNLOGGED TABLE t (id int PRIMARY KEY)", "TABLE_NOT_LOGGED", 0],
  [
    "with a partition that identifies nothing",
    `CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0);
     ALTER TABLE t0 REPLICA IDENTITY NOTHING`,
    "TABLE_NO_IDENTITY",
    0,
  ],
] as const;

describe.each(["oldest", "newest"] as const)("inspecting the %s PostgreSQL", (version) => {
  it("offers what it can deliver, and says how", async () => {
    await using db = await createDatabase(version);
    await db.query(
      "CREATE TABLE keyed (id bigint, part text, twice int GENERATED ALWAYS AS (2) STORED, PRIMARY KEY (part, id))",
    );
    await db.query(
      "CREATE TABLE keyless (v text); ALTER TABLE keyless REPLICA IDENTITY FULL; CREATE VIEW seen AS SELECT * FROM keyless",
    );
    const { offers, refusals, server, identity, notes } = await inspected(db);
    expect(refusals).toEqual([]);
    expect(offers.map((offer) => [offer.schema.id, offer.readBy, offer.schema.key])).toEqual([
      ["public.keyed", "chunks of (part, id)", [1, 0]],
      ["public.keyless", "one scan under REPLICA IDENTITY FULL", []],
    ]);
    expect(offers[0]!.schema.columns.map((column) => column.name)).toEqual(["id", "part"]);
    expect(offers[0]!.notes).toEqual(["generated columns are left out, the log does not carry them: twice"]);
    expect(server).toMatch(/^PostgreSQL \d+/);
    expect(identity).toMatchObject({ timeline: 1, database: db.database, slot: `slot_${db.database}` });
    expect(notes[0]).toContain("max_slot_wal_keep_size");
  });

  it("says of a partitioned table what the log does not", async () => {
    await using db = await createDatabase(version);
    await db.query(
      `CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id);
       CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0)`,
    );
    const { offers } = await inspected(db);
    expect(offers.map((offer) => [offer.schema.id, offer.notes])).toEqual([
      [
        "public.t",
        [
          "1 partitions are read and delivered as one table",
          "TRUNCATE or DROP of a single partition is not in the log: its rows stay in the sink until the table is begun anew",
        ],
      ],
    ]);
  });

  it.each(REFUSALS)("refuses a table %s, and the hint mends it", async (_, ddl, code, which) => {
    await using db = await createDatabase(version);
    await db.query(ddl);
    const { offers, refusals } = await inspected(db, "public.t");
    expect(offers).toEqual([]);
    expect(refusals).toMatchObject([{ table: "public.t", error: { code, retry: "manual" } }]);
    await db.query(hinted(refusals[0]!.error, which));
    const mended = await inspected(db, "public.t");
    expect(mended.refusals).toEqual([]);
    expect(mended.offers).toHaveLength(1);
  });

  it("says which privileges are missing, one after another, and the hints give them", async () => {
    await using db = await createDatabase(version);
    const role = `user_${db.database}`;
    await db.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'`);
    try {
      await db.query("CREATE SCHEMA shop; CREATE TABLE shop.t (id int PRIMARY KEY)");
      await db.query("ALTER TABLE shop.t ENABLE ROW LEVEL SECURITY");
      const mine = { username: role, password: "pw" };
      const given: string[] = [];
      for (let i = 0; i < 10; i++) {
        const answer = await inspected(db, "shop.t", mine).then(
          (inspection) => inspection.refusals[0]?.error ?? null,
          (error: unknown) => error as MillraceError,
        );
        if (answer === null) break;
        expect(answer.code).toBe("SOURCE_PRIVILEGE");
        const statement = hinted(answer, answer.message.includes("does not own") ? 1 : 0);
        await db.query(statement);
        given.push(statement.replaceAll(role, "me").replaceAll(db.database, "db"));
      }
      expect(given).toEqual([
        'ALTER ROLE "me" REPLICATION',
        'GRANT USAGE ON SCHEMA "shop" TO "me"',
        'GRANT SELECT ON "shop"."t" TO "me"',
        'ALTER ROLE "me" BYPASSRLS',
        'GRANT CREATE ON DATABASE "db" TO "me"',
        'ALTER TABLE "shop"."t" OWNER TO "me"',
      ]);
      await using source = openSource(db, "shop.t", mine);
      const { offers } = await source.inspect(deadline());
      await source.prepare({ resume: null, tables: offers.map((offer) => offer.schema) }, () => undefined, deadline());
      await source.drop(() => undefined, deadline());
    } finally {
      await db.query(`REASSIGN OWNED BY ${role} TO ${db.user}`);
      await db.query(`DROP OWNED BY ${role}`);
      await db.query(`DROP ROLE ${role}`);
    }
  });

  it("says what is wrong with the address, the login, the database and the patterns", async () => {
    await using db = await createDatabase(version);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const code = async (changes: Partial<PostgresOptions>, tables = "public.t"): Promise<string> =>
      (await failure(inspected(db, tables, changes))).code;
    expect(await code({ password: "not this one" })).toBe("SOURCE_AUTH");
    expect(await code({ username: "nobody" })).toBe("SOURCE_AUTH");
    expect(await code({ port: 1 })).toBe("SOURCE_UNREACHABLE");
    expect(await code({ hostname: "no-such-host.invalid" })).toBe("SOURCE_UNREACHABLE");
    expect(await code({ ssl: "require" })).toBe("SOURCE_AUTH");
    expect(await code({ database: "no_such_database" })).toBe("SOURCE_NO_DATABASE");
    expect(await code({}, "public.nothing")).toBe("SOURCE_NO_TABLES");
  });
});

describe("inspecting a server that is not set up for it", () => {
  it("asks for wal_level=logical and for free slots with the statements that give them", async () => {
    await using server = await startPrivatePostgres({ settings: { wal_level: "replica", max_replication_slots: "1" } });
    const db = {
      host: server.host,
      port: server.port,
      user: server.user,
      password: server.password,
      database: "postgres",
    };
    const inspectIt = async (): Promise<MillraceError> => {
      await using source = openSource(db, "public.\\.*");
      return await failure(source.inspect(deadline()));
    };
    const level = await inspectIt();
    expect(level).toMatchObject({ code: "SOURCE_SETTING", exitCode: 3 });
    expect(hinted(level)).toBe("ALTER SYSTEM SET wal_level = 'logical'");
    await server.restart({ settings: { wal_level: "logical" } });
    const admin = new pg.Client(db);
    await admin.connect();
    await admin.query("SELECT pg_create_physical_replication_slot('taken')");
    await admin.end();
    const slots = await inspectIt();
    expect(slots).toMatchObject({
      code: "SOURCE_SETTING",
      message: "all 1 replication slots of the server are in use",
    });
    expect(hinted(slots)).toBe("ALTER SYSTEM SET max_replication_slots = 5");
  });

  it("refuses a database without an encoding", async () => {
    await using db = await createDatabase("newest");
    const name = `${db.database}_ascii`;
    await db.query(`CREATE DATABASE ${name} ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'`);
    try {
      const error = await failure(inspected(db, "public.t", { database: name }));
      expect(error).toMatchObject({ code: "SOURCE_SETTING" });
      expect(error.message).toContain("SQL_ASCII");
    } finally {
      await db.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  });
});
