import pg from "pg";
import { describe, expect, it } from "vitest";
import { createDatabase, startPrivatePostgres } from "./postgres.ts";
import { clientConfig } from "./private-postgres.ts";

describe.each(["newest", "oldest"] as const)("the shared PostgreSQL server (%s)", (version) => {
  it("answers with the version asked for and the settings that replication needs", async () => {
    await using db = await createDatabase(version);
    const settings = await db.query<{ name: string; setting: string }>(
      "SELECT name, setting FROM pg_settings WHERE name IN ('wal_level', 'server_version_num')",
    );
    const byName = new Map(settings.map(({ name, setting }) => [name, setting]));
    expect(byName.get("wal_level")).toBe("logical");
    expect(Math.floor(Number(byName.get("server_version_num")) / 10_000)).toBe(version === "newest" ? 18 : 14);
  });

  it("keeps databases apart, and drops each with its sessions, slots and prepared transactions", async () => {
    await using other = await createDatabase(version);
    let dropped: string;
    {
      await using db = await createDatabase(version);
      dropped = db.database;
      await db.query("CREATE TABLE here (id int)");
      await db.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [db.database]);
      const session = await db.client();
      await session.query("BEGIN");
      await session.query("INSERT INTO here VALUES (1)");
      await session.query(`PREPARE TRANSACTION '${db.database}'`);
      expect(await other.query("SELECT to_regclass('here') AS found")).toEqual([{ found: null }]);
    }
    const left = await other.query(
      `SELECT (SELECT count(*)::int FROM pg_replication_slots WHERE database = $1) AS slots,
              (SELECT count(*)::int FROM pg_database WHERE datname = $1) AS databases,
              (SELECT count(*)::int FROM pg_prepared_xacts WHERE database = $1) AS prepared`,
      [dropped],
    );
    expect(left).toEqual([{ slots: 0, databases: 0, prepared: 0 }]);
  });

  it("refuses a wrong password", async () => {
    await using db = await createDatabase(version);
    await expect(db.client({ password: "wrong" })).rejects.toThrow(/password authentication failed/);
  });
});

describe("a private PostgreSQL server", () => {
  it("starts with settings of its own, keeps its data over a crash, and takes other settings at a restart", async () => {
    await using server = await startPrivatePostgres({ settings: { wal_level: "replica" } });
    const ask = async (sql: string): Promise<unknown[]> => {
      const client = new pg.Client(clientConfig(server, "postgres"));
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(sql)).rows;
      } finally {
        await client.end();
      }
    };
    expect(await ask("SHOW wal_level")).toEqual([{ wal_level: "replica" }]);
    await ask("CREATE TABLE kept AS SELECT 7 AS id");
    await server.kill();
    await server.start();
    expect(await ask("SELECT id FROM kept")).toEqual([{ id: 7 }]);
    await server.restart({ settings: { wal_level: "logical" } });
    expect(await ask("SHOW wal_level")).toEqual([{ wal_level: "logical" }]);
  });

  it("says what the log says when it does not start", async () => {
    await expect(startPrivatePostgres({ settings: { no_such_setting: "1" } })).rejects.toThrow(
      /server\.log:[^]*unrecognized configuration parameter/,
    );
  });
});
