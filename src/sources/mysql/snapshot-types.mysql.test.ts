import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../../test/support/random.ts";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../test/support/mysql.ts";
import type { Column } from "../../core/column.ts";
import {
  ALL,
  columnTexts,
  openReader,
  openSessions,
  readChunk,
  RULES,
  schemaOf,
} from "../../../test/support/mysql-source.ts";
import type { LazySession } from "./connection.ts";

interface Case {
  readonly type: string;
  /** SQL expressions. */
  readonly values: readonly string[];
  readonly only?: "mysql" | "mariadb";
  /** What the server prints for the column `v`, in the form that the decoded cell is shown in. */
  readonly shown?: string;
}

const quoted = (...values: string[]): string[] => values.map((value) => `'${value}'`);
const HEX = "LOWER(HEX(v))";
/** Fractions of seconds without zeros at their end. */
const TRIMMED = "REGEXP_REPLACE(CAST(v AS CHAR), '(\\\\.0+|(?<=[0-9])0+)$', '')";
const fraction = (digits: number): string => (digits === 0 ? "CAST(v AS CHAR)" : TRIMMED);
const times = (digits: number): Case => ({
  type: digits === 0 ? "time" : `time(${digits})`,
  values: quoted("00:00:00", "23:59:59.999999", "12:34:56.5", "00:00:00.000001", "24:00:00"),
  shown: fraction(digits),
});
const datetimes = (type: string, digits: number): Case => ({
  type: digits === 0 ? type : `${type}(${digits})`,
  values: quoted("1970-01-02 00:00:00", "2024-02-29 23:59:59.123456", "2038-01-19 03:14:07", "2000-01-01 00:00:00.5"),
  shown: fraction(digits),
});

