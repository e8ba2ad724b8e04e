import { expect, it } from "vitest";
import {
  binlogDecoder,
  BinlogTail,
  cellTexts,
  decodeBinlog,
  mysqlSchema,
  STRICT_MYSQL_RULES,
} from "../../../../test/support/mysql-binlog.ts";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../../test/support/mysql.ts";
import type { Column } from "../../../core/column.ts";
import type { MysqlTypeRules } from "../mysql-type.ts";
import type { Flavour } from "../position.ts";

/** A column type and values of it, as SQL expressions, that have gone wrong somewhere. */
interface TypeCase {
  readonly type: string;
  readonly values: readonly string[];
  /** The one server that has the type. */
  readonly only?: Flavour;
}

const quoted = (...values: string[]): string[] => values.map((value) => `'${value.replaceAll("'", "''")}'`);

const escaped = (...values: string[]): string[] => quoted(...values.map((value) => value.replaceAll("\\", "\\\\")));

const DECIMALS = quoted("0", "1", "-1", "0.5", "-0.05", "12345.678", "-99999.99", "1000000000", "-123456789012.345");
const FLOATS = ["0", "-0e0", "1", "-1.5", "0.1", "3.4028235e37", "1e-30", "123456.7", "1e10", "16777217"];
const DATES = quoted("1000-01-01", "1969-12-31", "1970-01-01", "2000-02-29", "1900-02-28", "9999-12-31", "0001-01-01");
const FRACTIONS = quoted(
  ...["2024-02-29 23:59:59.999999", "1969-12-31 23:59:59.5", "1000-01-01 00:00:00.000001", "9999-12-31 23:59:59.4"],
  ...["1970-01-01 00:00:00", "2038-01-19 03:14:08", "0001-01-01 00:00:00.123456"],
);
const TIMESTAMPS = quoted("1970-01-01 00:00:01", "2038-01-19 03:14:07.4", "2024-02-29 12:34:56.789012", "2000-01-01");
const TIMES = quoted("00:00:00", "23:59:59.4", "12:34:56.789012", "00:00:00.000001", "24:00:00", "01:02:03.5");
const TEXTS = ["''", "'a'", "'é漢🙂'", "'trailing  '", "'it''s \\\\ \\n\\t'", "REPEAT('lang é ', 100)"];
const BYTES = ["''", "x'00'", "x'ff00'", "x'0100ff00'", "x'000000'", "x'c3a9'"];

const JSONS = escaped(
  ...['{"b": 1, "a": [1, 2.5, -3, null, true, false], "longer": {"x": "y"}}', "[]", "{}", "null", "true", '"text"'],
  ...[
    '"esc \\" \\\\ / \\b\\f\\n\\r\\t \\u0001 \\u001f é漢🙂"',
    "0",
    "-1",
    "32767",
    "32768",
    "-32769",
    "65535",
    "65536",
  ],
  ...["2147483647", "2147483648", "4294967296", "9223372036854775807", "18446744073709551615", "-9223372036854775808"],
  ...["1.0", "0.1", "1e15", "1e16", "123456789012345680000", "1e22", "1e100", "-1.5e-7", "1.5e-10", "1e-15", "1e-14"],
  ...["1.2345678901234567", "12345678901234.567", "-0.0", "1.7976931348623157e308", "5e-324", "1.2345678901234567e-10"],
  ...["0.00012345678901234567", "-0.00123456789012345678", "0.012345678901234567", "-123456789012345.67", "1e21"],
  ...["-1.2345678901234567e-14", "-1.2345678901234567e-15", "123456789012345.0", "1234567890123456.0", "-0.00001"],
);

