import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BinlogTail,
  binlogDecoder,
  decodeBinlog,
  itemTexts,
  LoneMysqlDatabase,
} from "../../../test/support/mysql-binlog.ts";
import {
  ALL,
  deadline,
  openPlanner,
  openReader,
  openSessions,
  readChunk,
  RULES,
  schemaOf,
  sourceOptions,
} from "../../../test/support/mysql-source.ts";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../test/support/mysql.ts";
import type { Inspection } from "../../core/source.ts";
import { parseTablePatterns } from "../../core/table-pattern.ts";
import { type CatalogTable, tableByName } from "./catalog.ts";
import type { LazySession } from "./connection.ts";
import { inspect } from "./inspection.ts";
import { serverFacts } from "./server-facts.ts";
import { tableRefusal } from "./table-refusal.ts";

interface Case {
  readonly name: string;
  readonly columns: string;
  readonly values: string;
  /** In the key's order; none: the table has no key. */
  readonly key: readonly string[];
  readonly only?: "mysql" | "mariadb";
}

const CASES: readonly Case[] = [
  { name: "a primary key", columns: "a int, b int, PRIMARY KEY (b, a)", values: "1, 2", key: ["b", "a"] },
  { name: "no key", columns: "a int, b int, KEY (a)", values: "1, 2", key: [] },
  { name: "a unique index", columns: "a int NOT NULL, b int, UNIQUE (a)", values: "1, 2", key: ["a"] },
  {
    name: "two unique indexes",
    columns: "a int NOT NULL, b int NOT NULL, UNIQUE zz (b), UNIQUE aa (a)",
    values: "1, 2",
    key: ["b"],
  },
  {
    name: "a unique index that may be null before one that may not",
    columns: "a int, b int NOT NULL, UNIQUE (a), UNIQUE (b)",
    values: "1, 2",
    key: ["b"],
  },
  { name: "a unique index that may be null", columns: "a int, b int NOT NULL, UNIQUE (b, a)", values: "1, 2", key: [] },
  {
    name: "a unique index of several columns",
    columns: "a int NOT NULL, b varchar(9) NOT NULL, c int, UNIQUE `odd ``name` (b, a DESC)",
    values: "1, 'x', 2",
    key: ["b", "a"],
  },
  {
    name: "a unique index on first characters",
    columns: "a varchar(20) NOT NULL, b int NOT NULL, UNIQUE (a(5))",
    values: "'long text', 2",
    key: [],
  },
  {
    name: "a primary key on first characters, and a unique index",
    columns: "a varchar(20), b int NOT NULL, PRIMARY KEY (b, a(5)), UNIQUE (b)",
    values: "'long text', 2",
    key: [],
  },
  {
    name: "a unique index on a virtual column before another",
    columns: "a int NOT NULL, b int AS (a + 1) VIRTUAL NOT NULL, c int NOT NULL, UNIQUE (b), UNIQUE (c)",
    values: "1, DEFAULT, 3",
    key: ["c"],
    only: "mysql",
  },
  {
    name: "a unique index on a virtual column",
    columns: "a int NOT NULL, b int AS (a + 1) VIRTUAL NOT NULL, UNIQUE (b)",
    values: "1, DEFAULT",
    key: [],
    only: "mysql",
  },
  {
    name: "a unique index on a stored column",
    columns: "a int NOT NULL, b int AS (a + 1) STORED NOT NULL, UNIQUE (b)",
    values: "1, DEFAULT",
    key: ["b"],
    only: "mysql",
  },
  {
    name: "a unique index on an expression before another",
    columns: "a int NOT NULL, b int NOT NULL, UNIQUE ((a + 1)), UNIQUE (b)",
    values: "1, 2",
    key: ["b"],
    only: "mysql",
  },
  {
    name: "a unique index on long text",
    columns: "a text NOT NULL, UNIQUE (a)",
    values: "'x'",
    key: [],
    only: "mariadb",
  },
];