const CASES: readonly Case[] = [
  { type: "tinyint(1)", values: ["0", "1"] },
  { type: "tinyint", values: ["0", "-128", "127"] },
  { type: "tinyint unsigned", values: ["0", "255"] },
  { type: "smallint", values: ["-32768", "32767"] },
  { type: "smallint unsigned", values: ["65535"] },
  { type: "mediumint", values: ["-8388608", "8388607"] },
  { type: "mediumint unsigned", values: ["16777215"] },
  { type: "int", values: ["-2147483648", "2147483647", "0"] },
  { type: "int unsigned", values: ["4294967295"] },
  { type: "int(12) unsigned zerofill", values: ["7", "4294967295"], shown: "CAST(v + 0 AS CHAR)" },
  { type: "bigint", values: ["-9223372036854775808", "9223372036854775807", "-4294967297", "9007199254740993"] },
  { type: "bigint unsigned", values: ["18446744073709551615", "9223372036854775808", "0"] },
  { type: "bigint unsigned zerofill", values: ["18446744073709551615", "5"], shown: "CAST(v + 0 AS CHAR)" },
  { type: "decimal(12,2)", values: ["0", "-0.05", "9999999999.99", "-9999999999.99", "12.5"] },
  { type: "decimal(5,5)", values: ["0.12345", "-0.99999", "0"] },
  { type: "decimal(38,10)", values: ["-9999999999999999999999999999.9999999999", "0.0000000001", "1"] },
  { type: "decimal(38,0)", values: ["99999999999999999999999999999999999999"] },
  { type: "decimal(65,30)", values: ["-99999999999999999999999999999999999.123456789012345678901234567890", "1"] },
  { type: "decimal(8,2) unsigned zerofill", values: ["1.5", "0"], shown: "CAST(v + 0 AS CHAR)" },
  { type: "year", values: ["0", "1901", "2155", "2024"], shown: "CAST(v + 0 AS CHAR)" },
  { type: "bit(1)", values: ["b'0'", "b'1'"], shown: "CAST(v + 0 AS CHAR)" },
  { type: "bit(10)", values: ["b'1000000011'", "0"], shown: "LPAD(LOWER(HEX(v + 0)), 4, '0')" },
  { type: "bit(64)", values: ["18446744073709551615", "1"], shown: "LPAD(LOWER(HEX(v + 0)), 16, '0')" },
  { type: "date", values: quoted("1970-01-01", "0001-01-01", "9999-12-31", "2024-02-29", "1900-02-28") },
  ...[0, 1, 2, 3, 4, 5, 6].flatMap((digits) => [times(digits), datetimes("datetime", digits)]),
  ...[0, 3, 6].map((digits) => datetimes("timestamp", digits)),
  { type: "char(10)", values: quoted("ab", "ab   ", "", "ä😀") },
  { type: "varchar(200)", values: [...quoted("ab   ", "", "ä😀\\n"), "REPEAT('x', 199)"] },
  { type: "varchar(300) CHARACTER SET latin1", values: [...quoted("é€", "ß"), "REPEAT('ä', 299)"] },
  { type: "varchar(30) CHARACTER SET utf16", values: quoted("é漢😀", "") },
  { type: "varchar(30) CHARACTER SET cp1251", values: quoted("Привет") },
  { type: "varchar(30) CHARACTER SET sjis", values: quoted("日本") },
  { type: "text", values: ["REPEAT('long ', 13000)", "''"] },
  { type: "longtext CHARACTER SET ucs2", values: ["REPEAT('漢', 40000)"] },
  { type: "tinytext", values: quoted("x") },
  { type: "binary(6)", values: ["x'0001'", "x'00ff00ff00ff'"], shown: HEX },
  { type: "varbinary(9)", values: ["x'0001'", "x'00ff00ff00ff'", "''"], shown: HEX },
  { type: "blob", values: ["x'fbfcfdfeff'", "REPEAT(x'fb', 700)"], shown: HEX },
  { type: "enum('zz','it''s','')", values: ["1", "2", "3"] },
  { type: "enum('a\\\\b','two\\nlines','\\r\\0')", values: ["1", "2", "3"] },
  { type: "set('a','b','it''s')", values: ["0", "1", "7"] },
  { type: "enum('ä','ö') CHARACTER SET latin1", values: ["1", "2"] },
  { type: "json", values: quoted('{"b": [1, 2.50, "\\\\u00e4"], "a": null}', "[]", '"x"', "1e3") },
  {
    type: "geometry",
    values: ["ST_GeomFromText('POINT(1 2)', 4326)", "ST_GeomFromText('LINESTRING(0 0, 1 1)')"],
    shown: HEX,
  },
  { type: "vector(3)", values: ["STRING_TO_VECTOR('[1,-2.5,3e10]')"], only: "mysql", shown: HEX },
  { type: "vector(3)", values: ["VEC_FromText('[1,-2.5,3e10]')"], only: "mariadb", shown: HEX },
  { type: "uuid", values: quoted("123E4567-E89B-12D3-A456-426614174000"), only: "mariadb" },
  { type: "inet4", values: quoted("10.0.0.1", "255.255.255.255"), only: "mariadb" },
  { type: "inet6", values: quoted("::1", "2001:db8::ff00:42:8329"), only: "mariadb" },
  { type: "varchar(999) COMPRESSED", values: ["REPEAT('x', 900)", "'y'"], only: "mariadb" },
];

