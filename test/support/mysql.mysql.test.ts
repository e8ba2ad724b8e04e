import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import { createConnection } from "mysql2/promise";
import { describe, expect, it } from "vitest";
import { createMysqlDatabase, startPrivateMysql } from "./mysql.ts";
import { mysqlProgram } from "./mysql-programs.ts";
import type { PrivateMysql } from "./private-mysql.ts";

const FLAVOURS = ["mysql", "mariadb"] as const;

const VERSIONS = { mysql: /^9\./, mariadb: /^11\.\d+\.\d+-MariaDB/ };
const GTID_SETTINGS = {
  mysql: { gtid_mode: "ON", enforce_gtid_consistency: "ON" },
  mariadb: { gtid_strict_mode: "ON" },
};

describe.each(FLAVOURS)("the shared server (%s)", (flavour) => {
  it("answers with the version asked for and the settings that replication needs", async () => {
    await using db = await createMysqlDatabase(flavour);
    const expected = {
      log_bin: "ON",
      binlog_format: "ROW",
      binlog_row_image: "FULL",
      binlog_row_metadata: "FULL",
      ...GTID_SETTINGS[flavour],
    };
    const found = await db.query<{ Variable_name: string; Value: string }>(
      "SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)",
      [Object.keys(expected)],
    );
    expect(Object.fromEntries(found.map((row) => [row.Variable_name, row.Value]))).toEqual(expected);
    expect(await db.query("SELECT @@version AS version, @@server_id > 0 AS has_id")).toEqual([
      { version: expect.stringMatching(VERSIONS[flavour]), has_id: 1 },
    ]);
  });

  it("keeps databases apart, and drops each with its sessions and what they have open", async () => {
    await using other = await createMysqlDatabase(flavour);
    let dropped: string;
    let sleeping: Promise<unknown>;
    {
      await using db = await createMysqlDatabase(flavour);
      dropped = db.database;
      await db.query("CREATE TABLE here (id bigint PRIMARY KEY)");
      const session = await db.client();
      await session.query("BEGIN");
      await session.query("INSERT INTO here VALUES (9007199254740993)");
      await session.query("USE information_schema");
      expect(await db.query("SELECT * FROM here")).toEqual([]);
      await expect(other.query("SELECT * FROM here")).rejects.toThrow(/doesn't exist/);
      sleeping = expect(session.query("SELECT SLEEP(600)")).rejects.toThrow(/closed|interrupted|killed/i);
    }
    await sleeping;
    expect(await other.query("SHOW DATABASES LIKE ?", [dropped])).toEqual([]);
  });

  it("refuses a wrong password", async () => {
    await using db = await createMysqlDatabase(flavour);
    await expect(db.client({ password: "wrong" })).rejects.toThrow(/Access denied/);
  });
});

describe.each(FLAVOURS)("a private server (%s)", (flavour) => {
  it("starts with settings of its own, keeps its data over a crash, and takes other settings at a restart", async () => {
    await using server = await startPrivateMysql({ flavour, settings: { server_id: "77" } });
    const setting = "SELECT @@server_id AS id, @@binlog_row_image AS image";
    expect(await ask(server, setting)).toEqual([{ id: 77, image: "FULL" }]);
    await ask(server, "CREATE DATABASE kept");
    await ask(server, "CREATE TABLE kept.numbers AS SELECT 7 AS id");
    await server.kill();
    await server.start();
    expect(await ask(server, "SELECT id FROM kept.numbers")).toEqual([{ id: 7 }]);
    await server.restart({ settings: { binlog_row_image: "MINIMAL" } });
    expect(await ask(server, setting)).toEqual([{ id: 77, image: "MINIMAL" }]);
    expect(await ask(server, "SELECT id FROM kept.numbers")).toEqual([{ id: 7 }]);
  });

  it("keeps its temporary tables where no other server empties them", async () => {
    await using one = await startPrivateMysql({ flavour });
    const [folder] = (await ask(one, "SELECT @@tmpdir AS tmp")) as { tmp: string }[];
    expect(folder!.tmp).toBe(dirname(one.dataFolder));
  });

  it("says what the log says when it does not start", async () => {
    await expect(startPrivateMysql({ flavour, settings: { no_such_setting: "1" } })).rejects.toThrow(
      /server\.log:[^]*unknown variable 'no_such_setting=1'/,
    );
  });
});

it("gives every MySQL server an identity of its own", async () => {
  await using one = await startPrivateMysql({ flavour: "mysql" });
  await using other = await startPrivateMysql({ flavour: "mysql" });
  const identity = "SELECT @@server_uuid AS id";
  expect(await ask(one, identity)).not.toEqual(await ask(other, identity));
});

it.each([
  ["mysql", "usr/bin/mysqlbinlog"],
  ["mysql", "usr/bin/mysql"],
  ["mariadb", "usr/bin/mariadb-binlog"],
  ["mariadb", "usr/bin/mariadb"],
] as const)("%s: %s runs", (flavour, path) => {
  const { command, args } = mysqlProgram(flavour, path);
  expect(execFileSync(command, [...args, "--version"], { encoding: "utf8" })).toMatch(/ (9|1[15])\.\d+/);
});

async function ask(server: PrivateMysql, sql: string): Promise<unknown> {
  const client = await createConnection(server.url());
  try {
    const [rows] = await client.query(sql);
    return rows;
  } finally {
    await client.end();
  }
}
