import { describe, expect, it } from "vitest";
import {
  binlogDecoder,
  BinlogTail,
  decodeBinlog,
  decodedStatements,
  decodedStatementsIn,
  itemTexts,
  LoneMysqlDatabase,
  mysqlSchema,
} from "../../../../test/support/mysql-binlog.ts";
import { createMysqlDatabase } from "../../../../test/support/mysql.ts";
import type { BinlogDecoderOptions } from "./decoder.ts";
import { GtidSet } from "../position/gtid-set.ts";
import { GtidPosition } from "../position/mariadb-gtid.ts";
import { MariadbPosition, MysqlPosition } from "../position.ts";

const FLAVOURS = ["mysql", "mariadb"] as const;
const KEYED = "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b longtext, c int NOT NULL DEFAULT 7)";

describe.each(FLAVOURS)("statements in the log (%s)", (flavour) => {
  const insert = "INSERT INTO t (id) VALUES (9)";
  const row = "insert 9,null,null,7";

  it("empty a table", async () => {
    const statements = [KEYED, insert, "TRUNCATE /* odd */ TABLE `t` -- comment", insert, "/*!50000 truncate*/ t"];
    expect(await decodedStatements(flavour, statements)).toEqual([row, "truncate", row, "truncate"]);
  });

  it.each([
    ["a drop", "DROP TABLE IF EXISTS `nothing`, `t`", "SCHEMA_CHANGED"],
    ["a rename", "RENAME TABLE t TO u", "SCHEMA_CHANGED"],
    ["a rename by ALTER", "ALTER TABLE t ADD COLUMN n int, RENAME TO u", "SCHEMA_CHANGED"],
    ["a dropped database", "DROP DATABASE `{db}`", "SCHEMA_CHANGED"],
  ])("stop a table at %s", async (_, statement, code) => {
    await using db = await createMysqlDatabase(flavour);
    const statements = [
      KEYED,
      insert,
      statement.replace("{db}", db.database),
      `CREATE DATABASE IF NOT EXISTS ${db.database}`,
    ];
    expect(await decodedStatementsIn(db, flavour, statements)).toEqual([row, `stop ${code}`]);
  });

  it("stop a table whose partitions go or come with their rows", async () => {
    const create =
      "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))";
    const fill = "INSERT INTO t VALUES (1), (11)";
    for (const statement of ["ALTER TABLE t DROP PARTITION p0", "ALTER TABLE t TRUNCATE PARTITION p1"])
      expect(await decodedStatements(flavour, [create, fill, statement])).toEqual([
        "insert 1",
        "insert 11",
        "stop SCHEMA_CHANGED",
      ]);
    const exchanged = [
      create,
      "CREATE TABLE u (id int PRIMARY KEY)",
      fill,
      "ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE u",
    ];
    expect(await decodedStatements(flavour, exchanged)).toEqual(["insert 1", "insert 11", "stop SCHEMA_CHANGED"]);
    const harmless = [
      create,
      fill,
      "ALTER TABLE t ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))",
      "INSERT INTO t VALUES (21)",
    ];
    expect(await decodedStatements(flavour, harmless)).toEqual(["insert 1", "insert 11", "insert 21"]);
  });

  it("ask for the next schema once the shape of the table differs", async () => {
    await using db = await createMysqlDatabase(flavour);
    const asked: string[] = [];
    const lookup: BinlogDecoderOptions["lookup"] = async (map, known) => {
      asked.push(map.columns.map(({ name }) => name).join());
      if (map.columns.length === known.columns.length) return { kind: "same" };
      return { kind: "schema", schema: { ...(await mysqlSchema(db, "t")), version: known.version + 1 } };
    };
    const statements = [
      "CREATE TABLE t (id int PRIMARY KEY)",
      "INSERT INTO t VALUES (1)",
      "INSERT INTO t VALUES (2)",
      "FLUSH TABLES",
      "INSERT INTO t VALUES (3)",
      "ALTER TABLE t ADD COLUMN n varchar(10)",
      "INSERT INTO t VALUES (4, 'x')",
      "FLUSH BINARY LOGS",
      "INSERT INTO t VALUES (5, 'y')",
    ];
    expect(await decodedStatementsIn(db, flavour, statements, { lookup })).toEqual([
      ...["insert 1", "insert 2", "insert 3", "schema 2", "insert 4,x", "insert 5,y"],
    ]);
    expect(asked).toEqual(["id", "id,n"]);
  });

  it.each([
    ["another type", "ALTER TABLE t MODIFY c bigint NOT NULL"],
    ["another sign", "ALTER TABLE t MODIFY c int unsigned NOT NULL"],
    ["another character set", "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET latin1"],
    ["another key", "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, c)"],
    ["a column less", "ALTER TABLE t DROP COLUMN a"],
  ])("stop a table that has %s, though nobody else has noticed", async (_, statement) => {
    expect(await decodedStatements(flavour, [KEYED, insert, statement, "DELETE FROM t"])).toEqual([
      row,
      "stop SCHEMA_CHANGED",
    ]);
  });

  it("that change rows end the pipeline", async () => {
    await using db = await LoneMysqlDatabase.start(flavour);
    const change = [KEYED, "SET SESSION binlog_format = 'STATEMENT'", insert];
    await expect(decodedStatementsIn(db, flavour, change)).rejects.toMatchObject({
      code: "LOG_NOT_UNDERSTOOD",
      message: expect.stringContaining("a change as a statement") as string,
    });
  });

  it("of an XA transaction or a change are passed over where the position has them", async () => {
    await using db = await LoneMysqlDatabase.start(flavour);
    await db.query(KEYED);
    const schema = await mysqlSchema(db, "t");
    const tail = await BinlogTail.open(db, flavour);
    const xa = ["XA START 'a'", insert, "XA END 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'", "DELETE FROM t"];
    const rolledBack = ["XA START 'b'", insert, "XA END 'b'", "XA PREPARE 'b'", "XA ROLLBACK 'b'"];
    const format = "SET SESSION binlog_format =";
    const change = [`${format} 'STATEMENT'`, "INSERT INTO t (id) VALUES (10)", `${format} 'ROW'`];
    for (const statement of [...xa, ...rolledBack, ...change]) await db.query(statement);
    const executed = flavour === "mysql" ? "@@global.gtid_executed" : "@@global.gtid_binlog_pos";
    const [row] = await db.query<{ gtids: string }>(`SELECT ${executed} AS gtids`);
    const from =
      flavour === "mysql"
        ? new MysqlPosition(GtidSet.parse(row!.gtids))
        : new MariadbPosition(GtidPosition.parse(row!.gtids));
    await db.query(insert);
    const items = await decodeBinlog(binlogDecoder(flavour, [schema], { from }), await tail.events());
    expect(itemTexts(items)).toEqual(["insert 9,null,null,7"]);
  });
});