describe.each(["mysql", "mariadb"] as const)("a snapshot of %s", (flavour) => {
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

  /** The column `v` of the table, in the order of its key. */
  const column = async (rules = RULES): Promise<Column> => {
    await using reader = openReader(db, {}, rules);
    const { batches } = await readChunk(reader, await schemaOf(sessions, db, "t", rules), ALL);
    expect(batches).toHaveLength(1);
    return batches[0]!.columns[1]!;
  };

  const fresh = async (type: string): Promise<void> => {
    await db.query("SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'");
    await db.query("DROP TABLE IF EXISTS t");
    await db.query(`CREATE TABLE t (id int PRIMARY KEY, v ${type} NULL)`);
  };

  it.each(CASES.filter(({ only }) => only === undefined || only === flavour))(
    "has what a SELECT prints: $type",
    async ({ type, values, shown = "CAST(v AS CHAR)" }) => {
      await fresh(type);
      const rows = [...values, "NULL"].map((value, i) => `(${i}, ${value})`);
      await db.query(`INSERT INTO t VALUES ${rows.join(", ")}`);
      const expected = await db.query<{ v: unknown }>(`SELECT CONVERT(${shown} USING utf8mb4) AS v FROM t ORDER BY id`);
      expect(columnTexts(await column())).toEqual(expected.map(({ v }) => v));
    },
  );

  it.each(["float", "double", "float unsigned", "float(9,3)", "double(20,5)", "float zerofill", "double zerofill"])(
    "has every bit of a %s",
    async (type) => {
      await fresh(type);
      const random = new Random(7);
      const single = type.startsWith("float");
      const positive = /unsigned|zerofill/.test(type);
      const declared = type.includes(",");
      const view = new DataView(new ArrayBuffer(8));
      const numbers = [0, 1, 0.1, -1e-45, 3.402_823_466_385_288_6e38, 16_777_217, 1 / 3, 5e-324, 8_388_608.5];
      // MariaDB reads the literal as 0.
      if (flavour === "mysql") numbers.push(-0);
      while (numbers.length < 800) {
        view.setUint32(0, Math.floor(random.next() * 2 ** 32));
        view.setUint32(4, Math.floor(random.next() * 2 ** 32));
        const value = single ? view.getFloat32(0) : view.getFloat64(0);
        if (Number.isFinite(value)) numbers.push(declared ? (random.next() - 0.5) * 1e6 : value);
      }
      const fitting = numbers.filter((n) => (!positive || n >= 0) && (!declared || Math.abs(n) < 1e6));
      const rows = fitting.map((n, i) => `(${i}, ${Object.is(n, -0) ? "-0e0" : n.toExponential()})`);
      await db.query(`INSERT IGNORE INTO t VALUES ${rows.join(", ")}`);
      const found = columnTexts(await column()).map(Number);
      if (!declared) return expect(found).toEqual(fitting.map((n) => (single ? Math.fround(n) : n)));
      // The server compares all digits, and prints fewer.
      await db.query("CREATE TEMPORARY TABLE back (id int PRIMARY KEY, v double NOT NULL)");
      await db.query(`INSERT INTO back VALUES ${found.map((n, i) => `(${i}, ${n.toExponential()})`).join(", ")}`);
      const others = await db.query("SELECT id FROM t JOIN back USING (id) WHERE t.v <> back.v");
      await db.query("DROP TEMPORARY TABLE back");
      expect(others).toEqual([]);
    },
  );

  it.each([
    ["date", ["0000-00-00", "2024-00-01", "2024-01-00", "2024-02-31"]],
    ["time(3)", ["-00:00:00.001", "838:59:59", "-838:59:59", "24:00:00.001"]],
    ["datetime", ["0000-00-00 00:00:00", "2024-00-01 10:11:12"]],
    ["timestamp(6)", ["0000-00-00 00:00:00"]],
    ["tinyint(1)", ["2", "-1"]],
  ])("says or shows what no %s of a sink can be", async (type, values) => {
    for (const value of values) {
      await fresh(type);
      await db.query("INSERT INTO t VALUES (1, ?)", [value]);
      await expect(column()).rejects.toMatchObject({ code: "VALUE_UNREPRESENTABLE" });
      expect(columnTexts(await column({ ...RULES, unrepresentable: "null" }))).toEqual([null]);
      if (type === "tinyint(1)") continue;
      const [row] = await db.query<{ v: string }>("SELECT CAST(v AS CHAR) AS v FROM t");
      expect(columnTexts(await column({ ...RULES, unrepresentable: "text" }))).toEqual([row!.v]);
    }
  });
});
