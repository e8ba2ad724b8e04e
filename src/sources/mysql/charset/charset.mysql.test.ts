import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BinlogTail, binlogDecoder, decodeBinlog, itemTexts } from "../../../../test/support/mysql-binlog.ts";
import {
  ALL,
  askedOf,
  columnTexts,
  openReader,
  openSessions,
  readChunk,
  RULES,
  schemaOf,
  series,
} from "../../../../test/support/mysql-source.ts";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../../test/support/mysql.ts";
import { charsetOfCollation, isLossyCharset, readableCharset } from "./charset.ts";
import type { CodeTable } from "./code-table.ts";
import type { LazySession } from "../connection.ts";
import { NOT_ALONE } from "./text-codes.ts";

/** Codes that a character set may have, as expressions over an `n` from 1. */
interface Codes {
  readonly count: number;
  readonly code: string;
}

const ONE: Codes = { count: 256, code: "CHAR(n - 1)" };
const TWO: Codes = { count: 65_536, code: "CHAR((n - 1) DIV 256, (n - 1) % 256)" };
/** Behind `8F`. */
const THREE: Codes = { count: 65_536, code: "CHAR(143, (n - 1) DIV 256, (n - 1) % 256)" };
/** GB 18030's: all of the BMP, and one in a thousand beyond. */
const FOUR: readonly Codes[] = [
  {
    count: 50_400,
    code: "CHAR(129 + (n - 1) DIV 12600, 48 + (n - 1) DIV 1260 % 10, 129 + (n - 1) DIV 10 % 126, 48 + (n - 1) % 10)",
  },
  {
    count: 1_587,
    code: "CHAR(129 + n * 997 DIV 12600, 48 + n * 997 DIV 1260 % 10, 129 + n * 997 DIV 10 % 126, 48 + n * 997 % 10)",
  },
];
/** All of the BMP but surrogates, and one in a hundred of what is beyond. */
const POINTS: readonly string[] = ["IF(n BETWEEN 55297 AND 57344, NULL, n - 1)", "65536 + (n - 1) * 97"];
const unicode = (charset: string): readonly Codes[] =>
  POINTS.map((point, i) => ({
    count: i === 0 ? 65_536 : 10_800,
    code: `CAST(CONVERT(CONVERT(UNHEX(LPAD(HEX(${point}), 8, '0')) USING utf32) USING ${charset}) AS BINARY)`,
  }));

