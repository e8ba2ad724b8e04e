import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../test/support/mysql.ts";
import type { ChunkRange, KeyBound } from "../../core/chunk.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import {
  deadline,
  NO_CAPS,
  openPlanner,
  openReader,
  openSessions,
  readChunk,
  RULES,
  schemaOf,
  series,
} from "../../../test/support/mysql-source.ts";
import type { LazySession } from "./connection.ts";
import type { MysqlTypeRules } from "./mysql-type.ts";
import { keySelectionOf } from "./selection.ts";
import { rangeSelect } from "./table-read.ts";

interface Key {
  readonly name: string;
  readonly columns: string;
  /** Of the rows, over a `g` from 1 to 500. */
  readonly values: string;
  readonly only?: "mysql" | "mariadb";
  /** Rows that are put in beside. */
  readonly others?: string;
  /** How the servers read a chunk, where that is not a range of the key's index, in its order. */
  readonly plan?: { readonly type: "range" | "index"; readonly sorts: boolean };
  /** The key's index, where it is not the primary one. */
  readonly index?: string;
  readonly rules?: MysqlTypeRules;
}

const asianKey = (charset: string): Key => ({
  name: `${charset} text`,
  columns: `id varchar(9) CHARACTER SET ${charset} PRIMARY KEY`,
  values: "CONCAT(ELT(1 + g % 4, '中', 'a', '日', 'B'), g)",
});

