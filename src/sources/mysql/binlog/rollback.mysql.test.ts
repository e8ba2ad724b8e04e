import { expect, it } from "vitest";
import { decodedStatements } from "../../../../test/support/mysql-binlog.ts";

const KEYED = "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b longtext, c int NOT NULL DEFAULT 7)";
const MIXED = [KEYED, "CREATE TABLE m (id int PRIMARY KEY) ENGINE=MyISAM"];
const insert = (id: number): string => `INSERT INTO t (id) VALUES (${id})`;
const row = (id: number): string => `insert ${id},null,null,7`;

it("MariaDB's log has rows that were rolled back, which are none", async () => {
  const statements = [
    ...MIXED,
    insert(1),
    "BEGIN",
    insert(2),
    "INSERT INTO m VALUES (1)",
    "CREATE TEMPORARY TABLE tmp (id int)",
    "UPDATE t SET id = 20 WHERE id = 1",
    "ROLLBACK",
    insert(3),
  ];
  expect(await decodedStatements("mariadb", statements)).toEqual([row(1), row(3)]);
});

it("MariaDB's log has rows behind savepoints, gone when it went back to those", async () => {
  const undone = (first: number, name: string): string[] => [
    `SAVEPOINT ${name}`,
    insert(first),
    `INSERT INTO m VALUES (${first})`,
    `UPDATE t SET c = ${first}`,
    "SAVEPOINT `inner`",
    insert(first + 1),
    "ROLLBACK TO `INNER`",
    insert(first + 2),
  ];
  const statements = [
    ...[...MIXED, insert(0), "BEGIN", insert(1)],
    ...[...undone(10, "`s``1`"), "ROLLBACK TO `S``1`", insert(2)],
    // Set again, it is another one; and what was set behind it is no more.
    ...[...undone(20, "s"), "SAVEPOINT s", insert(3), "SAVEPOINT S", insert(4), "ROLLBACK TO s", insert(5)],
    ...["COMMIT", insert(6)],
  ];
  expect(await decodedStatements("mariadb", statements)).toEqual([
    ...[row(0), row(1), row(2), row(20), ...[0, 1, 2, 20].map((id) => `update ${id},null,null,20`)],
    ...[row(22), row(3), row(5), row(6)],
  ]);
});

it("an attempt ends where rows that were rolled back are more than are held back", async () => {
  const undone = [
    "BEGIN",
    "INSERT INTO t (id, b) SELECT seq, REPEAT('x', 400) FROM seq_1_to_1000",
    "CREATE TEMPORARY TABLE tmp (id int)",
    "ROLLBACK",
  ];
  const options = { batchBytesMax: 100_000 };
  await expect(decodedStatements("mariadb", [KEYED, ...undone], options)).rejects.toMatchObject({
    code: "ROLLBACK_IN_LARGE_TRANSACTION",
    place: { table: expect.stringMatching(/\.t$/) as string },
  });
  expect(await decodedStatements("mariadb", [KEYED, ...undone])).toEqual([]);
});