const SINGLE = [
  ...["armscii8", "ascii", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8", "geostd8"],
  ...["greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7", "macce"],
  ...["macroman", "swe7", "tis620"],
];
/** Each with all codes that it may have. */
const CHARSETS: Readonly<Record<string, readonly Codes[]>> = {
  ...Object.fromEntries(SINGLE.map((name) => [name, [ONE]])),
  ...Object.fromEntries(["big5", "cp932", "euckr", "gb2312", "gbk", "sjis"].map((name) => [name, [ONE, TWO]])),
  ...Object.fromEntries(["eucjpms", "ujis"].map((name) => [name, [ONE, TWO, THREE]])),
  gb18030: [ONE, TWO, ...FOUR],
  ...Object.fromEntries(
    ["ucs2", "utf16", "utf16le", "utf32", "utf8mb3", "utf8mb4"].map((name) => [name, unicode(name)]),
  ),
};
const OF_MYSQL_ALONE = ["gb18030"];

describe.each(["mysql", "mariadb"] as const)("character sets of %s", (flavour) => {
  let db: TestMysqlDatabase;
  let sessions: LazySession;
  const charsets = Object.keys(CHARSETS).filter((name) => flavour === "mysql" || !OF_MYSQL_ALONE.includes(name));

  beforeAll(async () => {
    db = await createMysqlDatabase(flavour);
    sessions = openSessions(db);
    await db.query("SET sql_mode = '', group_concat_max_len = 1000000");
  });

  afterAll(async () => {
    await sessions[Symbol.asyncDispose]();
    await db[Symbol.asyncDispose]();
  });

  it("are all here, and readable", async () => {
    const rows = await db.query<{ name: string }>(
      "SELECT CHARACTER_SET_NAME AS name FROM information_schema.CHARACTER_SETS",
    );
    const found = rows.map(({ name }) => name);
    expect(found.filter((name) => !readableCharset(name))).toEqual([]);
    expect(found.filter((name) => name !== "binary").toSorted()).toEqual(charsets.toSorted());
  });

  it("are those that collations belong to", async () => {
    const table = flavour === "mysql" ? "COLLATIONS" : "COLLATION_CHARACTER_SET_APPLICABILITY";
    const rows = await db.query<{ id: number; charset: string }>(
      `SELECT ID AS id, CHARACTER_SET_NAME AS charset FROM information_schema.${table} WHERE ID IS NOT NULL`,
    );
    expect(rows.length).toBeGreaterThan(200);
    expect(rows.filter(({ id, charset }) => charsetOfCollation(id) !== charset)).toEqual([]);
  });

  /** How many characters a set of more than a byte has at least. */
  const leastCodes = (charset: string): number => {
    if (SINGLE.includes(charset)) return 100;
    return charset === "gb18030" ? 75_000 : CHARSETS[charset]![0]!.count > 256 ? 60_000 : 6_000;
  };

  /** Everything that a column of this character set can hold, one code a row of a table `codes`. */
  const fillCodes = async (charset: string): Promise<void> => {
    await db.query("DROP TEMPORARY TABLE IF EXISTS codes");
    await db.query(`CREATE TEMPORARY TABLE codes (id int AUTO_INCREMENT PRIMARY KEY, code varbinary(4) NOT NULL,
      v varchar(4) CHARACTER SET ${charset})`);
    for (const { count, code } of CHARSETS[charset]!)
      await db.query(`INSERT INTO codes (code, v)
        SELECT code, CONVERT(code USING ${charset}) FROM (SELECT ${code} AS code FROM (SELECT g AS n FROM ${series(count)}) AS numbers) AS c
        WHERE code IS NOT NULL`);
    await db.query("DELETE FROM codes WHERE v IS NULL OR CAST(v AS BINARY) <> code OR CHAR_LENGTH(v) <> 1");
  };

  it.each(charsets)("come by both ways as the server prints them: %s", async (charset) => {
    await fillCodes(charset);
    const [member] = await db.query<{ text: string }>(
      "SELECT CONVERT(MAX(v) USING utf8mb4) AS text FROM codes WHERE CONVERT(v USING utf8mb4) NOT IN ('?', '''', '', '\\\\')",
    );
    const members = `('${member!.text}')`;
    await db.query("DROP TABLE IF EXISTS t");
    await db.query(`CREATE TABLE t (id int PRIMARY KEY, v varchar(300), l longtext, e enum${members}, s set${members})
      DEFAULT CHARACTER SET ${charset}`);
    const schema = await schemaOf(sessions, db, "t");
    const tail = await BinlogTail.open(db, flavour);
    await db.query(`INSERT INTO t SELECT id DIV 256, GROUP_CONCAT(v ORDER BY id SEPARATOR ''),
      GROUP_CONCAT(v ORDER BY id DESC SEPARATOR ''), 1, 1 FROM codes GROUP BY 1`);
    const printed = await db.query<Record<"v" | "l" | "e" | "s", string>>(
      `SELECT ${["v", "l", "e", "s"].map((name) => `CONVERT(${name} USING utf8mb4) AS ${name}`).join(", ")} FROM t ORDER BY id`,
    );
    const expected = [
      printed.map(({ v }) => v),
      printed.map(({ l }) => l),
      printed.map(({ e }) => e),
      printed.map(({ s }) => s),
    ];
    expect(expected[2]).toEqual(printed.map(() => member!.text));
    expect(Array.from(expected[0]!.join("")).length).toBeGreaterThan(leastCodes(charset));
    await using reader = openReader(db);
    const { batches } = await readChunk(reader, schema, ALL);
    const snapshot = [1, 2, 3, 4].map((place) => batches.flatMap((batch) => columnTexts(batch.columns[place]!)));
    expect(snapshot).toEqual(expected);
    const asked = askedOf(sessions);
    const items = await decodeBinlog(binlogDecoder(flavour, [schema], { charsets: asked }), await tail.events());
    const rows = items.flatMap((item) => (item.kind === "rows" ? [item.batch] : []));
    const logged = [1, 2, 3, 4].map((place) => rows.flatMap((batch) => columnTexts(batch.columns[place]!)));
    expect(logged).toEqual(expected);
  });

  it.each(charsets.filter((name) => !name.startsWith("u") || name === "ujis"))(
    "tell keys apart that the server tells apart in UTF-8: %s",
    async (charset) => {
      await fillCodes(charset);
      const codes = await db.query<{ code: string; same: number }>(
        `SELECT HEX(code) AS code, CAST(CONVERT(CONVERT(v USING utf8mb4) USING ${charset}) AS BINARY) = code AS same
         FROM codes WHERE CHAR_LENGTH(CONVERT(v USING utf8mb4)) = 1`,
      );
      const asked = askedOf(sessions);
      await asked.prepare([charset]);
      const form = asked.form(charset) as CodeTable;
      const target = new Uint8Array(16);
      const others = codes.filter(({ code, same }) => {
        const bytes = Buffer.from(code, "hex");
        const isWritten = form.forKeys().write(target, 0, bytes, 0, bytes.length);
        return same === 1 ? isWritten < 0 : isWritten !== NOT_ALONE;
      });
      expect(others).toEqual([]);
      const lossy = codes.filter(({ same }) => same !== 1).length;
      expect(isLossyCharset(charset) || lossy === 0).toBe(true);
    },
  );

  it("stop a table whose key would be the same as another one's, in a snapshot and in the log", async () => {
    await db.query("DROP TABLE IF EXISTS t");
    await db.query("CREATE TABLE t (k varchar(9) CHARACTER SET cp932 PRIMARY KEY, v varchar(9) CHARACTER SET cp932)");
    const schema = await schemaOf(sessions, db, "t");
    const tail = await BinlogTail.open(db, flavour);
    // Of one character there are two codes, of which only the first is the one that it becomes again.
    await db.query("INSERT INTO t VALUES (x'81CA', x'81CA')");
    await db.query("UPDATE t SET v = x'FA54'");
    await using reader = openReader(db);
    const { rows } = await readChunk(reader, schema, { lower: null, upper: ["￢"] });
    expect(rows).toEqual([["￢", "￢"]]);
    await db.query("INSERT INTO t VALUES (x'FA5441', '')");
    const rules = { ...RULES, unrepresentable: "null" } as const;
    await using lenient = openReader(db, {}, rules);
    for (const one of [reader, lenient])
      await expect(readChunk(one, schema, ALL)).rejects.toMatchObject({ code: "VALUE_UNREPRESENTABLE" });
    const asked = askedOf(sessions);
    const decoder = binlogDecoder(flavour, [schema], { charsets: asked, rules });
    const items = itemTexts(await decodeBinlog(decoder, await tail.events()));
    expect(items).toEqual(["insert ￢,￢", "update ￢,￢", "stop VALUE_UNREPRESENTABLE"]);
  });

  // MySQL lets none into a column of these but UCS-2, and prints nothing from there on; MariaDB prints what is no UTF-8.
  it("stop a table of the log where they have a surrogate", async () => {
    await db.query("DROP TABLE IF EXISTS t");
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v varchar(9) CHARACTER SET ucs2)");
    const schema = await schemaOf(sessions, db, "t");
    const tail = await BinlogTail.open(db, flavour);
    await db.query("INSERT INTO t VALUES (1, x'0041D8000042')");
    const items = await decodeBinlog(binlogDecoder(flavour, [schema]), await tail.events());
    expect(items.flatMap((item) => (item.kind === "stop" ? item.error.code : []))).toEqual(["DECODE_FAILED"]);
  });
});