/** Keys of every type that orders in a way of its own, with a table of about 500 rows each. */
const KEYS: readonly Key[] = [
  { name: "tinyint and int", columns: "a tinyint, b int, PRIMARY KEY (a, b)", values: "g % 7 - 3, g" },
  { name: "smallint", columns: "id smallint PRIMARY KEY", values: "g - 250" },
  { name: "bigint with gaps", columns: "id bigint PRIMARY KEY", values: "g * g * g * g * 90000000" },
  {
    name: "bigint extremes",
    columns: "id bigint PRIMARY KEY",
    values: "CASE g WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE g END",
  },
  { name: "bigint unsigned", columns: "id bigint unsigned PRIMARY KEY", values: "18446744073709551615 - g * 3" },
  { name: "zerofill", columns: "id int(12) unsigned zerofill PRIMARY KEY", values: "g * 1000" },
  { name: "tinyint(1)", columns: "a tinyint(1), b int, PRIMARY KEY (a, b)", values: "g % 2, g" },
  { name: "decimal", columns: "id decimal(12,3) PRIMARY KEY", values: "(g - 250) * 1.125" },
  { name: "decimal(65,30)", columns: "id decimal(65,30) PRIMARY KEY", values: "(g - 250) / 7" },
  { name: "float", columns: "id float PRIMARY KEY", values: "(g - 250) * 0.1" },
  { name: "double", columns: "id double PRIMARY KEY", values: "(g - 250) / 3e0 + 1e-9" },
  { name: "double(10,2)", columns: "id double(10,2) PRIMARY KEY", values: "(g - 250) * 1.01e0" },
  { name: "bit", columns: "a bit(1), id bit(20), PRIMARY KEY (a, id)", values: "g % 2, g * 7" },
  { name: "year and int", columns: "y year, b int, PRIMARY KEY (y, b)", values: "IF(g % 9 = 0, 0, 1990 + g % 9), g" },
  {
    name: "text, whatever its case",
    columns: "id varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY",
    values: "CONCAT(ELT(1 + g % 4, 'Ä', 'a''', 'B\\\\', '-z'), g)",
  },
  {
    name: "text by its bytes",
    columns: "id varchar(20) COLLATE utf8mb4_bin PRIMARY KEY",
    values: "CONCAT(ELT(1 + g % 4, 'Z', 'ä', '', '😀'), g)",
  },
  {
    name: "latin1 text",
    columns: "id char(6) CHARACTER SET latin1 PRIMARY KEY",
    values: "CONCAT(ELT(1 + g % 3, 'é', 'E', 'f'), g)",
  },
  {
    name: "UTF-16 text",
    columns: "id varchar(9) CHARACTER SET utf16 PRIMARY KEY",
    values: "CONCAT(ELT(1 + g % 3, 'é', 'E', '漢'), g)",
  },
  {
    name: "text, whatever its case and accents",
    columns: "id varchar(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY",
    values: "CONCAT(ELT(1 + g % 4, 'Ä', 'ß', 'zÉ', '-z'), g)",
    only: "mysql",
  },
  {
    name: "text by the newest collation",
    columns: "id varchar(20) COLLATE utf8mb4_uca1400_ai_ci PRIMARY KEY",
    values: "CONCAT(ELT(1 + g % 4, 'Ä', 'ß', 'zÉ', '-z'), g)",
    only: "mariadb",
  },
  ...["big5", "cp932", "eucjpms", "euckr", "gb2312", "gbk", "sjis", "ujis"].map((charset) => asianKey(charset)),
  { ...asianKey("gb18030"), only: "mysql" },
  {
    name: "old text of one byte",
    columns: "id varchar(20) CHARACTER SET hp8 PRIMARY KEY",
    values: "CONCAT(ELT(1 + g % 3, 'é', 'E', 'ñ'), g)",
  },
  { name: "binary(16)", columns: "id binary(16) PRIMARY KEY", values: "UNHEX(LEFT(SHA2(g, 256), 32))" },
  {
    name: "a unique index",
    columns: "a int, b varchar(9) NOT NULL, c int NOT NULL, UNIQUE `the ``key` (b, c)",
    values: "g, CONCAT('b', g % 7), g",
    index: "the `key",
  },
  { name: "bigint, the last first", columns: "id bigint, PRIMARY KEY (id DESC)", values: "g * 3" },
  {
    name: "text and a number, both the last first",
    columns: "a varchar(9), b int, PRIMARY KEY (a DESC, b DESC)",
    values: "CONCAT('a', g % 7), g",
  },
  {
    name: "two numbers, of which the second comes the last first",
    columns: "a int, b int, PRIMARY KEY (a, b DESC)",
    values: "g DIV 9, g",
    plan: { type: "range", sorts: true },
  },
  { name: "binary(4)", columns: "id binary(4) PRIMARY KEY", values: "UNHEX(HEX(g * 9))" },
  { name: "varbinary", columns: "id varbinary(20) PRIMARY KEY", values: "UNHEX(CONCAT(HEX(g), '27', '00'))" },
  { name: "date", columns: "id date PRIMARY KEY", values: "DATE'2000-01-01' + INTERVAL g DAY" },
  {
    name: "date with zero, partial and impossible ones",
    columns: "id date PRIMARY KEY",
    values: "DATE'2000-01-01' + INTERVAL g DAY",
    others: "('0000-00-00'), ('2000-00-00'), ('2000-03-00'), ('2001-02-31')",
    rules: { ...RULES, unrepresentable: "text" },
  },
  {
    name: "datetime with zero and partial ones",
    columns: "id datetime(3) PRIMARY KEY",
    values: "TIMESTAMP'2000-01-01 12:00:00.25' + INTERVAL g DAY",
    others: "('0000-00-00'), ('2000-00-00 01:02:03.5'), ('2000-03-00 00:00:00.001')",
    rules: { ...RULES, unrepresentable: "text" },
  },
  {
    name: "time beyond a day",
    columns: "id time(2) PRIMARY KEY",
    values: "SEC_TO_TIME((g - 250) * 12000.25)",
    rules: { ...RULES, unrepresentable: "text" },
  },
  {
    name: "datetime(3)",
    columns: "id datetime(3) PRIMARY KEY",
    values: "TIMESTAMP'2024-02-28 23:59:59.987' + INTERVAL g * 7 HOUR",
  },
  {
    name: "timestamp(6)",
    columns: "id timestamp(6) PRIMARY KEY",
    values: "TIMESTAMP'2024-03-31 00:59:59.999999' + INTERVAL g * 7 HOUR",
  },
  { name: "time", columns: "id time(2) PRIMARY KEY", values: "SEC_TO_TIME(g * 100.25)" },
  {
    name: "an enum",
    columns: "id enum('zz','','it''s') CHARACTER SET latin1, n int, PRIMARY KEY (id, n)",
    values: "1 + g % 3, g",
    others: "('no member', 8)",
  },
  {
    name: "an enum with backslashes",
    columns: "id enum('c','a\\\\b','it''s\\n'), n int, PRIMARY KEY (id, n)",
    values: "1 + g % 3, g",
  },
  {
    name: "an enum behind an int",
    columns: "n int, id enum('zz','aa','mm','bb','yy'), PRIMARY KEY (n, id)",
    values: "g DIV 5, 1 + g % 5",
  },
  {
    name: "a set",
    columns: "id set('z','a','m'), n int, PRIMARY KEY (id, n)",
    values: "g % 8, g",
    plan: { type: "index", sorts: false },
  },
  {
    name: "another order than the columns'",
    columns: "a int, b varchar(9), c varbinary(9), d date, PRIMARY KEY (d, c, b)",
    values: "g, g % 11, UNHEX(HEX(g % 70)), DATE'2024-01-01' + INTERVAL g % 5 DAY",
  },
  { name: "a partitioned table", columns: "id int PRIMARY KEY", values: "g * 3" },
  {
    name: "uuid",
    columns: "id uuid PRIMARY KEY",
    values: "CONCAT(LEFT(MD5(g), 8), '-1111-1', RIGHT(MD5(g), 3), '-8111-', LEFT(MD5(-g), 12))",
    only: "mariadb",
  },
  { name: "inet6", columns: "id inet6 PRIMARY KEY", values: "CONCAT('2001:db8::', HEX(g * 77))", only: "mariadb" },
  {
    name: "inet4",
    columns: "id inet4 PRIMARY KEY",
    values: "CONCAT('10.', g % 3, '.', g DIV 250, '.', g % 250)",
    only: "mariadb",
  },
];

