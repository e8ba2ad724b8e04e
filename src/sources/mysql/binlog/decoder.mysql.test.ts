import { describe, expect, it } from "vitest";
import {
  binlogDecoder,
  BinlogTail,
  decodeBinlog,
  decodedStatements,
  decodedStatementsIn,
  itemTexts,
  mysqlSchema,
  STRICT_MYSQL_RULES,
} from "../../../../test/support/mysql-binlog.ts";
import { createMysqlDatabase } from "../../../../test/support/mysql.ts";

const FLAVOURS = ["mysql", "mariadb"] as const;
const KEYED = "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b longtext, c int NOT NULL DEFAULT 7)";

describe.each(FLAVOURS)("the rows of the log (%s)", (flavour) => {
  it("are inserts, updates and deletes, and a changed key is two", async () => {
    const statements = [
      "INSERT INTO t VALUES (1, 'one', 'x', 0), (2, NULL, 'y', 0)",
      "UPDATE t SET a = 'two' WHERE id = 2",
      "UPDATE t SET id = 3 WHERE id = 1",
      "DELETE FROM t WHERE id = 2",
    ];
    expect(await decodedStatements(flavour, [KEYED, ...statements])).toEqual([
      "insert 1,one,x,0",
      "insert 2,null,y,0",
      "update 2,two,y,0",
      "delete 1,absent,absent,absent",
      "insert 3,one,x,0",
      "delete 2,absent,absent,absent",
    ]);
  });

  it("are whole in a table without a key", async () => {
    const create = "CREATE TABLE t (a int, b varchar(10))";
    const statements = ["INSERT INTO t VALUES (1, 'x')", "UPDATE t SET a = 2", "DELETE FROM t"];
    expect(await decodedStatements(flavour, [create, ...statements])).toEqual([
      "insert 1,x",
      "delete 1,x",
      "insert 2,x",
      "delete 2,x",
    ]);
  });

  it("come in events large and small, of many columns with their nulls", async () => {
    const columns = Array.from({ length: 70 }, (_, i) => `c${i} int`);
    const values = (row: number): string[] => columns.map((_, i) => ((i * 7 + row) % 3 === 0 ? "NULL" : `${i}`));
    const rows = Array.from({ length: 500 }, (_, row) => [`${row}`, ...values(row)]);
    const statements = [
      `CREATE TABLE t (id int PRIMARY KEY, ${columns.join()})`,
      `INSERT INTO t VALUES ${rows.map((row) => `(${row.join()})`).join()}`,
    ];
    expect(await decodedStatements(flavour, statements)).toEqual(
      rows.map((row) => `insert ${row.join().replaceAll("NULL", "null")}`),
    );
  });

  it("do not come from transactions and savepoints that were rolled back", async () => {
    const statements = [
      KEYED,
      "BEGIN",
      "INSERT INTO t (id) VALUES (1)",
      "ROLLBACK",
      "BEGIN",
      "INSERT INTO t (id) VALUES (2)",
      "SAVEPOINT s",
      "INSERT INTO t (id) VALUES (3)",
      "ROLLBACK TO s",
      "INSERT INTO t (id) VALUES (4)",
      "COMMIT",
    ];
    expect(await decodedStatements(flavour, statements)).toEqual(["insert 2,null,null,7", "insert 4,null,null,7"]);
  });

  it("come past other tables, views, routines, temporary tables and statements about people", async () => {
    const statements = [
      KEYED,
      "CREATE TABLE other (id int PRIMARY KEY, j json)",
      "INSERT INTO other VALUES (1, '{}')",
      "CREATE VIEW v AS SELECT * FROM t",
      "CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO other VALUES (NEW.id + 100, NULL)",
      "INSERT INTO t (id) VALUES (1)",
      "CREATE TEMPORARY TABLE tmp (id int)",
      "INSERT INTO tmp VALUES (1)",
      "DROP TEMPORARY TABLE tmp",
      "CREATE TABLE copied ENGINE=InnoDB AS SELECT * FROM t",
      "CREATE TABLE plain (id int) ENGINE=MyISAM",
      "INSERT INTO plain VALUES (1)",
      "CREATE PROCEDURE p() BEGIN DELETE FROM t; INSERT INTO t (id) VALUES (5); END",
      "CALL p()",
      "ANALYZE TABLE t",
      "CREATE USER IF NOT EXISTS 'decoder_test'@'localhost'",
      "DROP USER IF EXISTS 'decoder_test'@'localhost'",
      "CREATE INDEX i ON t (a)",
      "DROP TABLE other, plain",
      "DROP TRIGGER IF EXISTS tr",
      "ALTER TABLE t DROP INDEX i, COMMENT 'it is (not) dropped, renamed to x'",
      "INSERT INTO t (id) VALUES (6)",
    ];
    expect(
      await decodedStatements(
        flavour,
        statements.filter((sql) => !sql.startsWith("CREATE USER")),
      ),
    ).toEqual([
      "insert 1,null,null,7",
      "delete 1,absent,absent,absent",
      "insert 5,null,null,7",
      "insert 6,null,null,7",
    ]);
  });

  it("are passed over where the position has them", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const schema = await mysqlSchema(db, "t");
    const tail = await BinlogTail.open(db, flavour);
    const first = binlogDecoder(flavour, [schema]);
    await db.query("INSERT INTO t VALUES (1)");
    await db.query("TRUNCATE t");
    expect(itemTexts(await decodeBinlog(first, await tail.events()))).toEqual(["insert 1", "truncate"]);
    await db.query("INSERT INTO t VALUES (2)");
    const second = binlogDecoder(flavour, [schema], { from: first.position });
    const items = await decodeBinlog(second, await tail.events());
    expect(itemTexts(items)).toEqual(["insert 2"]);
    expect(items.at(-1)).toMatchObject({ kind: "progress", position: second.position });
    expect(second.position.covers(first.position)).toBe(true);
    expect(first.position.covers(second.position)).toBe(false);
  });

  it("say when they were committed, by the server's clock", async () => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY)");
    const schema = await mysqlSchema(db, "t");
    const tail = await BinlogTail.open(db, flavour);
    const beforeMs = Date.now();
    await db.query("INSERT INTO t VALUES (1)");
    const afterMs = Date.now();
    const items = await decodeBinlog(binlogDecoder(flavour, [schema]), await tail.events());
    const [rows] = items.flatMap((item) => (item.kind === "rows" ? [item.batch] : []));
    const { commitTimeMs } = rows!.runs[0]!.transaction;
    expect(commitTimeMs).toBeGreaterThanOrEqual(flavour === "mysql" ? beforeMs : Math.floor(beforeMs / 1000) * 1000);
    expect(commitTimeMs).toBeLessThanOrEqual(afterMs);
  });

  it("stop their table before the first of a statement's rows that cannot be, in whichever column", async () => {
    const statements = [
      "CREATE TABLE t (id int PRIMARY KEY, a tinyint(1), b tinyint(1))",
      "INSERT INTO t VALUES (1, 1, 0), (2, 0, 1), (3, 0, 2), (4, 2, 0), (5, 1, 1)",
    ];
    expect(await decodedStatements(flavour, statements)).toEqual([
      "insert 1,t,f",
      "insert 2,f,t",
      "stop VALUE_UNREPRESENTABLE",
    ]);
  });

  it("are one or two, though one statement has some of each kind", async () => {
    const statements = [
      "CREATE TABLE t (id int PRIMARY KEY, a varchar(10))",
      "INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, 'three'), (4, 'four')",
      "UPDATE t SET id = IF(id % 2 = 0, id + 10, id), a = CONCAT(a, '!') ORDER BY id DESC",
    ];
    expect((await decodedStatements(flavour, statements)).slice(4)).toEqual([
      "delete 4,absent",
      "insert 14,four!",
      "update 3,three!",
      "delete 2,absent",
      "insert 12,null",
      "update 1,one!",
    ]);
  });

  it("stop their table at a value that its type cannot hold, or become null", async () => {
    const statements = [
      "CREATE TABLE t (id int PRIMARY KEY, c date)",
      "SET sql_mode = ''",
      "INSERT INTO t VALUES (1, '2024-01-01')",
      "INSERT INTO t VALUES (2, '0000-00-00')",
      "INSERT INTO t VALUES (3, '2024-01-01')",
    ];
    expect(await decodedStatements(flavour, statements)).toEqual(["insert 1,2024-01-01", "stop VALUE_UNREPRESENTABLE"]);
    const rules = { ...STRICT_MYSQL_RULES, unrepresentable: "null" } as const;
    expect(await decodedStatements(flavour, statements, { rules })).toEqual([
      "insert 1,2024-01-01",
      "insert 2,null",
      "insert 3,2024-01-01",
    ]);
  });
});

