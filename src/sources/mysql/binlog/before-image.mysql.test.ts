import { describe, expect, it } from "vitest";
import { beforeTexts, checkedAgainstEarlier } from "../../../../test/support/before-images.ts";
import { decodedImages, itemTexts, STRICT_MYSQL_RULES } from "../../../../test/support/mysql-binlog.ts";
import type { LogItem } from "../../../core/line.ts";
import type { Flavour } from "../position.ts";

const FLAVOURS = ["mysql", "mariadb"] as const;
const ASKED = { rules: { ...STRICT_MYSQL_RULES, beforeImages: true } };
const KEYED = "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b longtext, c int NOT NULL DEFAULT 7)";
const CHANGES = [
  "INSERT INTO t (id, a, b) VALUES (1, 'one', 'x')",
  "UPDATE t SET a = 'two' WHERE id = 1",
  "UPDATE t SET b = NULL WHERE id = 1",
  "UPDATE t SET id = 2 WHERE id = 1",
  "INSERT INTO t VALUES (3, NULL, 'y', 0)",
  "DELETE FROM t WHERE id = 2",
];

async function asked(flavour: Flavour, image: string, statements: readonly string[]): Promise<LogItem[]> {
  return await decodedImages(flavour, image, statements, ASKED);
}

describe.each(FLAVOURS)("rows as they were (%s)", (flavour) => {
  it("are whole in full images, and come with the delete of a row that was moved", async () => {
    expect(beforeTexts(await asked(flavour, "FULL", [KEYED, ...CHANGES]))).toEqual([
      "insert -",
      "update 1,one,x,7",
      "update 1,two,x,7",
      "delete 1,two,null,7",
      "insert -",
      "insert -",
      "delete 2,two,null,7",
    ]);
  });

  it("are what the image has in one without blobs", async () => {
    expect(beforeTexts(await asked(flavour, "NOBLOB", [KEYED, ...CHANGES]))).toEqual([
      "insert -",
      "update 1,one,absent,7",
      "update 1,two,absent,7",
      "delete 1,two,absent,7",
      "moved -",
      "insert -",
      "delete 2,two,absent,7",
    ]);
  });

  it("are the key in minimal images", async () => {
    const lone = "absent,absent,absent";
    expect(beforeTexts(await asked(flavour, "MINIMAL", [KEYED, ...CHANGES]))).toEqual([
      "moved -",
      `update 1,${lone}`,
      `update 1,${lone}`,
      `delete 1,${lone}`,
      "moved -",
      "insert -",
      `delete 2,${lone}`,
    ]);
  });

  it("are the rows that go, in a table without a key", async () => {
    const statements = [
      "CREATE TABLE t (a int, b varchar(10))",
      "INSERT INTO t VALUES (1, 'x'), (2, NULL)",
      "UPDATE t SET a = 3 WHERE a = 1",
      "DELETE FROM t",
    ];
    const items = await asked(flavour, "FULL", statements);
    expect(beforeTexts(items)).toEqual([
      ...["insert -", "insert -", "delete 1,x", "insert -", "delete 3,x", "delete 2,null"],
    ]);
    expect(itemTexts(items)).toEqual([
      ...["insert 1,x", "insert 2,null", "delete 1,x", "insert 3,x", "delete 3,x", "delete 2,null"],
    ]);
  });

  it("are not there where nobody asks, nor where nothing was before", async () => {
    const unasked = await decodedImages(flavour, "FULL", [KEYED, ...CHANGES]);
    expect(unasked.every((item) => item.kind !== "rows" || item.batch.before === null)).toBe(true);
    expect(beforeTexts(await asked(flavour, "FULL", [KEYED, CHANGES[0]!, "INSERT INTO t (id) VALUES (4)"]))).toEqual([
      ...["insert", "insert"],
    ]);
  });

  it("come in events of many rows and columns as earlier ones have left them", async () => {
    const columns = Array.from({ length: 40 }, (_, i) => `c${i} ${["int", "varchar(90)", "decimal(12,3)"][i % 3]!}`);
    const value = (row: number, i: number): string => ((i * 7 + row) % 3 === 0 ? "NULL" : `${row * i}`);
    const rows = Array.from({ length: 700 }, (_, row) => `(${row}, ${columns.map((_, i) => value(row, i)).join()})`);
    const items = await asked(flavour, "FULL", [
      `CREATE TABLE t (id int PRIMARY KEY, ${columns.join()})`,
      `INSERT INTO t VALUES ${rows.join()}`,
      "UPDATE t SET c1 = CONCAT(c1, ' more'), c2 = NULL",
      "UPDATE t SET id = id + 10000 WHERE id % 7 = 0",
      "DELETE FROM t WHERE id % 2 = 0",
      "UPDATE t SET c3 = 5, c4 = c0",
    ]);
    const { checked, wrong } = checkedAgainstEarlier(items);
    expect(wrong).toEqual([]);
    // 700 updates, 100 moves, 350 deletes and 350 updates of 41 columns.
    expect(checked).toBe(1500 * 41);
  });
});

it("a JSON value that comes as a difference is whole in the row before", async () => {
  const items = await asked("mysql", "FULL", [
    "CREATE TABLE t (id int PRIMARY KEY, j json)",
    "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
    `INSERT INTO t VALUES (1, '{"a": 1, "b": [1, 2]}')`,
    "UPDATE t SET j = JSON_SET(j, '$.a', 2)",
    "UPDATE t SET j = JSON_SET(j, '$.b[0]', 3)",
  ]);
  expect(beforeTexts(items)).toEqual(["insert -", 'update 1,{"a": 1, "b": [1, 2]}', 'update 1,{"a": 2, "b": [1, 2]}']);
});

describe("generated columns", () => {
  const statements = [
    "CREATE TABLE t (id int PRIMARY KEY, a int, v int AS (a + 1) VIRTUAL, s int AS (a + 2) STORED)",
    "INSERT INTO t (id, a) VALUES (1, 1)",
    "UPDATE t SET a = 5",
    "DELETE FROM t",
  ];

  it.each([
    ["mysql", ["insert -", "update 1,1,2,3", "delete 1,5,6,7"]],
    ["mariadb", ["insert -", "delete 1,1,absent,absent", "moved -", "delete 1,5,absent,absent"]],
  ] as const)("are in the rows as they were on MySQL, and not known on MariaDB (%s)", async (flavour, before) => {
    expect(beforeTexts(await asked(flavour, "FULL", statements))).toEqual(before);
  });
});
