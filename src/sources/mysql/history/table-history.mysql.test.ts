import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DefinedTable } from "../../../../test/support/defined-table.ts";
import { cellTexts, itemTexts } from "../../../../test/support/mysql-binlog.ts";
import type { ChangeBatch } from "../../../core/change-batch.ts";
import type { LogItem } from "../../../core/line.ts";
import type { Flavour } from "../position.ts";

const MODES = [
  ["mysql", "MINIMAL"],
  ["mysql", "FULL"],
  ["mariadb", "NO_LOG"],
  ["mariadb", "MINIMAL"],
  ["mariadb", "FULL"],
] as const;

const CREATE = "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b int, c int, e enum('x','y'))";
const INSERT = "INSERT INTO t VALUES (1, 'one', 10, 100, 'x')";
const ROW = "insert 1,one,10,100,x";

const STOPPING = [
  ["ALTER TABLE t DROP b, ADD b int AFTER a", "SCHEMA_CHANGED"],
  ["ALTER TABLE t DROP c, ADD d int AFTER b", "SCHEMA_CHANGED"],
  ["ALTER TABLE t CHANGE b c int, CHANGE c b int", "SCHEMA_CHANGED"],
  ["ALTER TABLE t RENAME COLUMN b TO d", "SCHEMA_CHANGED"],
  ["ALTER TABLE t MODIFY b bigint", "SCHEMA_CHANGED"],
  ["ALTER TABLE t MODIFY a varchar(10)", "SCHEMA_CHANGED"],
  ["ALTER TABLE t CONVERT TO CHARACTER SET latin1", "SCHEMA_CHANGED"],
  ["ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, b)", "SCHEMA_CHANGED"],
  ["DROP INDEX `PRIMARY` ON t", "SCHEMA_CHANGED"],
  ["ALTER TABLE t MODIFY id bigint", "SCHEMA_CHANGED"],
  ["ALTER TABLE t MODIFY e enum('x','z')", "SCHEMA_CHANGED"],
  ["ALTER TABLE t ADD n varchar(40) DEFAULT (concat('a', 'b'))", "DDL_UNCLEAR"],
  ["ALTER TABLE t ADD n int NOT NULL AUTO_INCREMENT UNIQUE", "DDL_UNCLEAR"],
  ["ALTER TABLE t ADD n int AS (b + 1)", "DDL_UNCLEAR"],
] as const;

/** Beside statements that alter it: as often as a run would be tried again. */
async function defineBeside(table: DefinedTable): Promise<void> {
  for (let isDefined = false; !isDefined;)
    try {
      await table.define();
      isDefined = true;
    } catch (error) {
      expect(error).toMatchObject({ code: "SOURCE_LOCK_TIMEOUT", retry: "timed" });
    }
}

/** What the columns `a` and `b` have, wherever they stand. */
function cellPairs({ schema, columns }: ChangeBatch): (readonly [a: string | null, b: string | null])[] {
  const [a, b] = ["a", "b"].map((name) => cellTexts(columns[schema.columns.findIndex((one) => one.name === name)]!));
  return a!.map((text, row) => [text, b![row]!]);
}

