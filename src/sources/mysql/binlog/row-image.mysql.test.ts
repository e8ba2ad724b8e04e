import { describe, expect, it } from "vitest";
import { decodedImages, decodedStatements, itemTexts } from "../../../../test/support/mysql-binlog.ts";

const FLAVOURS = ["mysql", "mariadb"] as const;
const KEYED = "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b longtext, c int NOT NULL DEFAULT 7)";
const CHANGES = [
  "INSERT INTO t (id, a, b) VALUES (1, 'one', 'x')",
  "UPDATE t SET a = 'two' WHERE id = 1",
  "UPDATE t SET b = NULL WHERE id = 1",
  "UPDATE t SET id = 2 WHERE id = 1",
  "DELETE FROM t WHERE id = 2",
];

describe.each(FLAVOURS)("images of rows (%s)", (flavour) => {
  it("lack what a minimal one leaves out", async () => {
    expect(itemTexts(await decodedImages(flavour, "MINIMAL", [KEYED, ...CHANGES]))).toEqual([
      "moved 1,one,x,absent",
      "update 1,two,absent,absent",
      "update 1,absent,null,absent",
      "delete 1,absent,absent,absent",
      "moved 2,absent,absent,absent",
      "delete 2,absent,absent,absent",
    ]);
  });

  it("lack texts that did not change in one without blobs", async () => {
    expect(itemTexts(await decodedImages(flavour, "NOBLOB", [KEYED, ...CHANGES]))).toEqual([
      "insert 1,one,x,7",
      "update 1,two,absent,7",
      "update 1,two,null,7",
      "delete 1,absent,absent,absent",
      "moved 2,two,absent,7",
      "delete 2,absent,absent,absent",
    ]);
  });

  it.each(["INSERT", "REPLACE"])("stop their table where a key has a default in a minimal %s", async (verb) => {
    const stopped = await decodedImages(flavour, "MINIMAL", [
      "CREATE TABLE t (tenant int NOT NULL DEFAULT 1, id int, v int, PRIMARY KEY (tenant, id))",
      "INSERT INTO t VALUES (1, 1, 1)",
      `${verb} INTO t (id, v) VALUES (2, 2)`,
      "INSERT INTO t VALUES (1, 3, 3)",
    ]);
    expect(itemTexts(stopped)).toEqual(["insert 1,1,1", "stop TABLE_NO_IDENTITY"]);
    const [error] = stopped.flatMap((item) => (item.kind === "stop" ? [item.error] : []));
    expect(error).toMatchObject({
      message: expect.stringMatching(
        / a row inserted at \S+ does not have its key column tenant in the log$/,
      ) as string,
      hint: expect.stringMatching(/binlog_row_image = 'FULL'.* --resnapshot /) as string,
      place: { position: expect.stringMatching(/\d$/) as string },
    });
  });
});

describe("generated columns in updates", () => {
  const create =
    "CREATE TABLE t (id int PRIMARY KEY, a int, v int AS (a + 1) VIRTUAL, w text AS (a) VIRTUAL, s int AS (a + 2) STORED)";
  const statements = [create, "INSERT INTO t (id, a) VALUES (1, 1)", "UPDATE t SET a = 5"];

  it.each(["FULL", "NOBLOB", "MINIMAL"])("are in MySQL's log where they change (%s)", async (image) => {
    expect(itemTexts(await decodedImages("mysql", image, statements))).toEqual([
      "insert 1,1,2,1,3",
      "update 1,5,6,5,7",
    ]);
  });

  it.each([
    ["FULL", "insert 1,1,2,1,3"],
    ["FULL_NODUP", "insert 1,1,2,1,3"],
    ["NOBLOB", "moved 1,1,2,absent,3"],
    ["MINIMAL", "moved 1,1,absent,absent,3"],
  ])("are not in MariaDB's log, and their row is to be fetched (%s)", async (image, inserted) => {
    expect(itemTexts(await decodedImages("mariadb", image, statements))).toEqual([
      inserted,
      "delete 1,absent,absent,absent,absent",
      "moved 1,5,absent,absent,absent",
    ]);
  });
});

describe("MariaDB's images", () => {
  it("are filled from before where they lack what did not change", async () => {
    const statements = [
      KEYED,
      "INSERT INTO t (id, a, b) VALUES (1, 'one', 'x')",
      "UPDATE t SET a = 'two'",
      "UPDATE t SET id = 2",
    ];
    expect(itemTexts(await decodedImages("mariadb", "FULL_NODUP", statements))).toEqual([
      ...["insert 1,one,x,7", "update 1,two,x,7", "delete 1,absent,absent,absent", "insert 2,two,x,7"],
    ]);
  });

  it("may lack any column that changed, where nothing tells which are generated", async () => {
    const statements = [KEYED, "SET SESSION binlog_row_image = 'MINIMAL'", ...CHANGES.slice(0, 2)];
    expect(await decodedStatements("mariadb", statements)).toEqual([
      "moved 1,one,x,absent",
      "delete 1,absent,absent,absent",
      "moved 1,two,absent,absent",
    ]);
  });
});