describe.each(["mysql", "mariadb"] as const)("the key of a table of %s", (flavour) => {
  let db: TestMysqlDatabase;
  let sessions: LazySession;

  beforeAll(async () => {
    db = await createMysqlDatabase(flavour);
    sessions = openSessions(db);
  });

  afterAll(async () => {
    await sessions[Symbol.asyncDispose]();
    await db[Symbol.asyncDispose]();
  });

  const fresh = async (columns: string): Promise<CatalogTable> => {
    await db.query("DROP TABLE IF EXISTS t");
    await db.query(`CREATE TABLE t (${columns})`);
    const table = await tableByName(await sessions.get(deadline()), db.database, "t", deadline());
    return table!;
  };

  const inspected = async (): Promise<Inspection> => {
    const { patterns } = parseTablePatterns(`${db.database}.t`, "database.table");
    const options = sourceOptions(db, { tables: patterns });
    const session = await sessions.get(deadline());
    return await inspect(options, RULES, { session, beside: sessions }, deadline());
  };

  it.each(CASES.filter(({ only }) => only === undefined || only === flavour))(
    "is the one that the log names: $name",
    async ({ columns, values, key }) => {
      await fresh(columns);
      const schema = await schemaOf(sessions, db, "t");
      expect(schema.key.map((place) => schema.columns[place]!.name)).toEqual(key);
      const tail = await BinlogTail.open(db, flavour);
      await db.query(`INSERT INTO t VALUES (${values})`);
      await db.query("DELETE FROM t");
      const logged: (string | undefined)[][] = [];
      const lookup = async (map: { key: readonly number[]; columns: readonly { name: string }[] }) => {
        logged.push(map.key.map((place) => map.columns[place]?.name));
        return { kind: "same" } as const;
      };
      const items = await decodeBinlog(binlogDecoder(flavour, [schema], { lookup }), await tail.events());
      expect(logged).toEqual([key]);
      expect(itemTexts(items)).toHaveLength(2);
    },
  );

  it.each([
    ["a int PRIMARY KEY, b int NOT NULL UNIQUE", /^chunks of \(a\)$/, []],
    ["a int NOT NULL, b int NOT NULL, UNIQUE odd (b, a)", /^chunks of \(b, a\), its unique index odd$/, []],
    ["a int", /^one scan/, [expect.stringMatching(/^it has no key: .*binlog_row_image = FULL/)]],
    ["a varchar(9), PRIMARY KEY (a(3))", /^one scan/, [expect.stringMatching(/^the primary key is on the first char/)]],
  ])("is said in a plan: %s", async (columns, readBy, notes) => {
    await fresh(columns);
    const { offers, refusals } = await inspected();
    expect(refusals).toEqual([]);
    expect(offers).toMatchObject([{ readBy: expect.stringMatching(readBy) as string, notes }]);
  });

  it("is asked for where the server keeps parts of rows out of its log", async () => {
    const session = await sessions.get(deadline());
    const facts = { ...(await serverFacts(session, deadline())), rowImage: "MINIMAL", rowValueOptions: "PARTIAL_JSON" };
    expect(tableRefusal(await fresh("a int NOT NULL UNIQUE, b json"), facts)).toBeNull();
    const keyless = tableRefusal(await fresh("a int"), facts)!;
    expect(keyless).toMatchObject({ code: "TABLE_NO_IDENTITY" });
    expect(keyless.hint).toMatch(/`SET (PERSIST|GLOBAL) binlog_row_image = 'FULL'`/);
    expect(keyless.hint).not.toContain("binlog_row_value_options");
    const withJson = await fresh("a int, b json");
    expect(tableRefusal(withJson, { ...facts, rowImage: "FULL" })?.hint ?? "").toEqual(
      flavour === "mysql" ? expect.stringContaining("`SET PERSIST binlog_row_value_options = ''`") : "",
    );
    expect(tableRefusal(withJson, { ...facts, rowImage: "FULL", rowValueOptions: "" })).toBeNull();
  });

  it("is missed by a chunk, the planner and the log when its index was dropped", async () => {
    await fresh("a int NOT NULL, b int, UNIQUE u (a)");
    await db.query("INSERT INTO t VALUES (1, 1), (2, 2)");
    const schema = await schemaOf(sessions, db, "t");
    const planner = openPlanner(sessions);
    await planner.extent(schema, deadline());
    const tail = await BinlogTail.open(db, flavour);
    await db.query("ALTER TABLE t DROP INDEX u");
    await db.query("INSERT INTO t VALUES (1, 3)");
    await using reader = openReader(db);
    await expect(readChunk(reader, schema, ALL)).rejects.toMatchObject({ code: "SCHEMA_CHANGED" });
    const next = planner.next(schema, { lower: ["1"], upper: ["2"] }, 1, deadline());
    await expect(next).rejects.toMatchObject({ code: "SCHEMA_CHANGED" });
    const items = await decodeBinlog(binlogDecoder(flavour, [schema]), await tail.events());
    expect(itemTexts(items)).toEqual(["stop SCHEMA_CHANGED"]);
  });
});