describe.each(MODES)("a table's definition in the log (%s, %s)", (flavour, metadata) => {
  const isFull = metadata === "FULL";
  let table: DefinedTable;

  beforeAll(async () => {
    table = await DefinedTable.start(flavour, metadata);
  });
  afterAll(() => table[Symbol.asyncDispose]());
  beforeEach(() => table.run(`SET GLOBAL binlog_row_metadata = '${metadata}'`));

  it("goes on with every statement that can be followed", async () => {
    const added = ["ALTER TABLE t ADD n int NOT NULL DEFAULT 7 AFTER id, ADD m varchar(5) DEFAULT 'd' FIRST"];
    expect(
      await table.said(CREATE, INSERT, ...added, "INSERT INTO t (id, m) VALUES (2, NULL)", "UPDATE t SET b = 11"),
    ).toEqual([
      ROW,
      "schema 2",
      "insert 2,null,null,null,null,null,7",
      "update 1,one,11,100,x,d,7",
      "update 2,null,11,null,null,null,7",
    ]);
    // Of one type, so that the rows look the same.
    expect(await table.said(CREATE, INSERT, "ALTER TABLE t MODIFY b int AFTER c", "UPDATE t SET b = 11")).toEqual([
      ...[ROW, "schema 2", "update 1,one,11,100,x"],
    ]);
    const grown = "ALTER TABLE t MODIFY a varchar(200) NOT NULL, CHANGE e e enum('z','x','y')";
    expect(await table.said(CREATE, INSERT, grown, "UPDATE t SET e = 'z'", "UPDATE t SET e = 'x'")).toEqual([
      ...[ROW, "schema 2", "update 1,one,10,100,z", "update 1,one,10,100,x"],
    ]);
    const idle = [
      "ALTER TABLE t ADD KEY (b), COMMENT 'x'",
      "ALTER TABLE t FORCE",
      "ALTER TABLE t ALTER b SET DEFAULT 3",
    ];
    expect(await table.said(CREATE, INSERT, ...idle, "DELETE FROM t")).toEqual([
      ROW,
      "delete 1,absent,absent,absent,absent",
    ]);
  });

  it("stops the table where rows or values may have changed that the log does not tell", async () => {
    for (const [statement, code] of STOPPING) {
      const said = await table.said(CREATE, INSERT, statement, "DELETE FROM t");
      expect({ statement, said }).toEqual({ statement, said: [ROW, `stop ${code}`] });
    }
  });

  it("is as of a position: what was before it is passed over, and what comes behind it is not", async () => {
    await table.create("CREATE TABLE t (id int PRIMARY KEY, b int)");
    await table.run("INSERT INTO t VALUES (1, 1)", "ALTER TABLE t ADD c int FIRST", "INSERT INTO t VALUES (2, 2, 2)");
    await table.define();
    await table.run("INSERT INTO t VALUES (3, 4, 5)", "ALTER TABLE t ADD d int", "INSERT INTO t VALUES (6, 7, 8, 9)");
    const items = await table.items();
    expect(itemTexts(items)).toEqual(["insert 3,4,5", "schema 2", "insert 6,7,8,9"]);
    // The record has the schema of its position: a restart behind the alteration goes on with it.
    const [altered] = items.flatMap((item) => (item.kind === "schema" ? [item.schema] : []));
    await table.create("CREATE TABLE t (c int, id int PRIMARY KEY, b int, d int)");
    await table.run("INSERT INTO t VALUES (10, 11, 12, 13)", "ALTER TABLE t ADD f int", "DELETE FROM t");
    expect(itemTexts(await table.items(altered))).toEqual([
      "insert 10,11,12,13",
      "schema 3",
      "delete absent,11,absent,absent,absent",
    ]);
  });

  it("is read at one place of the log, however often the table is altered beside it", async () => {
    await table.create("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a int, b int)");
    const writer = await table.db.client();
    const done = new AbortController();
    const writing = (async (): Promise<number> => {
      let last = 0;
      for (let turn = 0; !done.signal.aborted || turn < 2; turn++) {
        await writer.query("INSERT INTO t (a, b) VALUES (?, ?)", [turn, -turn]);
        // Rows of both shapes look the same.
        await writer.query(`ALTER TABLE t MODIFY a int AFTER ${turn % 2 === 0 ? "b" : "id"}`);
        await writer.query("UPDATE t SET a = a + 1, b = b - 1 ORDER BY id DESC LIMIT 1");
        last = turn;
      }
      return last;
    })();
    const items: LogItem[] = [];
    let last = 0;
    try {
      for (let time = 0; time < 5; time++) {
        await defineBeside(table);
        items.push(...(await table.items()));
      }
    } finally {
      done.abort();
      last = await writing;
    }
    items.push(...(await table.items()));
    const pairs = items.flatMap((item) => (item.kind === "rows" ? cellPairs(item.batch) : []));
    expect(pairs.filter(([a, b]) => Number(a) !== -Number(b) || Number(a) < 0)).toEqual([]);
    expect(pairs.at(-1)).toEqual([String(last + 1), String(-last - 1)]);
    expect(items.filter(({ kind }) => kind === "stop")).toEqual([]);
  });

  it("does not fit rows behind a statement that was kept from the log", async () => {
    const unlogged = ["SET sql_log_bin = 0", "ALTER TABLE t ADD n int", "SET sql_log_bin = 1"];
    const next = isFull ? ["schema 2", "insert 2,null,null,null,null,5"] : ["stop SHAPE_UNKNOWN"];
    expect(await table.said(CREATE, INSERT, ...unlogged, "INSERT INTO t (id, n) VALUES (2, 5)")).toEqual([
      ROW,
      ...next,
    ]);
  });

  it("serves each table map by what it says, whatever the setting was before", async () => {
    const other = isFull ? "MINIMAL" : "FULL";
    const change = [`SET GLOBAL binlog_row_metadata = '${other}'`, "FLUSH TABLES"];
    const statements = [INSERT, ...change, "UPDATE t SET b = 2", "ALTER TABLE t ADD n int FIRST", "UPDATE t SET n = 3"];
    expect(await table.said(CREATE, ...statements)).toEqual([
      ...[ROW, "update 1,one,2,100,x", "schema 2", "update 1,one,2,100,x,3"],
    ]);
  });

  it("names the place of a statement that is not understood", async () => {
    await table.create(CREATE);
    await table.define();
    const statement =
      flavour === "mysql"
        ? "ALTER TABLE t ADD n geometry SRID 4326 NOT NULL DEFAULT (point(1, 2))"
        : "ALTER TABLE t ADD SYSTEM VERSIONING";
    await table.run(statement);
    const [stop] = (await table.items()).flatMap((item) => (item.kind === "stop" ? [item.error] : []));
    expect(stop).toMatchObject({ code: "DDL_UNCLEAR", place: { position: expect.stringMatching(/\d$/) as string } });
  });

  it("reads the rows of all types as a log does that says everything", async () => {
    await table.run("SET GLOBAL binlog_row_metadata = 'FULL'");
    const types = TYPES.filter(([, , only]) => only === undefined || only === flavour);
    const columns = types.map(([type], i) => `c${i} ${type}`);
    const create = `CREATE TABLE t (id int PRIMARY KEY, ${columns.join(", ")}) CHARSET utf8mb4`;
    const insert = (id: number): string =>
      `INSERT INTO t VALUES (${id}, ${types.map(([, value]) => value).join(", ")})`;
    const [row] = await table.said(create, insert(1));
    await table.run(`SET GLOBAL binlog_row_metadata = '${metadata}'`);
    expect(row).toMatch(/^insert 1,/);
    expect(await table.said(create, insert(1))).toEqual([row]);
    // And by a definition that statements have made.
    const added = types.map(([type], i) => `ADD c${i} ${type} NULL`);
    const bare = "CREATE TABLE t (id int PRIMARY KEY) CHARSET utf8mb4";
    expect(await table.said(bare, `ALTER TABLE t ${added.join(", ")}`, insert(1))).toEqual(["schema 2", row]);
  });
});

