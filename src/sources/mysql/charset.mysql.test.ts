import { describe, expect, it } from "vitest";
import { createMysqlDatabase } from "../../../test/support/mysql.ts";
import { charsetOfCollation, decodeText, readableCharset } from "./charset.ts";

const SINGLE = [
  ...[
    "latin1",
    "latin2",
    "latin5",
    "latin7",
    "cp1250",
    "cp1251",
    "cp1256",
    "cp1257",
    "cp850",
    "cp852",
    "cp866",
    "greek",
  ],
  ...["hebrew", "koi8r", "koi8u", "macce", "macroman", "armscii8", "tis620"],
];

describe.each(["mysql", "mariadb"] as const)("character sets (%s)", (flavour) => {
  it.each(SINGLE)("%s reads every byte as the server does", async (charset) => {
    await using db = await createMysqlDatabase(flavour);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const rows = await db.query<{ text: string }>(
      `SELECT CONVERT(CONVERT(x'${bytes.toString("hex")}' USING ${charset}) USING utf8mb4) AS text`,
    );
    expect(decodeText(charset, bytes, 0, bytes.length)).toBe(rows[0]!.text);
  });

  it("are those that collations belong to", async () => {
    await using db = await createMysqlDatabase(flavour);
    const table = flavour === "mysql" ? "COLLATIONS" : "COLLATION_CHARACTER_SET_APPLICABILITY";
    const rows = await db.query<{ id: number; charset: string }>(
      `SELECT ID AS id, CHARACTER_SET_NAME AS charset FROM information_schema.${table} WHERE ID IS NOT NULL`,
    );
    expect(rows.length).toBeGreaterThan(200);
    expect(rows.filter(({ id, charset }) => charsetOfCollation(id) !== charset)).toEqual([]);
  });

  it("are readable, or known not to be", async () => {
    await using db = await createMysqlDatabase(flavour);
    const rows = await db.query<{ name: string }>(
      "SELECT CHARACTER_SET_NAME AS name FROM information_schema.CHARACTER_SETS ORDER BY 1",
    );
    const unreadable = ["big5", "cp932", "dec8", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "geostd8", "hp8"];
    const known = [...unreadable, "keybcs2", "sjis", "swe7", "ujis"];
    const found = rows.map(({ name }) => name).filter((name) => !readableCharset(name));
    expect(found).toEqual(flavour === "mysql" ? known : known.filter((name) => name !== "gb18030"));
  });
});