describe("MySQL's generated invisible primary key", () => {
  it.each(["ON", "OFF"])("is the key, whether the catalog shows it or not (%s)", async (shown) => {
    await using db = await LoneMysqlDatabase.start("mysql");
    await db.query(`SET GLOBAL show_gipk_in_create_table_and_information_schema = ${shown}`);
    await db.query("SET SESSION sql_generate_invisible_primary_key = ON");
    await db.query("CREATE TABLE t (v int)");
    await db.query("INSERT INTO t VALUES (7), (7)");
    await using sessions = openSessions(db);
    const schema = await schemaOf(sessions, db, "t");
    expect(schema.columns.map(({ name }) => name)).toEqual(["my_row_id", "v"]);
    expect(schema.key).toEqual([0]);
    await using reader = openReader(db);
    const { rows } = await readChunk(reader, schema, { lower: null, upper: ["2"] });
    expect(rows).toEqual([
      ["1", "7"],
      ["2", "7"],
    ]);
    const tail = await BinlogTail.open(db, "mysql");
    await db.query("UPDATE t SET v = 8 LIMIT 1");
    const items = await decodeBinlog(binlogDecoder("mysql", [schema]), await tail.events());
    expect(itemTexts(items)).toEqual(["update 1,8"]);
  });
});

describe.each(["mysql", "mariadb"] as const)("changes of a table without a key of %s", (flavour) => {
  /** What the log makes of a table `t`, each statement in one session. */
  const decoded = async (columns: string, ...statements: readonly string[]): Promise<string[]> => {
    await using db = await createMysqlDatabase(flavour);
    await using sessions = openSessions(db);
    await db.query(`CREATE TABLE t (${columns})`);
    const schema = await schemaOf(sessions, db, "t");
    const tail = await BinlogTail.open(db, flavour);
    for (const statement of statements) await db.query(statement);
    return itemTexts(await decodeBinlog(binlogDecoder(flavour, [schema]), await tail.events()));
  };

  it.each(["FULL", "MINIMAL", "NOBLOB", ...(flavour === "mariadb" ? ["FULL_NODUP"] : [])])(
    "have whole rows, as long as the log has them (%s)",
    async (image) => {
      const items = await decoded(
        "a int, b text, c int DEFAULT 5",
        `SET SESSION binlog_row_image = '${image}'`,
        "INSERT INTO t VALUES (1, 'x', 2), (1, 'x', 2), (NULL, NULL, NULL)",
        "UPDATE t SET c = 3 WHERE a = 1 LIMIT 1",
        "UPDATE t SET a = 4 WHERE a IS NULL",
        "DELETE FROM t WHERE c = 2",
      );
      expect(items).toEqual([
        ...["insert 1,x,2", "insert 1,x,2", "insert null,null,null"],
        ...["delete 1,x,2", "insert 1,x,3"],
        ...["delete null,null,null", "insert 4,null,null", "delete 1,x,2"],
      ]);
    },
  );

  interface PartialCase {
    readonly name: string;
    readonly columns: string;
    readonly before: string;
    readonly set: string;
    readonly statement: string;
    readonly only?: "mysql";
  }
  const minimal = "binlog_row_image = 'MINIMAL'";
  const prefix = { columns: "a varchar(9), c int, PRIMARY KEY (a(2))", before: "'1', 2", set: minimal };
  const cases: readonly PartialCase[] = [
    // MariaDB logs them all the same.
    {
      name: "an INSERT without its defaults",
      ...{ columns: "a int, c int DEFAULT 5", before: "1, 2", set: minimal },
      statement: "INSERT INTO t (a) VALUES (1)",
      only: "mysql",
    },
    { name: "an UPDATE known by a part", ...prefix, statement: "UPDATE t SET c = c + 1" },
    { name: "a DELETE known by a part", ...prefix, statement: "DELETE FROM t" },
  ];

  it.each(cases.filter(({ only }) => only === undefined || only === flavour))(
    "stop it where their rows are not whole: $name",
    async ({ columns, before, set, statement }) => {
      const insert = `INSERT INTO t VALUES (${before})`;
      const items = await decoded(columns, insert, `SET SESSION ${set}`, statement, insert.replace("1", "2"));
      expect(items[0]).toMatch(/^insert 1,/);
      expect(items.at(-1)).toBe("stop TABLE_NO_IDENTITY");
    },
  );
});