const isAt = (a: KeyBound, b: KeyBound): boolean => a.every((text, i) => text === b[i]);

describe.each(["mysql", "mariadb"] as const)("chunks of %s", (flavour) => {
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

  /** How the server would read it. */
  const explained = async (
    schema: TableSchema,
    index: string,
    range: ChunkRange,
  ): Promise<{ type: string; key: string; Extra: string | null }> => {
    const session = await sessions.get(deadline());
    const sql = rangeSelect(keySelectionOf(schema), index, range, 100);
    const [row] = await session.query<{ type: string; key: string; Extra: string | null }>(
      `EXPLAIN FORMAT = TRADITIONAL ${sql}`,
      [],
      deadline(),
    );
    return row!;
  };

  it.each(KEYS.filter(({ only }) => only === undefined || only === flavour))(
    "cover a table with a key of $name exactly once, by ranges of its index",
    async ({
      name,
      columns,
      values,
      others,
      rules = RULES,
      index = "PRIMARY",
      plan = { type: "range", sorts: false },
    }) => {
      await db.query("DROP TABLE IF EXISTS t");
      const partitions = name.startsWith("a partitioned") ? " PARTITION BY HASH (id) PARTITIONS 4" : "";
      await db.query(`CREATE TABLE t (${columns}, v varchar(9) DEFAULT 'x')${partitions}`);
      const [first] = await db.query<{ names: string }>(
        "SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION) names FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND COLUMN_NAME <> 'v'",
        [db.database],
      );
      await db.query("SET sql_mode = 'ALLOW_INVALID_DATES'");
      await db.query(`INSERT IGNORE INTO t (${first!.names}) SELECT ${values} FROM ${series(500)}`);
      if (others !== undefined) await db.query(`INSERT IGNORE INTO t (${first!.names}) VALUES ${others}`);
      await db.query("ANALYZE TABLE t");
      const [count] = await db.query<{ n: number }>("SELECT COUNT(*) n FROM t");
      expect(count!.n).toBeGreaterThanOrEqual(499);
      const schema = await schemaOf(sessions, db, "t", rules);
      const planner = openPlanner(sessions);
      await using reader = openReader(db, {}, rules);
      const { max } = await planner.extent(schema, deadline());
      const seen: string[] = [];
      let chunks = 0;
      for (let gap: ChunkRange | null = { lower: null, upper: max }; gap !== null; chunks++) {
        const planned = await planner.next(schema, gap, 60, deadline());
        const caps = { rowsMax: 45, bytesMax: NO_CAPS.bytesMax };
        const { outcome, rows } = await readChunk(reader, schema, planned, caps);
        expect(outcome.rows).toBe(rows.length);
        expect(outcome.rows).toBeLessThanOrEqual(45);
        seen.push(...rows.map((row) => JSON.stringify(row)));
        if (planned.lower !== null) {
          const { type, key, Extra } = await explained(schema, index, planned);
          expect({ type, key, sorts: (Extra ?? "").includes("filesort") }).toEqual({ ...plan, key: index });
        }
        const done = outcome.rest === null ? planned.upper! : outcome.rest.lower!;
        gap = isAt(done, max!) ? null : { lower: done, upper: max };
      }
      expect(seen).toHaveLength(count!.n);
      expect(new Set(seen).size).toBe(seen.length);
      expect(chunks).toBeGreaterThan(10);
      expect(chunks).toBeLessThan(60);
    },
  );
});
