import { describe, expect, it } from "vitest";
import { DefinedTable } from "../../../../test/support/defined-table.ts";

const CREATE = "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b decimal(10,2))";
const INSERT = "INSERT INTO t VALUES (1, 'one', 1.5)";
const ROW = "insert 1,one,1.50";

const COPY = "CREATE /* a tool */ TABLE `_t_gho` LIKE `t`";
const FILL = "INSERT IGNORE INTO `_t_gho` (id, a, b) SELECT id, a, b FROM t";
const EXCHANGE = "RENAME TABLE `t` TO `_t_del`, `_t_gho` TO `t`";
const GROWN = "ALTER TABLE `_t_gho` ADD n int NOT NULL DEFAULT 7 AFTER id, MODIFY a varchar(50)";

/** Why the copy is not followed, and the statements that are the reason. */
const STOPPING: readonly (readonly string[])[] = [
  ["other values in column n", COPY, GROWN, FILL, "UPDATE `_t_gho` SET n = id + 100"],
  ["other values in column n", COPY, GROWN, "INSERT INTO `_t_gho` SELECT id, 9, a, b FROM t"],
  [
    ...["other values in column n", COPY, "ALTER TABLE `_t_gho` ADD n decimal(6,2) DEFAULT 1", FILL],
    "UPDATE `_t_gho` SET n = NULL",
  ],
  ["rule of uniqueness", COPY, "ALTER TABLE `_t_gho` ADD UNIQUE KEY (a)", FILL],
  ["rule of uniqueness", COPY, "CREATE UNIQUE INDEX u ON `_t_gho` (a)", FILL],
  ["does not tell which values", COPY, "ALTER TABLE `_t_gho` ADD n datetime DEFAULT CURRENT_TIMESTAMP", FILL],
  ["column a was dropped", COPY, "ALTER TABLE `_t_gho` DROP a", "INSERT INTO `_t_gho` SELECT id, b FROM t"],
  ["of its key became bigint", COPY, "ALTER TABLE `_t_gho` MODIFY id bigint NOT NULL", FILL],
  ["not altered as the table", COPY, GROWN, FILL, "ALTER TABLE t ADD m int"],
  ["not emptied with it", COPY, GROWN, FILL, "TRUNCATE t"],
  ["was emptied", COPY, GROWN, FILL, "TRUNCATE `_t_gho`"],
  [
    ...["like another table", "CREATE TABLE u (id int PRIMARY KEY, a varchar(20), b decimal(10,2))"],
    "CREATE TABLE `_t_gho` LIKE u",
  ],
  ["may have been there before", "CREATE TABLE IF NOT EXISTS `_t_gho` LIKE t"],
  ["another shape", "CREATE TABLE `_t_gho` (id int PRIMARY KEY, a varchar(20), b decimal(10,3))"],
  ["another table was given its name", "CREATE TABLE other LIKE t", "RENAME TABLE other TO `_t_gho`"],
];

describe.each([
  ["mysql", "MINIMAL"],
  ["mysql", "FULL"],
  ["mariadb", "NO_LOG"],
  ["mariadb", "FULL"],
] as const)("a table whose copy takes its place (%s, %s)", (flavour, metadata) => {
  it("goes on where the copy has the same rows", async () => {
    await using table = await DefinedTable.start(flavour, metadata);
    const behind = ["INSERT INTO t (id, a) VALUES (2, 'two')", "UPDATE t SET n = 8 WHERE id = 1"];
    const rows = ["insert 2,two,null,7", "update 1,one,1.50,8"];
    // Each statement about the copy is a version, since a restart must know of it.
    const versions = ["schema 2", "schema 3", "schema 4"];
    expect(await table.said(CREATE, INSERT, COPY, GROWN, FILL, EXCHANGE, ...behind)).toEqual([
      ROW,
      ...versions,
      ...rows,
    ]);
    const removed = "DROP TABLE IF EXISTS `_t_del`, `_t_old`, `_t_20240131093000_del`";
    await table.run(removed);
    const written =
      "CREATE TABLE `__t_new` (`id` int NOT NULL, `a` varchar(20) DEFAULT NULL, `b` decimal(10,2) DEFAULT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
    const other = [COPY, GROWN, FILL, EXCHANGE].map((sql) =>
      sql.replaceAll("_t_gho", "__t_new").replace("_t_del", "_t_old"),
    );
    other[0] = written;
    expect(await table.said(`${CREATE} CHARSET utf8mb4`, INSERT, ...other, ...behind)).toEqual([
      ROW,
      ...versions,
      ...rows,
    ]);
    await table.run(removed);
    const idle = [
      COPY,
      "ALTER TABLE `_t_gho` ENGINE=InnoDB",
      FILL,
      EXCHANGE.replace("_t_del", "_t_20240131093000_del"),
    ];
    expect(await table.said(CREATE, INSERT, ...idle, "UPDATE t SET b = 2")).toEqual([
      ...[ROW, "schema 2", "schema 3", "update 1,one,2.00"],
    ]);
  });

  it("stops where it may have others, or another shape", async () => {
    await using table = await DefinedTable.start(flavour, metadata);
    for (const [why, ...statements] of STOPPING) {
      await table.run("DROP TABLE IF EXISTS `_t_gho`, `_t_del`, u");
      const said = await table.said(CREATE, INSERT, ...statements, EXCHANGE, "DELETE FROM t");
      const [stop] = (await table.items()).flatMap((item) => (item.kind === "stop" ? [item.error.message] : []));
      expect({ statements, last: said.at(-1), stop }).toEqual({
        statements,
        last: "stop SCHEMA_CHANGED",
        stop: expect.stringContaining(why!) as string,
      });
    }
  });

  it("stops where the copy was there before the pipeline, and where nobody wants it followed", async () => {
    await using table = await DefinedTable.start(flavour, metadata);
    await table.create(CREATE);
    await table.run(COPY);
    await table.define();
    await table.run(GROWN, FILL, EXCHANGE);
    expect(await table.texts()).toEqual(["stop SCHEMA_CHANGED"]);
    await table.run("DROP TABLE `_t_del`");
    await table.create(CREATE);
    await table.define();
    await table.run(INSERT, COPY, GROWN, FILL, EXCHANGE);
    expect(await table.texts({ followCopies: false })).toEqual([ROW, "stop SCHEMA_CHANGED"]);
  });
});