describe("MySQL's log", () => {
  it("is followed where it is compressed, within bounds", async () => {
    await using db = await createMysqlDatabase("mysql");
    await db.query("CREATE TABLE t (id int PRIMARY KEY, a varchar(1000))");
    const schema = await mysqlSchema(db, "t");
    const tail = await BinlogTail.open(db, "mysql");
    await db.query("SET SESSION binlog_transaction_compression = ON, cte_max_recursion_depth = 100000");
    await db.query("INSERT INTO t VALUES (-1, NULL)");
    await db.query(
      "INSERT INTO t WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 20000) SELECT id, REPEAT(id, 50) FROM n",
    );
    const events = await tail.events();
    const decoder = binlogDecoder("mysql", [schema], { batchBytesMax: 1 << 18 });
    let mostHeld = 0;
    let rows = 0;
    const take = (): void => {
      mostHeld = Math.max(mostHeld, decoder.heldBytes);
      for (const item of decoder.take()) if (item.kind === "rows") rows += item.batch.length;
    };
    for (const event of events) {
      await decoder.decode(event, 0, event.length);
      take();
      while (decoder.hasMore) {
        await decoder.decodeMore();
        take();
      }
    }
    decoder.flush();
    take();
    expect(rows).toBe(20_001);
    expect(mostHeld).toBeLessThan(1 << 20);
    // Who does not ask for the rest gets it with the next event.
    const careless = binlogDecoder("mysql", [schema], { batchBytesMax: 1 << 18 });
    for (const event of events) await careless.decode(event, 0, event.length);
    expect(careless.position).toEqual(decoder.position);
  });

  it("is followed through tagged GTIDs", async () => {
    const create = "CREATE TABLE t (id int PRIMARY KEY)";
    await using db = await createMysqlDatabase("mysql");
    await db.query(create);
    const schema = await mysqlSchema(db, "t");
    const tail = await BinlogTail.open(db, "mysql");
    const decoder = binlogDecoder("mysql", [schema]);
    await db.query("SET GTID_NEXT = 'AUTOMATIC:some_tag'");
    await db.query("INSERT INTO t VALUES (1)");
    await db.query("SET GTID_NEXT = 'AUTOMATIC'");
    const items = await decodeBinlog(decoder, await tail.events());
    expect(itemTexts(items)).toEqual(["insert 1"]);
    const [server] = await db.query<{ id: string; executed: string }>(
      "SELECT @@server_uuid AS id, @@global.gtid_executed AS executed",
    );
    const position = decoder.position.toString();
    expect(position).toMatch(new RegExp(`(^|,)${server!.id}:some_tag:\\d`));
    expect(server!.executed).toContain("some_tag");
  });

  it("has parts of JSON values, which are put into the values before", async () => {
    const statements = [
      "CREATE TABLE t (id int PRIMARY KEY, j json, k json, a int)",
      "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
      `INSERT INTO t VALUES (1, '{"a": "${"x".repeat(200)}", "b": "y"}', '[1]', 1)`,
      "UPDATE t SET j = JSON_SET(j, '$.b', 'z')",
      "UPDATE t SET a = 2, k = '[2]'",
    ];
    const whole = `{"a": "${"x".repeat(200)}", "b": "z"}`;
    expect((await decodedStatements("mysql", statements)).slice(1)).toEqual([
      `update 1,${whole},[1],1`,
      `update 1,${whole},[2],2`,
    ]);
  });

  it("has rows of generated and invisible columns, and of keys that the server made", async () => {
    const statements = [
      "CREATE TABLE t (a int, v int AS (a + 1) VIRTUAL, s int AS (a + 2) STORED, i int DEFAULT 5 INVISIBLE)",
      "INSERT INTO t (a) VALUES (1)",
    ];
    await using db = await createMysqlDatabase("mysql");
    await db.query("SET SESSION sql_generate_invisible_primary_key = ON");
    expect(await decodedStatementsIn(db, "mysql", statements)).toEqual(["insert 1,1,2,3,5"]);
  });
});

