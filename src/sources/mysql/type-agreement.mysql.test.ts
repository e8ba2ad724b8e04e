import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binlogDecoder, BinlogTail, decodeBinlog } from "../../../test/support/mysql-binlog.ts";
import {
  ALL,
  askedOf,
  columnTexts,
  openReader,
  openSessions,
  readChunk,
  RULES,
  schemaOf,
} from "../../../test/support/mysql-source.ts";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../test/support/mysql.ts";
import { MillraceError } from "../../core/errors.ts";
import type { LazySession } from "./connection.ts";
import type { MysqlTypeRules } from "./mysql-type.ts";

interface Case {
  readonly type: string;
  /** SQL expressions, of which the last `odd` are values that the logical type cannot hold. */
  readonly values: readonly string[];
  readonly odd?: number;
  readonly only?: "mysql" | "mariadb";
  readonly rules?: Partial<MysqlTypeRules>;
}

const quoted = (...values: string[]): string[] => values.map((value) => `'${value}'`);
const ODD_DATES = ["0000-00-00", "2024-00-00", "2024-02-00", "2024-02-31", "0000-01-01"];
const GEOMETRIES: Readonly<Record<string, string>> = {
  point: "POINT(1 2)",
  linestring: "LINESTRING(0 0,1 1)",
  polygon: "POLYGON((0 0,0 1,1 1,0 0))",
  multipoint: "MULTIPOINT(0 0,1 1)",
  multilinestring: "MULTILINESTRING((0 0,1 1),(2 2,3 3))",
  multipolygon: "MULTIPOLYGON(((0 0,0 1,1 1,0 0)))",
  geometrycollection: "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))",
  geometry: "POINT(3 4)",
};

/** Types with values at their ends and beyond what a sink can hold; what a SELECT prints is compared elsewhere. */
const CASES: readonly Case[] = [
  { type: "date", values: quoted("0001-01-01", "9999-12-31", "2024-02-29", ...ODD_DATES), odd: 5 },
  ...["datetime", "datetime(6)"].map((type) => ({
    type,
    values: [
      ...quoted("0001-01-01 00:00:00", "9999-12-31 23:59:59"),
      ...quoted(...ODD_DATES.map((date) => `${date} 23:59:59`)),
    ],
    odd: 5,
  })),
  { type: "datetime(6)", values: quoted("9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.000001") },
  { type: "timestamp(6)", values: [...quoted("1970-01-01 00:00:01", "2038-01-19 03:14:07.999999"), "0"], odd: 1 },
  { type: "timestamp", values: quoted("2038-01-19 03:14:08", "2106-02-07 06:28:15"), only: "mariadb" },
  { type: "timestamp(6)", values: quoted("2038-01-19 03:14:08.5", "2106-02-07 06:28:15.999999"), only: "mariadb" },
  { type: "time", values: quoted("24:00:00", "00:00:00", "24:00:01", "-00:00:01", "838:59:59", "-838:59:59"), odd: 4 },
  { type: "time(6)", values: quoted("24:00:00", "24:00:00.000001", "-00:00:00.000001", "-838:59:59"), odd: 3 },
  { type: "time(6)", values: quoted("838:59:59.999999", "-838:59:59.999999"), odd: 2, only: "mariadb" },
  { type: "year", values: quoted("0000", "1901", "2155") },
  { type: "tinyint(1)", values: ["0", "1", "2", "-1", "127", "-128"], odd: 4 },
  { type: "tinyint(1)", values: ["0", "1", "2", "-128"], rules: { tinyint1AsBoolean: false } },
  { type: "tinyint(1) unsigned", values: ["0", "1", "2", "255"] },
  { type: "bit(1)", values: ["b'0'", "b'1'"] },
  { type: "bit(9)", values: ["b'100000001'", "1"] },
  { type: "bit(64)", values: ["18446744073709551615", "0", "x'8000000000000001'"] },
  { type: "enum('a','b')", values: ["'a'", "2", "'none of them'"] },
  { type: "set('a','b','c')", values: ["''", "'c,a'", "7"] },
  { type: "float(7,4)", values: ["0.1", "-999.9999", "123.45678"] },
  { type: "double(12,3)", values: ["0.1", "-123456789.123"] },
  { type: "double zerofill", values: ["0.5", "1e10"] },
  { type: "decimal(65,0)", values: [`'${"9".repeat(65)}'`, `'-${"9".repeat(65)}'`] },
  { type: "bigint unsigned zerofill", values: ["18446744073709551615", "1"] },
  ...Object.entries(GEOMETRIES).map(([type, text]) => ({
    type,
    values: [0, 4326, 3857].map((srid) => `ST_GeomFromText('${text}', ${srid})`),
  })),
  { type: "vector(2)", values: ["TO_VECTOR('[1.5,-0.25]')"], only: "mysql" },
  { type: "vector(2)", values: ["VEC_FromText('[1.5,-0.25]')"], only: "mariadb" },
  { type: "inet6", values: quoted("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:1.2.3.4"), only: "mariadb" },
  { type: "uuid", values: quoted("ffffffff-ffff-ffff-ffff-ffffffffffff"), only: "mariadb" },
  { type: "text COMPRESSED CHARACTER SET sjis", values: ["REPEAT('日本', 300)", "''", "'x'"], only: "mariadb" },
  { type: "int AS (id * 2) VIRTUAL", values: ["DEFAULT", "DEFAULT"] },
  { type: "varchar(20) AS (CONCAT('é', id)) STORED", values: ["DEFAULT", "DEFAULT"] },
];

