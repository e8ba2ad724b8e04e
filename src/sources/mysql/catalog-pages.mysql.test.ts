import { describe, expect, it } from "vitest";
import { deadline, openSessions } from "../../../test/support/mysql-source.ts";
import { createMysqlDatabase } from "../../../test/support/mysql.ts";
import { type CatalogTable, tableByName, type TableName } from "./catalog.ts";
import { type CatalogSessions, tablesByName } from "./catalog-pages.ts";
import type { Session } from "./connection.ts";

const DEFINITIONS = [
  "(id int PRIMARY KEY)",
  "(b int, a bigint UNSIGNED NOT NULL AUTO_INCREMENT, c varchar(9) DEFAULT 'it''s', PRIMARY KEY (a, b), KEY (b), UNIQUE (a))",
  "(a varchar(20), b int NOT NULL, PRIMARY KEY (b, a(5)), UNIQUE (b))",
  "(a int NOT NULL, b int NOT NULL, UNIQUE zz (b), UNIQUE aa (a))",
  "(a int NOT NULL, b int NOT NULL, UNIQUE aa (b), UNIQUE zz (a))",
  "(a int, UNIQUE (a))",
  "(a int, b int AS (a + 1) VIRTUAL, c int AS (a + 2) STORED, d timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)",
  "(a text NOT NULL, id int PRIMARY KEY, FULLTEXT (a))",
  "(a int PRIMARY KEY, KEY (a)) ENGINE = MEMORY",
];

const MARIADB_DEFINITIONS = [
  "(a text NOT NULL, UNIQUE (a))",
  "(id int PRIMARY KEY, z text, UNIQUE zz (z), y text, UNIQUE (y))",
];

const ODD_NAMES = ["t", "T", "it's", "back\\slash", "a`b", 'a"b', "größe", "a b"];

async function inPages(sessions: CatalogSessions, names: readonly TableName[]): Promise<readonly CatalogTable[]> {
  const tables: CatalogTable[] = [];
  for await (const page of tablesByName(sessions, names, deadline())) tables.push(...page);
  return tables;
}

async function oneByOne(session: Session, names: readonly TableName[]): Promise<readonly CatalogTable[]> {
  const tables: CatalogTable[] = [];
  for (const { namespace, name } of names) {
    const table = await tableByName(session, namespace, name, deadline());
    if (table !== null) tables.push(table);
  }
  return tables;
}

describe.each(["mysql", "mariadb"] as const)("many tables of %s", (flavour) => {
  it("are what each is by itself", async () => {
    await using db = await createMysqlDatabase(flavour);
    await using other = await createMysqlDatabase(flavour);
    const definitions = [...DEFINITIONS, ...(flavour === "mariadb" ? MARIADB_DEFINITIONS : [])].map(
      (definition, i) => [`d${i}`, definition] as const,
    );
    const odd = ODD_NAMES.map((name, i) => [name, `(id int PRIMARY KEY, c${i} int)`] as const);
    for (const [name, definition] of [...definitions, ...odd])
      await db.query(`CREATE TABLE \`${name.replaceAll("`", "``")}\` ${definition}`);
    await db.query("CREATE VIEW v AS SELECT 1 AS one");
    await other.query("CREATE TABLE t (other int PRIMARY KEY)");
    // What is not there, so that there are several pages.
    const missing = Array.from({ length: 1_000 }, (_, i) => `missing${i}`);
    const of = (namespace: string, names: readonly string[]): readonly TableName[] =>
      names.map((name) => ({ namespace, name }));
    const names = [
      ...of(db.database, [...definitions.map(([name]) => name), ...missing, ...ODD_NAMES, "v"]),
      ...of(other.database, ["t", "d0", "T"]),
    ];
    await using sessions = openSessions(db);
    await using beside = openSessions(db);
    const session = await sessions.get(deadline());
    const found = await inPages({ session, beside }, names);
    expect(found).toEqual(await oneByOne(session, names));
    expect(found).toHaveLength(definitions.length + ODD_NAMES.length + 2);
  });

  it("are asked for together where they have primary keys", async () => {
    await using db = await createMysqlDatabase(flavour);
    const names = Array.from({ length: 40 }, (_, i) => ({ namespace: db.database, name: `t${i}` }));
    for (const { name } of names) await db.query(`CREATE TABLE ${name} (id int PRIMARY KEY)`);
    await using sessions = openSessions(db);
    const session = await sessions.get(deadline());
    const statements = async (): Promise<number> => {
      const [status] = await session.query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Questions'", [], deadline());
      return Number(status!.Value);
    };
    const before = await statements();
    expect(await inPages({ session, beside: sessions }, names)).toHaveLength(names.length);
    // A page's three, and the one that counts.
    expect((await statements()) - before).toBe(4);
  });
});