describe("MariaDB's log", () => {
  it("is followed where events are compressed", async () => {
    await using db = await createMysqlDatabase("mariadb");
    await db.query("SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 10");
    try {
      const text = "long ".repeat(100);
      const statements = [
        "CREATE TABLE t (id int PRIMARY KEY, a text)",
        `INSERT INTO t VALUES (1, '${text}')`,
        "UPDATE t SET id = 2",
        "DELETE FROM t",
        `ALTER TABLE t COMMENT '${text}'`,
        "TRUNCATE TABLE t",
      ];
      expect(await decodedStatementsIn(db, "mariadb", statements)).toEqual([
        ...[`insert 1,${text}`, "delete 1,absent", `insert 2,${text}`, "delete 2,absent", "truncate"],
      ]);
    } finally {
      await db.query("SET GLOBAL log_bin_compress = DEFAULT, GLOBAL log_bin_compress_min_len = DEFAULT");
    }
  });

  it("has sequences, replaced tables and alterations in two phases", async () => {
    const statements = [
      KEYED,
      "CREATE SEQUENCE s",
      "SELECT NEXTVAL(s)",
      "SET SESSION binlog_alter_two_phase = ON",
      "ALTER TABLE t ADD INDEX (c)",
      "INSERT INTO t (id) VALUES (NEXTVAL(s))",
      "CREATE OR REPLACE TABLE t (id int)",
      "INSERT INTO t VALUES (1)",
    ];
    const [first, ...rest] = await decodedStatements("mariadb", statements);
    expect(first).toMatch(/^insert \d+,null,null,7$/);
    expect(rest).toEqual(["stop SCHEMA_CHANGED"]);
  });
});
