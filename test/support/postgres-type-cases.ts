/** A column type and values of it that have gone wrong somewhere, as SQL expressions that are cast to it. */
export interface TypeCase {
  readonly type: string;
  readonly values: readonly string[];
  /** The first server version that knows the type. */
  readonly since?: number;
}

/** What some of the types need. */
export const TYPE_CASES_SETUP = `
  CREATE EXTENSION citext;
  CREATE EXTENSION hstore;
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'Happy "quoted"');
  CREATE TYPE pair AS (a int, b text);
  CREATE TYPE shouted AS (a int);
  CREATE FUNCTION shout(shouted) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'not the output function' $$;
  CREATE CAST (shouted AS text) WITH FUNCTION shout(shouted);
  CREATE DOMAIN price AS numeric(10,2);
  CREATE DOMAIN net_price AS price CHECK (VALUE > -1000000);
  CREATE DOMAIN address AS inet;
  CREATE DOMAIN feeling AS mood;
  CREATE DOMAIN short AS varchar(5);
  CREATE DOMAIN days AS date[];
  CREATE TABLE mood_table (id int);
`;

const quoted = (...values: string[]): string[] => values.map((value) => `'${value.replaceAll("'", "''")}'`);

const FLOATS = quoted(
  ...["0", "-0", "1", "-1.5", "0.1", "NaN", "Infinity", "-Infinity", "1e-4", "1e-5", "123456", "1234567", "1e15"],
  ...["1e6", "1e5", "99999.9", "0.00012345", "3.5e-10"],
);

const DATES = quoted(
  ...["1970-01-01", "1969-12-31", "2000-02-29", "1900-02-28", "1900-03-01", "2023-12-31", "0001-01-01", "0004-02-29"],
  ...["0001-12-31 BC", "0005-02-28 BC", "0005-02-29 BC", "0044-03-15 BC", "4714-11-24 BC", "9999-12-31", "10000-01-01"],
);

const TIMESTAMPS = [
  ...DATES,
  ...quoted(
    ...[
      "1969-12-31 23:59:59.999999",
      "1999-12-31 23:59:59.999999",
      "2000-01-01 00:00:00.000001",
      "2024-06-30 12:34:56.7",
    ],
    ...["0044-03-15 12:00:00.5 BC", "294246-12-31 23:59:59.999999", "294247-01-10 04:00:54.775806"],
    ...["294247-01-10 04:00:54.775807", "294276-12-31 23:59:59.999999", "infinity", "-infinity"],
  ),
];

const NUMBERS = quoted("0", "1", "-1", "12.5", "-0.05", "999999.99", "10000", "-20000", "100000000", "0.0001", "NaN");