/** A type, a value of it, and the one server that has it. */
const TYPES: readonly (readonly [type: string, value: string, only?: Flavour])[] = [
  ...(["tinyint", "smallint", "mediumint", "int", "bigint", "decimal(12,2)", "float", "double"] as const).flatMap(
    (type) => [[type, "-7"] as const, [`${type} unsigned`, "7"] as const],
  ),
  ["tinyint(1)", "1"],
  ["int(5) zerofill", "42"],
  ["decimal(65,30)", "'1.5'"],
  ["bit(1)", "1"],
  ["bit(12)", "b'101010101010'"],
  ["year", "2024"],
  ["date", "'2024-02-29'"],
  ...(["datetime", "datetime(3)", "timestamp", "timestamp(6)"] as const).map(
    (type) => [type, "'2024-02-29 12:34:56.789'"] as const,
  ),
  ["time", "'12:34:56'"],
  ["time(2)", "'12:34:56.78'"],
  ...["", " CHARACTER SET latin1", " CHARACTER SET utf8mb3", " CHARACTER SET ucs2", " COLLATE utf8mb4_bin"].flatMap(
    (charset) => [
      [`char(100)${charset}`, "'é'"] as const,
      [`varchar(10)${charset}`, "'é'"] as const,
      [`varchar(300)${charset}`, "'é'"] as const,
      [`tinytext${charset}`, "'é'"] as const,
      [`enum('a','é')${charset}`, "'é'"] as const,
      [`set('a','é','c')${charset}`, "'é,c'"] as const,
    ],
  ),
  ["text", "'é'"],
  ["mediumtext", "'é'"],
  ["longtext", "'é'"],
  [`enum(${Array.from({ length: 300 }, (_, i) => `'m${i}'`).join()})`, "'m299'"],
  [`set(${Array.from({ length: 40 }, (_, i) => `'m${i}'`).join()})`, "'m0,m39'"],
  ["binary(20)", "x'ff00'"],
  ["varbinary(300)", "x'ff00'"],
  ["tinyblob", "x'ff00'"],
  ["blob", "x'ff00'"],
  ["longblob", "x'ff00'"],
  ["geometry", "ST_GeomFromText('POINT(1 2)')"],
  ["json", "'[1, 2]'"],
  ["vector(3)", "STRING_TO_VECTOR('[1,2,3]')", "mysql"],
  ["vector(3)", "VEC_FromText('[1,2,3]')", "mariadb"],
  ["uuid", "'123e4567-e89b-12d3-a456-426655440000'", "mariadb"],
  ["inet4", "'10.0.0.1'", "mariadb"],
  ["inet6", "'2001:db8::1'", "mariadb"],
  ["varchar(2000) COMPRESSED", "REPEAT('é', 500)", "mariadb"],
  ["blob COMPRESSED", "REPEAT('x', 1000)", "mariadb"],
];
