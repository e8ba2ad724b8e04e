import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../test/support/mysql.ts";
import type { MysqlFlavour } from "../../../test/support/mysql-programs.ts";
import { deadline, sourceOptions } from "../../../test/support/mysql-source.ts";
import type { MysqlOptions, SslMode } from "./config.ts";
import { Session } from "./connection.ts";

const LIMITS = { statementTimeoutMs: 10_000, lockTimeoutMs: 1_500 };
const PASSWORD = "it's a s3cret Ω";

const WAYS: Readonly<Record<MysqlFlavour, readonly string[]>> = {
  mysql: ["caching_sha2_password", "sha256_password"],
  mariadb: ["mysql_native_password"],
};
const ways = (["mysql", "mariadb"] as const).flatMap((flavour) => WAYS[flavour].map((way) => ({ flavour, way })));
const secured = ways.flatMap((way) => (["disable", "require"] as const).map((ssl) => ({ ...way, ssl })));

describe.each(secured)("a user of $flavour with $way, TLS $ssl", ({ flavour, way, ssl }) => {
  it("logs in, the first time and when the server remembers it", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using user = await createUser(db, flavour, way);
    for (let time = 0; time < 2; time++) expect(await cipherOf(user.options(ssl))).toSatisfy(isFor(ssl));
  });

  it("does not with a wrong password", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using user = await createUser(db, flavour, way);
    const wrong = { ...user.options(ssl), password: "another one" };
    await expect(Session.open(wrong, LIMITS, deadline())).rejects.toMatchObject({ code: "SOURCE_AUTH" });
  });
});

describe.each(ways)("a Unix socket of $flavour with $way", ({ flavour, way }) => {
  it("is the host whose name is a path", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using user = await createUser(db, flavour, way);
    const [place] = await db.query<{ folder: string; file: string }>("SELECT @@datadir AS folder, @@socket AS file");
    const socket = { ...user.options("disable"), hostname: resolve(place!.folder, place!.file), port: 1 };
    await using session = await Session.open(socket, LIMITS, deadline());
    const [row] = await session.query("SELECT USER() AS me", [], deadline());
    expect(row).toEqual({ me: `${user.name}@localhost` });
  });
});

it("says which socket is not there", async () => {
  await using db = await createMysqlDatabase("mysql");
  const options = sourceOptions(db, { hostname: "/no/such/folder/mysql.sock" });
  await expect(Session.open(options, LIMITS, deadline())).rejects.toMatchObject({
    code: "SOURCE_UNREACHABLE",
    message: "cannot connect to the source at /no/such/folder/mysql.sock (ENOENT)",
  });
});

function isFor(ssl: SslMode): (cipher: string) => boolean {
  return (cipher) => (cipher === "") === (ssl === "disable");
}

async function cipherOf(options: MysqlOptions): Promise<string> {
  await using session = await Session.open(options, LIMITS, deadline());
  const [row] = await session.query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Ssl_cipher'", [], deadline());
  return row!.Value;
}

interface TestUser extends AsyncDisposable {
  readonly name: string;
  options(ssl: SslMode): MysqlOptions;
}

/** A user that logs in by one of the server's ways; gone with the test. */
async function createUser(db: TestMysqlDatabase, flavour: MysqlFlavour, way: string): Promise<TestUser> {
  const name = `${db.database.slice(-20)}_l`;
  const secret = flavour === "mysql" ? `WITH ${way} BY ?` : `VIA ${way} USING PASSWORD(?)`;
  await db.query(`CREATE USER ? IDENTIFIED ${secret}`, [name, PASSWORD]);
  return {
    name,
    options: (ssl) => sourceOptions(db, { username: name, password: PASSWORD, ssl }),
    [Symbol.asyncDispose]: async () => {
      await db.query("DROP USER ?", [name]);
    },
  };
}