export const TYPE_CASES: readonly TypeCase[] = [
  { type: "boolean", values: ["true", "false"] },
  { type: "smallint", values: ["0", "-1", "32767", "-32768"] },
  { type: "integer", values: ["0", "-1", "2147483647", "-2147483648", "1000000000"] },
  {
    type: "bigint",
    values: quoted(
      ...["0", "-1", "9223372036854775807", "-9223372036854775808", "-9223372036854775807", "4294967295", "4294967296"],
      ...["-4294967295", "-4294967296", "-4294967297", "999999999999999", "1000000000000000", "-999999999999999"],
      ...["-1000000000000000", "9007199254740993", "-9007199254740993", "1234567890123456789", "10000000000"],
    ),
  },
  { type: "real", values: [...FLOATS, ...quoted("3.4028235e38", "1e-45", "1.1754944e-38", "16777216", "8388608.5")] },
  {
    type: "double precision",
    values: [
      ...FLOATS,
      ...quoted(
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072014e-308",
        "9007199254740993",
        "0.1234567890123456",
      ),
      ...[
        "1::float8/3",
        "-2::float8/3",
        "1e22::float8",
        "123456789012345.6::float8",
        "1234567890123456::float8",
        "pi()",
      ],
    ],
  },
  { type: "numeric(12,2)", values: [...NUMBERS, ...quoted("9999999999.99", "-9999999999.99", "0.01", "10000.5")] },
  { type: "numeric(15,0)", values: [...NUMBERS, ...quoted("999999999999999", "-999999999999999", "100000000000000")] },
  { type: "numeric(16,4)", values: [...NUMBERS, ...quoted("999999999999.9999", "-999999999999.9999", "100000000000")] },
  {
    type: "numeric(19,7)",
    values: [...NUMBERS, ...quoted("999999999999.9999999", "123456789012.0000001", "0.0000001")],
  },
  {
    type: "numeric(38,0)",
    values: [...NUMBERS, `'${"9".repeat(38)}'`, `'-${"9".repeat(38)}'`, `'1${"0".repeat(37)}'`],
  },
  {
    type: "numeric(38,10)",
    values: [...NUMBERS, `'${"9".repeat(28)}.${"9".repeat(10)}'`, "'0.0000000001'", "2^64::numeric"],
  },
  { type: "numeric(38,38)", values: [`'0.${"9".repeat(38)}'`, `'-0.${"0".repeat(37)}1'`, "'0'", "'0.5'", "'NaN'"] },
  { type: "numeric(4,4)", values: quoted("0.9999", "-0.0001", "0", "0.5", "NaN") },
  { type: "numeric(9,9)", values: quoted("0.999999999", "-0.000000001", "0.00001", "0.123") },
  { type: "numeric(39,2)", values: [...NUMBERS, `'${"9".repeat(37)}.99'`] },
  { type: "numeric", values: [...NUMBERS, "'1e-30'", "'1.10'", "'1.1000'", `'${"7".repeat(200)}.5'`, "'Infinity'"] },
  { type: "numeric(5,-2)", values: quoted("12345", "-100", "0", "NaN"), since: 15 },
  { type: "numeric(3,5)", values: quoted("0.00123", "-0.00999", "0"), since: 15 },
  { type: "text", values: [...quoted("", "a", "é漢🙂\t\n\\", "NULL", "'"), "repeat('long é ', 3000)"] },
  { type: "varchar(10)", values: quoted("", "abc   ", "ééééé") },
  { type: "char(5)", values: quoted("", "ab", "é  d ") },
  { type: "name", values: quoted("", "a_name") },
  { type: '"char"', values: quoted("a", "") },
  { type: "citext", values: quoted("", "MiXed", "é") },
  { type: "bytea", values: quoted("", "\\x00ff", "\\x5c7800", `\\x${"0123456789abcdef".repeat(200)}`) },
  { type: "uuid", values: quoted("00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380aff") },
  { type: "date", values: [...DATES, ...quoted("5874897-12-31", "infinity", "-infinity")] },
  { type: "time", values: quoted("00:00", "24:00:00", "23:59:59.999999", "12:00:00.5", "01:02:03") },
  { type: "time(0)", values: quoted("23:59:59", "24:00:00") },
  { type: "timestamp", values: TIMESTAMPS },
  { type: "timestamp(3)", values: quoted("2024-01-01 00:00:00.125", "0044-03-15 12:00:00.5 BC") },
  { type: "timestamptz", values: [...TIMESTAMPS, ...quoted("2024-01-01 00:00:00+05:30", "1900-01-01 00:00:00+01")] },
  { type: "json", values: quoted('{"b": 1,  "a": [2, null]}', '"é"', "1.10", "null") },
  { type: "jsonb", values: quoted('{"b": 1.10, "a": [2, null], "é": "\\u0001"}', '"x"', "1e400", "null") },

  { type: "timetz", values: quoted("12:00:00+05:30", "24:00:00-08", "01:02:03.5+01:02:03") },
  {
    type: "interval",
    values: quoted("0", "1 year 2 mons -3 days 04:05:06.7", "-178000000 years", "-1 day 00:00:00.000001"),
  },
  { type: "inet", values: quoted("10.0.0.1", "10.0.0.1/8", "::1", "fe80::/10") },
  { type: "cidr", values: quoted("10.0.0.0/8", "10.0.0.1/32", "::1/128") },
  { type: "macaddr", values: quoted("08:00:2b:01:02:03") },
  { type: "macaddr8", values: quoted("08:00:2b:01:02:03:04:05") },
  { type: "money", values: quoted("12.34", "-1234567.89") },
  { type: "bit(3)", values: ["B'101'"] },
  { type: "bit varying", values: ["B''", "B'1'", "B'10101010101'"] },
  { type: "tsvector", values: quoted("'a':1A 'b b':2,3") },
  { type: "tsquery", values: quoted("'a' & !'b'") },
  { type: "point", values: quoted("(1.5,-0)") },
  { type: "lseg", values: quoted("[(0,0),(1,1)]") },
  { type: "box", values: quoted("(1,1),(0,0)") },
  { type: "path", values: quoted("[(0,0),(1,1)]", "((0,0),(1,1))") },
  { type: "polygon", values: quoted("((0,0),(1,1),(2,0))") },
  { type: "line", values: quoted("{1,2,3}") },
  { type: "circle", values: quoted("<(1,2),3>") },
  { type: "int4range", values: quoted("empty", "[1,5)", "(,)") },
  { type: "tsrange", values: quoted('["2024-01-01 00:00:00",infinity)') },
  { type: "int8multirange", values: quoted("{}", "{[1,2),[5,9)}") },
  { type: "int[]", values: quoted("{}", "{1,NULL,3}", "[2:3]={1,2}", "{{1,2},{3,4}}") },
  { type: "text[]", values: quoted('{"","NULL",NULL,"a b","c\\"d","é,"}') },
  { type: "numeric[]", values: quoted("{1.10,NaN}") },
  { type: "float4[]", values: quoted("{0.1,1e10}") },
  { type: "timestamptz[]", values: quoted("{2024-01-01 00:00:00+02,-infinity}") },
  { type: "bytea[]", values: quoted('{"\\\\x00ff"}') },
  { type: "box[]", values: quoted("{(1,1),(0,0);(3,3),(2,2)}") },
  { type: "mood", values: quoted("sad", 'Happy "quoted"') },
  { type: "mood[]", values: quoted('{sad,"Happy \\"quoted\\""}') },
  { type: "pair", values: ["ROW(1, 'a b')", "ROW(NULL, NULL)", "ROW(2, '')"] },
  { type: "shouted", values: ["ROW(1)"] },
  { type: "net_price", values: quoted("1.50", "-2", "0") },
  { type: "address", values: quoted("10.0.0.1", "10.0.0.0/8") },
  { type: "feeling", values: quoted("ok") },
  { type: "short", values: quoted("abc", "") },
  { type: "days", values: quoted("{2024-01-01,infinity}") },
  { type: "hstore", values: ['\'"a"=>"1", "b"=>NULL\''] },
  { type: "oid", values: quoted("0", "4294967295") },
  { type: "xid8", values: quoted("18446744073709551615") },
  { type: "pg_lsn", values: quoted("16/B374D848") },
  { type: "regclass", values: quoted("pg_class", "public.mood_table") },
  { type: "regtype", values: quoted("integer", "public.mood") },
  { type: "jsonpath", values: quoted("$.a[*] ? (@ > 1)") },
  { type: "pg_snapshot", values: quoted("10:20:10,14,15") },
  { type: "int2vector", values: quoted("1 2 3") },
];
