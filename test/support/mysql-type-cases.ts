import type { MysqlFlavour } from "./mysql-programs.ts";

/** A column type, and SQL expressions of values at its ends and where mistakes are made. */
interface TypeCase {
  readonly type: string;
  readonly values: readonly string[];
  readonly only?: MysqlFlavour;
}

const quoted = (...values: string[]): string[] => values.map((value) => `'${value}'`);
const geometry = (text: string): string[] => [0, 4326].map((srid) => `ST_GeomFromText('${text}', ${srid})`);
const TIMES = quoted("00:00:00", "23:59:59", "12:34:56", "24:00:00");
const DATETIMES = quoted(
  "0001-01-01 00:00:00",
  "9999-12-31 23:59:59.999999",
  "1969-12-31 23:59:59.5",
  "2024-02-29 12:00",
);

/** A line of docs/types.md after the other. */
const CASES: readonly TypeCase[] = [
  { type: "tinyint(1)", values: ["0", "1"] },
  { type: "tinyint", values: ["-128", "127"] },
  { type: "tinyint unsigned", values: ["255"] },
  { type: "smallint", values: ["-32768", "32767"] },
  { type: "year", values: ["0", "1901", "2155"] },
  { type: "smallint unsigned", values: ["65535"] },
  { type: "mediumint", values: ["-8388608", "8388607"] },
  { type: "int", values: ["-2147483648", "2147483647"] },
  { type: "int unsigned", values: ["4294967295"] },
  { type: "bigint", values: ["-9223372036854775808", "9223372036854775807", "9007199254740993"] },
  { type: "bigint unsigned", values: ["18446744073709551615", "0"] },
  { type: "decimal(12,2)", values: ["0", "-0.05", "9999999999.99"] },
  { type: "decimal(38,10)", values: ["-9999999999999999999999999999.9999999999", "0.0000000001"] },
  { type: "decimal(65,30)", values: ["-99999999999999999999999999999999999.123456789012345678901234567890", "1"] },
  { type: "float", values: ["0.1", "-3.4e38", "1e-40"] },
  { type: "double", values: ["0.1", "1.7976931348623157e308", "-5e-324", "9007199254740993"] },
  { type: "bit(1)", values: ["b'0'", "b'1'"] },
  { type: "bit(10)", values: ["b'1000000011'", "0"] },
  { type: "date", values: quoted("0001-01-01", "9999-12-31", "2024-02-29") },
  { type: "time", values: TIMES },
  { type: "time(6)", values: [...TIMES, "'23:59:59.999999'", "'00:00:00.000001'"] },
  { type: "datetime", values: quoted("0001-01-01 00:00:00", "9999-12-31 23:59:59") },
  { type: "datetime(6)", values: DATETIMES },
  { type: "timestamp", values: quoted("1970-01-01 00:00:01", "2038-01-19 03:14:07") },
  { type: "timestamp(6)", values: quoted("2038-01-19 03:14:07.999999") },
  { type: "timestamp(6)", values: quoted("2106-02-07 06:28:15.999999"), only: "mariadb" },
  { type: "char(10)", values: quoted("", "ä😀") },
  { type: "varchar(30)", values: quoted("", "ab   ", "ä😀\\n") },
  { type: "varchar(30) CHARACTER SET sjis", values: quoted("日本") },
  { type: "longtext", values: ["REPEAT('漢', 20000)", "''"] },
  { type: "enum('a','b')", values: quoted("a", "b") },
  { type: "set('a','b','c')", values: quoted("", "c,a") },
  { type: "json", values: quoted('{"b": 1.5, "a": [null, "é"]}', "[]", "null") },
  { type: "binary(4)", values: ["x'00ff'", "x'80000001'"] },
  { type: "varbinary(10)", values: ["x''", "x'00ff'"] },
  { type: "longblob", values: ["REPEAT(x'0180', 5000)", "x''"] },
  { type: "geometry", values: geometry("POINT(3 4)") },
  { type: "point", values: geometry("POINT(1 2)") },
  { type: "multipolygon", values: geometry("MULTIPOLYGON(((0 0,0 1,1 1,0 0)))") },
  { type: "geometrycollection", values: geometry("GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))") },
  { type: "vector(2)", values: ["TO_VECTOR('[1.5,-0.25]')"], only: "mysql" },
  { type: "vector(2)", values: ["VEC_FromText('[1.5,-0.25]')"], only: "mariadb" },
  {
    type: "uuid",
    values: quoted("ffffffff-ffff-ffff-ffff-ffffffffffff", "00000000-0000-0000-0000-000000000001"),
    only: "mariadb",
  },
  { type: "inet4", values: quoted("0.0.0.0", "255.255.255.255"), only: "mariadb" },
  { type: "inet6", values: quoted("::", "ffff::1", "::ffff:1.2.3.4"), only: "mariadb" },
];

/** The statements that make the table `types`, with a column of each, and fill it. */
export function typeTable(flavour: MysqlFlavour): readonly string[] {
  const cases = CASES.filter(({ only = flavour }) => only === flavour);
  const columns = cases.map(({ type }, i) => `c${i} ${type} NULL`);
  const rows = Math.max(...cases.map(({ values }) => values.length));
  const cells = (row: number): string => cases.map(({ values }) => values[row] ?? "NULL").join(", ");
  return [
    `CREATE TABLE types (id int PRIMARY KEY, ${columns.join(", ")})`,
    ...Array.from({ length: rows }, (_, row) => `INSERT INTO types VALUES (${row}, ${cells(row)})`),
  ];
}
