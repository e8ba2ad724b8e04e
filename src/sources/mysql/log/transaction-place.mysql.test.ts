import { expect, it } from "vitest";
import { followTable, type FollowedTable } from "../../../../test/support/followed-table.ts";
import { LoneMysqlDatabase } from "../../../../test/support/mysql-binlog.ts";

/** Where the server itself says that each transaction begins, by its GTID; without GTIDs by its place. */
async function shownPlaces(db: LoneMysqlDatabase): Promise<Map<string, string>> {
  const places = new Map<string, string>();
  for (const { Log_name: file } of await db.query<{ Log_name: string }>("SHOW BINARY LOGS")) {
    const events = await db.query<{ Pos: number; Event_type: string; Info: string }>(`SHOW BINLOG EVENTS IN '${file}'`);
    for (const { Pos, Event_type: type, Info } of events) {
      const place = `${file}:${Pos}`;
      const gtid = /GTID(?:_NEXT= ')? ?([0-9a-f-]+(?::[0-9]+)?)/.exec(Info)?.[1];
      if (type === "Anonymous_Gtid") places.set(place, place);
      else if (type === "Gtid" && gtid !== undefined) places.set(gtid, place);
    }
  }
  return places;
}

/** Of the transactions of a followed table, the first id of their changes and whether they stand where the server says. */
async function standing(db: LoneMysqlDatabase, followed: FollowedTable): Promise<(readonly [bigint, string])[]> {
  const places = await shownPlaces(db);
  return followed.transactions.map(({ transaction, changes }) => {
    const shown = places.get(transaction.id.split(" ")[0]!);
    return [changes[0]![0], transaction.place === shown ? "there" : `${transaction.place}, not ${shown}`];
  });
}

const CREATE = "CREATE TABLE t (id bigint PRIMARY KEY, version bigint NOT NULL)";
const insert = (id: number): string => `INSERT INTO t VALUES (${id}, 0)`;

it.each([
  ["mysql", {}],
  ["mysql", { gtid_mode: "OFF", enforce_gtid_consistency: "OFF" }],
  ["mysql", { binlog_checksum: "NONE" }],
  ["mariadb", {}],
  ["mariadb", { binlog_checksum: "NONE" }],
  ["mariadb", { log_bin_compress: "ON", log_bin_compress_min_len: "10" }],
] as const)("transactions of %s with %j say where the server shows that they begin", async (flavour, settings) => {
  await using db = await LoneMysqlDatabase.start(flavour, settings);
  await db.query(CREATE);
  await db.query(insert(1));
  // The reading begins within a file: what is before is passed over.
  await using followed = await followTable(db, "t");
  await db.query(insert(2));
  await db.query("CREATE TABLE other (id int)");
  await db.query("INSERT INTO other VALUES (1)");
  await db.query("UPDATE t SET version = 1 WHERE id = 2");
  await db.query("FLUSH BINARY LOGS");
  await db.query(insert(3));
  if (flavour === "mysql") await db.query("SET SESSION binlog_transaction_compression = ON");
  await db.query("BEGIN");
  for (const id of [4, 5, 6]) await db.query(insert(id));
  await db.query("COMMIT");
  await db.query(insert(7));
  await db.query("FLUSH BINARY LOGS");
  await db.query("DELETE FROM t WHERE id = 7");
  await followed.untilRead();
  expect(await standing(db, followed)).toEqual([2n, 2n, 3n, 4n, 7n, 7n].map((id) => [id, "there"]));
});

it.each(["mysql", "mariadb"] as const)("an XA transaction of %s stands where its outcome does", async (flavour) => {
  await using db = await LoneMysqlDatabase.start(flavour);
  await db.query(CREATE);
  await using followed = await followTable(db, "t");
  for (const sql of ["XA START 'x'", insert(1), "XA END 'x'", "XA PREPARE 'x'"]) await db.query(sql);
  const writer = await db.client();
  await writer.query(insert(2));
  await writer.query("FLUSH BINARY LOGS");
  await db.query("XA COMMIT 'x'");
  for (const sql of ["XA START 'y'", insert(3), "XA END 'y'", "XA COMMIT 'y' ONE PHASE"]) await db.query(sql);
  await followed.untilRead();
  expect(await standing(db, followed)).toEqual([2n, 1n, 3n].map((id) => [id, "there"]));
});