describe.each(["mysql", "mariadb"] as const)("snapshot and log of %s", (flavour) => {
  let db: TestMysqlDatabase;
  let sessions: LazySession;

  beforeAll(async () => {
    db = await createMysqlDatabase(flavour);
    sessions = openSessions(db);
    await db.query("SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'");
  });

  afterAll(async () => {
    await sessions[Symbol.asyncDispose]();
    await db[Symbol.asyncDispose]();
  });

  type Values = readonly (string | null)[];

  /** The values of column `v`, or the code of what the table stops with. */
  const bySnapshot = async (rules: MysqlTypeRules): Promise<Values | string> => {
    await using reader = openReader(db, { tinyint1AsBoolean: rules.tinyint1AsBoolean }, rules);
    try {
      const { batches } = await readChunk(reader, await schemaOf(sessions, db, "t", rules), ALL);
      return batches.flatMap((batch) => columnTexts(batch.columns[1]!));
    } catch (error) {
      if (error instanceof MillraceError) return error.code;
      throw error;
    }
  };

  const byLog = async (events: readonly Buffer[], rules: MysqlTypeRules): Promise<Values | string> => {
    const schema = await schemaOf(sessions, db, "t", rules);
    const items = await decodeBinlog(binlogDecoder(flavour, [schema], { rules, charsets: askedOf(sessions) }), events);
    const stop = items.find((item) => item.kind === "stop");
    if (stop !== undefined) return stop.error.code;
    return items.flatMap((item) => (item.kind === "rows" ? columnTexts(item.batch.columns[1]!) : []));
  };

  it.each(CASES.filter(({ only }) => only === undefined || only === flavour))(
    "have the same values of $type, and stop or give way at the same ones",
    async ({ type, values, odd = 0, rules: changes = {} }) => {
      await db.query("DROP TABLE IF EXISTS t");
      await db.query(`CREATE TABLE t (id int PRIMARY KEY, v ${type}${type.includes(" AS ") ? "" : " NULL"})`);
      const tail = await BinlogTail.open(db, flavour);
      await db.query(`INSERT IGNORE INTO t (id, v) VALUES ${values.map((value, i) => `(${i}, ${value})`).join(", ")}`);
      const events = await tail.events();
      const rules = (unrepresentable: MysqlTypeRules["unrepresentable"]): MysqlTypeRules => ({
        ...RULES,
        ...changes,
        unrepresentable,
      });
      const kept = await bySnapshot(rules("null"));
      expect(kept).toHaveLength(values.length);
      expect(Array.from(kept, (value) => value === null)).toEqual(values.map((_, i) => i >= values.length - odd));
      expect(await byLog(events, rules("null"))).toEqual(kept);
      const asText = await bySnapshot(rules("text"));
      expect(await byLog(events, rules("text"))).toEqual(asText);
      const strict = await bySnapshot(rules("error"));
      expect(strict).toEqual(odd === 0 ? kept : "VALUE_UNREPRESENTABLE");
      expect(await byLog(events, rules("error"))).toEqual(strict);
    },
  );

  it("have generated and invisible columns", async () => {
    await db.query("DROP TABLE IF EXISTS t");
    await db.query(
      "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 5 INVISIBLE, v int AS (a + id) VIRTUAL, s varchar(9) AS (v * 2) STORED)",
    );
    const tail = await BinlogTail.open(db, flavour);
    await db.query("INSERT INTO t (id, a) VALUES (1, 7), (2, NULL)");
    const schema = await schemaOf(sessions, db, "t");
    expect(schema.columns.map(({ name }) => name)).toEqual(["id", "a", "v", "s"]);
    await using reader = openReader(db);
    const { batches } = await readChunk(reader, schema, { lower: null, upper: ["2"] });
    const items = await decodeBinlog(binlogDecoder(flavour, [schema]), await tail.events());
    const logged = items.flatMap((item) => (item.kind === "rows" ? [item.batch] : []));
    for (const [batch] of [batches, logged])
      expect(batch!.columns.map(columnTexts)).toEqual([
        ["1", "2"],
        ["7", null],
        ["8", null],
        ["16", null],
      ]);
  });

  it("follow an ENUM that got members at its end", async () => {
    await db.query("DROP TABLE IF EXISTS t");
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v enum('a','b'))");
    const schema = await schemaOf(sessions, db, "t");
    const tail = await BinlogTail.open(db, flavour);
    await db.query("INSERT INTO t VALUES (1, 'b')");
    await db.query("ALTER TABLE t MODIFY v enum('a','b','c')");
    await db.query("INSERT INTO t VALUES (2, 'c')");
    const items = await decodeBinlog(binlogDecoder(flavour, [schema]), await tail.events());
    const texts = items.flatMap((item) => (item.kind === "rows" ? columnTexts(item.batch.columns[1]!) : [item.kind]));
    expect(texts).toEqual(["b", "c", "progress"]);
    expect(await bySnapshot(RULES)).toEqual(["b", "c"]);
  });
});
