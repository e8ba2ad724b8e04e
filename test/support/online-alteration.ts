import type { Connection } from "mysql2/promise";
import type { TestMysqlDatabase } from "./mysql.ts";
import { waitFor } from "./wait-for.ts";

const BATCH = 200;

/** The columns of table `t`, all of which its copy has. */
async function sharedColumns(db: TestMysqlDatabase): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    "SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = 't'",
    [db.database],
  );
  return rows.map(({ name }) => name);
}

/**
 * What gh-ost does to table `t`, as statements: a copy like it, altered, filled by ranges of the key, kept up with the
 * changes of the table, and put in its place while writers wait for a lock. `old`: what the table is called then.
 */
export async function likeGhost(db: TestMysqlDatabase, alteration: string, old: string): Promise<void> {
  await db.query(
    "CREATE /* gh-ost */ TABLE `_t_ghc` (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, hint varchar(64) CHARSET ascii NOT NULL, UNIQUE KEY u (hint))",
  );
  await db.query("CREATE /* gh-ost */ TABLE `_t_gho` LIKE `t`");
  await db.query(`ALTER /* gh-ost */ TABLE \`_t_gho\` ${alteration}`);
  const shared = (await sharedColumns(db)).join(", ");
  await fill(db, "_t_gho", shared);
  const locker = await db.client();
  await locker.query("LOCK TABLES t READ");
  // The changes of the table since it was copied; gh-ost reads them from the log.
  await db.query("DELETE FROM `_t_gho` WHERE id NOT IN (SELECT id FROM t)");
  await db.query(`REPLACE INTO \`_t_gho\` (${shared}) SELECT ${shared} FROM t`);
  await exchangeUnlocking(db, locker, old);
  await db.query("DROP TABLE `_t_ghc`");
}

/** Puts `_t_gho` in the place of `t`, which `locker` has locked for reading, before all writers that wait for that lock. */
export async function exchangeUnlocking(db: TestMysqlDatabase, locker: Connection, old: string): Promise<void> {
  const exchanger = await db.client();
  const exchange = exchanger.query(`RENAME /* gh-ost */ TABLE \`t\` TO \`${old}\`, \`_t_gho\` TO \`t\``);
  const { reading } = await untilFirstInLine(db);
  await locker.query("UNLOCK TABLES");
  await exchange;
  await reading;
}

async function fill(db: TestMysqlDatabase, copy: string, shared: string): Promise<void> {
  const [range] = await db.query<{ last: number }>("SELECT MAX(id) AS last FROM t");
  for (let from = 0; from <= range!.last; from += BATCH)
    await db.query(
      `INSERT IGNORE INTO \`${copy}\` (${shared}) SELECT ${shared} FROM t WHERE id > ${from} AND id <= ${from + BATCH} LOCK IN SHARE MODE`,
    );
}

/**
 * Resolves when the exchange waits for `t` itself: a reader, whom a lock for reading lets pass, waits too then. The exchange
 * alone may be seen waiting for its copy, which the server's own purge has locked, and writers of `t` would be first.
 */
async function untilFirstInLine(db: TestMysqlDatabase): Promise<{ readonly reading: Promise<unknown> }> {
  const reader = await db.client();
  let reading: Promise<unknown> = Promise.resolve();
  await waitFor("the exchange to be the first in the line for its table", async () => {
    let hasPassed = false;
    reading = reader.query("SELECT 1 FROM t LIMIT 0").then(() => (hasPassed = true));
    await waitFor("a reader to pass or to wait", async () => hasPassed || (await isWaiting(db, reader)));
    return !hasPassed;
  });
  return { reading };
}

async function isWaiting(db: TestMysqlDatabase, session: Connection): Promise<boolean> {
  const [row] = await db.query<{ state: string | null }>(
    "SELECT state AS state FROM information_schema.processlist WHERE id = ?",
    [session.threadId],
  );
  return /waiting for table metadata lock/i.test(row?.state ?? "");
}

/** What pt-online-schema-change does to table `t`: a copy by its own CREATE TABLE, kept up by triggers, and one exchange. */
export async function likePercona(db: TestMysqlDatabase, alteration: string): Promise<void> {
  const [shown] = await db.query<{ "Create Table": string }>("SHOW CREATE TABLE t");
  await db.query(shown!["Create Table"].replace("CREATE TABLE `t`", `CREATE TABLE \`${db.database}\`.\`_t_new\``));
  await db.query(`ALTER TABLE \`${db.database}\`.\`_t_new\` ${alteration}`);
  const columns = await sharedColumns(db);
  const shared = columns.join(", ");
  const inserted = columns.map((name) => `NEW.${name}`).join(", ");
  await db.query(
    "CREATE TRIGGER pt_del AFTER DELETE ON t FOR EACH ROW DELETE IGNORE FROM `_t_new` WHERE `_t_new`.id <=> OLD.id",
  );
  await db.query(
    `CREATE TRIGGER pt_upd AFTER UPDATE ON t FOR EACH ROW BEGIN
       DELETE IGNORE FROM \`_t_new\` WHERE NOT (OLD.id <=> NEW.id) AND \`_t_new\`.id <=> OLD.id;
       REPLACE INTO \`_t_new\` (${shared}) VALUES (${inserted}); END`,
  );
  await db.query(
    `CREATE TRIGGER pt_ins AFTER INSERT ON t FOR EACH ROW REPLACE INTO \`_t_new\` (${shared}) VALUES (${inserted})`,
  );
  await fill(db, "_t_new", shared);
  await db.query("ANALYZE TABLE `_t_new`");
  await db.query("RENAME TABLE `t` TO `_t_old`, `_t_new` TO `t`");
  await db.query("DROP TABLE IF EXISTS `_t_old`");
  for (const trigger of ["pt_del", "pt_upd", "pt_ins"]) await db.query(`DROP TRIGGER IF EXISTS ${trigger}`);
}