const CASES: readonly TypeCase[] = [
  { type: "tinyint", values: ["0", "-128", "127"] },
  { type: "tinyint unsigned", values: ["0", "255"] },
  { type: "tinyint(1)", values: ["0", "1"] },
  { type: "smallint", values: ["0", "-32768", "32767", "-1"] },
  { type: "smallint unsigned", values: ["0", "65535"] },
  { type: "mediumint", values: ["0", "-8388608", "8388607", "-1"] },
  { type: "mediumint unsigned", values: ["0", "16777215"] },
  { type: "int", values: ["0", "-2147483648", "2147483647", "-1"] },
  { type: "int unsigned", values: ["0", "4294967295"] },
  { type: "int(5) zerofill", values: ["0", "42"] },
  { type: "bigint", values: ["0", "-9223372036854775808", "9223372036854775807", "-1", "4294967296", "-4294967297"] },
  { type: "bigint unsigned", values: ["0", "18446744073709551615", "9223372036854775808", "4294967295", "4294967296"] },
  { type: "decimal(12,2)", values: quoted("0", "1", "-1", "0.05", "9999999999.99", "-9999999999.99", "-0.01") },
  { type: "decimal(10,0)", values: quoted("0", "-9999999999", "1000000000") },
  { type: "decimal(15,3)", values: DECIMALS },
  { type: "decimal(16,3)", values: DECIMALS },
  { type: "decimal(38,10)", values: [...DECIMALS, `'${"9".repeat(28)}.${"9".repeat(10)}'`, `'-${"9".repeat(28)}'`] },
  { type: "decimal(30,30)", values: quoted("0", "0.5", `-0.${"0".repeat(29)}1`, `0.${"9".repeat(30)}`) },
  { type: "decimal(9,9)", values: quoted("0", "0.999999999", "-0.000000001") },
  { type: "decimal(65,30)", values: [...DECIMALS, `'${"9".repeat(35)}.${"8".repeat(30)}'`, "'-0.000000001'"] },
  { type: "decimal(39,0)", values: quoted("0", "-1", "9".repeat(39), `1${"0".repeat(38)}`) },
  { type: "decimal(5,2) unsigned", values: quoted("0", "999.99") },
  { type: "float", values: FLOATS },
  { type: "double", values: [...FLOATS, "1.7976931348623157e308", "5e-324", "0.1234567890123456", "9007199254740993"] },
  { type: "double unsigned", values: ["0", "1.5"] },
  { type: "bit(1)", values: ["b'0'", "b'1'"] },
  { type: "bit(12)", values: ["b'0'", "b'101010101010'"] },
  { type: "bit(64)", values: ["b'1'", "x'8000000000000001'"] },
  { type: "year", values: quoted("0000", "1901", "2155", "2024") },
  { type: "date", values: DATES },
  { type: "datetime", values: FRACTIONS },
  { type: "datetime(1)", values: FRACTIONS },
  { type: "datetime(3)", values: FRACTIONS },
  { type: "datetime(6)", values: FRACTIONS },
  { type: "timestamp", values: TIMESTAMPS },
  { type: "timestamp(2)", values: TIMESTAMPS },
  { type: "timestamp(6)", values: TIMESTAMPS },
  { type: "timestamp(6)", values: quoted("2038-01-19 03:14:08", "2106-02-07 06:28:15.999999"), only: "mariadb" },
  { type: "time", values: TIMES },
  { type: "time(1)", values: TIMES },
  { type: "time(4)", values: TIMES },
  { type: "time(6)", values: TIMES },
  { type: "char(10)", values: quoted("", "ab", "é漢🙂", "  x  ") },
  { type: "char(255)", values: ["''", "REPEAT('漢', 255)"] },
  { type: "varchar(20)", values: quoted("", "ab  ", "é漢🙂") },
  { type: "varchar(2000)", values: TEXTS },
  { type: "tinytext", values: quoted("", "é") },
  { type: "text", values: TEXTS },
  { type: "mediumtext", values: [...TEXTS, "REPEAT('0123456789', 7000)"] },
  { type: "longtext", values: TEXTS },
  { type: "binary(4)", values: BYTES },
  { type: "binary(255)", values: BYTES },
  { type: "varbinary(10)", values: BYTES },
  { type: "blob", values: [...BYTES, "REPEAT(x'00ff', 1000)"] },
  { type: "longblob", values: BYTES },
  { type: "enum('a','it''s','é')", values: quoted("a", "it's", "é") },
  { type: "enum('a\\\\b','two\\nlines')", values: ["1", "2"] },
  { type: `enum(${Array.from({ length: 300 }, (_, i) => `'m${i}'`).join()})`, values: quoted("m0", "m299") },
  { type: "set('a','b,c'',d','é')".replace("b,c'',d", "b"), values: quoted("", "a", "a,é", "a,b,é") },
  { type: `set(${Array.from({ length: 64 }, (_, i) => `'s${i}'`).join()})`, values: quoted("s0,s31,s32,s63", "s63") },
  { type: "json", values: JSONS },
  {
    type: "json",
    values: [
      "JSON_OBJECT('t', CAST('12:34:56.5' AS TIME(6)), 'n', CAST('-838:59:59' AS TIME))",
      "JSON_ARRAY(CAST('2024-02-29 01:02:03.000004' AS DATETIME(6)), CAST('2024-02-29' AS DATE))",
      "JSON_ARRAY(CAST(1.50 AS DECIMAL(10,2)), CAST(-0.000001 AS DECIMAL(65,30)), x'00ff', b'101')",
      "JSON_ARRAY(1e0, TIMESTAMP'2024-01-01 00:00:00', CAST('a' AS BINARY))",
      "(SELECT JSON_ARRAYAGG(REPEAT('x', 1000)) FROM (SELECT 1 UNION ALL SELECT 2) n, information_schema.COLLATIONS)",
    ],
    only: "mysql",
  },
  { type: "varchar(30) CHARACTER SET latin1", values: quoted("", "é€ä", "ascii only") },
  { type: "char(10) CHARACTER SET latin1", values: ["x'80818d8f909d9fff'", "'x'"] },
  { type: "text CHARACTER SET cp1251", values: quoted("привет", "x") },
  { type: "varchar(30) CHARACTER SET ucs2", values: quoted("é漢", "") },
  { type: "char(30) CHARACTER SET utf16", values: quoted("é漢🙂", "") },
  { type: "varchar(30) CHARACTER SET utf32", values: quoted("é漢🙂") },
  { type: "varchar(30) CHARACTER SET utf16le", values: quoted("é漢🙂") },
  { type: "varchar(30) CHARACTER SET utf8mb3", values: quoted("é漢") },
  { type: "enum('é','ü') CHARACTER SET latin1", values: quoted("é", "ü") },
  { type: "varchar(30) CHARACTER SET ascii", values: quoted("x") },
  { type: "point", values: ["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(1 2)', 4326)"] },
  { type: "geometry", values: ["ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))')"] },
  { type: "vector(3)", values: ["TO_VECTOR('[1,-2.5,0]')"], only: "mysql" },
  { type: "vector(3)", values: ["VEC_FromText('[1,-2.5,0]')"], only: "mariadb" },
  {
    type: "uuid",
    values: quoted(
      ...["00000000-0000-0000-0000-000000000000", "123e4567-e89b-12d3-a456-426655440000"],
      ...["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a00", "018f3a5e-1c2d-7abc-8def-0123456789ab"],
      ...["1ec9414c-232a-6b00-b3c8-9e6bdeced846", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
      ...["00112233-4455-8677-8899-aabbccddeeff", "00112233-4455-6677-2899-aabbccddeeff"],
      ...["a0eebc99-9c0b-6ef8-0b6d-6bb9bd380a00", "00000000-0000-7000-8000-000000000000"],
    ),
    only: "mariadb",
  },
  { type: "inet4", values: quoted("0.0.0.0", "10.0.0.1", "192.168.0.0"), only: "mariadb" },
  {
    type: "inet6",
    values: quoted("::", "::1", "2001:db8::", "fe80::1:0:0:1", "::ffff:10.0.0.1", "::10.0.0.1", "1:2:3:4:5:6:7:8"),
    only: "mariadb",
  },
  { type: "inet6", values: quoted("1:0:2:0:3:0:4:0", "0:1::", "::2:0:0", "1::ffff:0:0"), only: "mariadb" },
  { type: "varchar(2000) COMPRESSED", values: TEXTS, only: "mariadb" },
  { type: "blob COMPRESSED", values: [...BYTES, "REPEAT(x'00ff', 1000)"], only: "mariadb" },
];

/** Values that a date, time or timestamp cannot hold. */
const ODD_CASES: readonly TypeCase[] = [
  { type: "date", values: [...DATES, ...quoted("0000-00-00", "2024-00-00", "2024-02-00", "0000-01-01")] },
  { type: "datetime", values: [...FRACTIONS, ...quoted("0000-00-00", "2024-00-00", "2024-02-00 10:00:00")] },
  { type: "datetime(5)", values: [...FRACTIONS, ...quoted("0000-00-00")] },
  { type: "timestamp", values: [...TIMESTAMPS, "0"] },
  { type: "timestamp(3)", values: [...TIMESTAMPS, "0"] },
  { type: "time", values: [...TIMES, ...quoted("-838:59:59", "838:59:59", "-00:00:01", "100:00:00")] },
  { type: "time(2)", values: [...TIMES, ...quoted("-00:00:00.01", "-00:00:01.99", "24:00:00.01")] },
  { type: "time(3)", values: [...TIMES, ...quoted("-00:00:00.001", "-838:59:59", "-12:34:56.789")] },
  { type: "time(6)", values: [...TIMES, ...quoted("-00:00:00.000001", "-838:59:59", "838:59:59", "-1:00:00.5")] },
];

/** Puts the values in, one row each and a null, and decodes them again. */
async function decodedColumn(
  db: TestMysqlDatabase,
  flavour: Flavour,
  { type, values }: TypeCase,
  rules: MysqlTypeRules = STRICT_MYSQL_RULES,
): Promise<Column> {
  await db.query("SET time_zone = '+00:00', sql_mode = ''");
  await db.query("DROP TABLE IF EXISTS t");
  await db.query(`CREATE TABLE t (id int PRIMARY KEY, c ${type} NULL) CHARACTER SET utf8mb4`);
  const schema = await mysqlSchema(db, "t", rules);
  const tail = await BinlogTail.open(db, flavour);
  const rows = [...values, "NULL"].map((value, i) => `(${i}, ${value})`);
  await db.query(`INSERT INTO t VALUES ${rows.join()}`);
  const items = await decodeBinlog(binlogDecoder(flavour, [schema], { rules }), await tail.events());
  const found = items.flatMap((item) => (item.kind === "rows" ? [item.batch] : []));
  expect(items.filter(({ kind }) => kind === "stop")).toEqual([]);
  expect(found.map(({ length }) => length)).toEqual([values.length + 1]);
  return found[0]!.columns[1]!;
}

/** A column's values as the server prints them, in the form of `cellText`. */
async function serverTexts(db: TestMysqlDatabase, type: string, kind: string): Promise<(string | null)[]> {
  const isBytes = kind === "bytes";
  // HEX of BIT is that of a number.
  const bits = /^bit\((\d+)\)/.exec(type)?.[1];
  const hex = bits === undefined ? "HEX(c)" : `LPAD(HEX(c), ${Math.ceil(Number(bits) / 8) * 2}, '0')`;
  const text = isBytes ? `CONCAT('\\\\x', LOWER(${hex}))` : kind === "bool" ? "IF(c, 't', 'f')" : "CAST(c AS CHAR)";
  const zoned = type.startsWith("timestamp") && kind === "timestamp" ? `CONCAT(${text}, '+00')` : text;
  const rows = await db.query<{ c: string | null }>(`SELECT IF(c IS NULL, NULL, ${zoned}) AS c FROM t ORDER BY id`);
  return rows.map(({ c }) => c);
}

/** No zeros at the end of a second's fraction. */
function trimmed(text: string | null): string | null {
  return (
    text?.replace(/\.(\d*?)0*(\+00)?$/, (_, digits: string, zone = "") => (digits === "" ? "" : `.${digits}`) + zone) ??
    null
  );
}

async function agrees(flavour: Flavour, typeCase: TypeCase, rules?: MysqlTypeRules): Promise<void> {
  await using db = await createMysqlDatabase(flavour);
  const column = await decodedColumn(db, flavour, typeCase, rules);
  const { type } = typeCase;
  const { kind } = column.type;
  if (kind === "float") {
    const rows = await db.query<{ c: number | null }>(`SELECT CAST(c AS DOUBLE) AS c FROM t ORDER BY id`);
    const values = cellTexts(column).map((text) => (text === null ? null : Number(text)));
    const own = values.map((value) =>
      value === null || column.type.kind !== "float" || column.type.bits === 64 ? value : Math.fround(value),
    );
    expect(own).toEqual(rows.map(({ c }) => c));
    return;
  }
  const printed = await serverTexts(db, type, kind);
  const isTemporal = kind === "time" || kind === "timestamp";
  const padded =
    type.includes("zerofill") || type === "year" ? printed.map((text) => text && String(Number(text))) : printed;
  expect(cellTexts(column)).toEqual(isTemporal ? padded.map(trimmed) : padded);
}

const named = (cases: readonly TypeCase[], flavour: Flavour): [string, TypeCase][] =>
  cases.filter(({ only = flavour }) => only === flavour).map((each) => [each.type.slice(0, 40), each]);

it.each(named(CASES, "mysql"))("MySQL's %s is as the server prints it", async (_, typeCase) => {
  await agrees("mysql", typeCase);
});

it.each(named(CASES, "mariadb"))("MariaDB's %s is as the server prints it", async (_, typeCase) => {
  await agrees("mariadb", typeCase);
});

const TEXT_RULES: MysqlTypeRules = { ...STRICT_MYSQL_RULES, unrepresentable: "text" };

it.each(named(ODD_CASES, "mysql"))("MySQL's %s as text is the server's own", async (_, typeCase) => {
  await agrees("mysql", typeCase, TEXT_RULES);
});

it.each(named(ODD_CASES, "mariadb"))("MariaDB's %s as text is the server's own", async (_, typeCase) => {
  await agrees("mariadb", typeCase, TEXT_RULES);
});

/** Lists of the log are about columns of some types alone: one that is counted wrongly shifts all behind it. */
const MIXED: Readonly<Record<Flavour, readonly (readonly [type: string, value: string])[]>> = {
  mysql: [
    ["vector(2)", "TO_VECTOR('[1,2]')"],
    ["json", "'{}'"],
  ],
  mariadb: [
    ["uuid", "'123e4567-e89b-12d3-a456-426655440000'"],
    ["inet4", "'10.0.0.1'"],
    ["inet6", "'::1'"],
    ["vector(2)", "VEC_FromText('[1,2]')"],
    ["varchar(100) COMPRESSED CHARACTER SET latin1", "'é'"],
    ["text COMPRESSED", "'é'"],
    ["json", "'{}'"],
  ],
};
const AROUND = [
  ...["year", "bit(3)", "date", "time(2)", "datetime(3)", "timestamp(4)", "point", "enum('é') CHARACTER SET latin1"],
  ...["set('漢') CHARACTER SET ucs2", "varbinary(5)", "binary(3)", "blob", "tinytext CHARACTER SET cp1251"],
] as const;

it.each(["mysql", "mariadb"] as const)("columns of all types stand beside each other (%s)", async (flavour) => {
  await using db = await createMysqlDatabase(flavour);
  await db.query("SET time_zone = '+00:00'");
  const kinds = [...AROUND.map((type) => [type, null] as const), ...MIXED[flavour]];
  const columns = kinds.flatMap(([type], i) => [
    ...[`c${i} ${type}`, `u${i} int unsigned`, `s${i} smallint`, `l${i} char(3) CHARACTER SET latin1`],
    ...[`w${i} varchar(9) CHARACTER SET utf16`, `e${i} enum('ü') CHARACTER SET cp850`, `z${i} set('ß')`],
  ]);
  await db.query(`CREATE TABLE t (id int PRIMARY KEY, ${columns.join()}) CHARACTER SET utf8mb4`);
  const schema = await mysqlSchema(db, "t");
  const tail = await BinlogTail.open(db, flavour);
  const values = kinds.flatMap(([, value]) => [value ?? "NULL", "4294967295", "-1", "'é'", "'漢'", "'ü'", "'ß'"]);
  await db.query(`INSERT INTO t VALUES (1, ${values.join()})`);
  const [item] = await decodeBinlog(binlogDecoder(flavour, [schema]), await tail.events());
  expect([item?.kind === "stop" ? item.error.message : item?.kind]).toEqual(["rows"]);
  const texts = item?.kind === "rows" ? item.batch.columns.map((column) => cellTexts(column)[0]) : [];
  const around = kinds.flatMap((_, i) => texts.slice(2 + i * 7, 8 + i * 7));
  expect(around).toEqual(kinds.flatMap(() => ["4294967295", "-1", "é", "漢", "ü", "ß"]));
});
