import { TestMysqlDatabase } from "./mysql.ts";
import { series } from "./mysql-source.ts";
import type { TestDatabase } from "./postgres.ts";
import type { AnyDatabase } from "./test-server.ts";
import { WAREHOUSES } from "./workload-steps.ts";

/** What the workload writes to, and the columns of their keys. */
export const WORKLOAD_KEYS = { orders: ["id"], stock: ["warehouse", "product"], sessions: ["id"] } as const;
export const WORKLOAD_TABLES: readonly string[] = [...Object.keys(WORKLOAD_KEYS), "events"];

/**
 * Makes the tables and fills them with `rows` rows each: each kind of key that there is, and none.
 *
 * - `orders`: a bigint key, with room between the keys; a long text that is mostly left as it is, in TOAST on PostgreSQL.
 * - `stock`: a key of (text in a collation that is not that of its bytes, int).
 * - `sessions`: a uuid as its key, on MySQL in 16 bytes.
 * - `events`: identical rows without a key, on PostgreSQL under `REPLICA IDENTITY FULL`. On MySQL without GTIDs they have one
 *   that nobody uses, since there no cut is sure of a table that is written to all the time.
 */
export async function createWorkloadTables(db: AnyDatabase, rows: number): Promise<void> {
  if (db instanceof TestMysqlDatabase) await createMysqlTables(db, rows);
  else await createPostgresTables(db, rows);
}

const FILLED_WAREHOUSES = WAREHOUSES.slice(0, 7)
  .map((name) => `'${name}'`)
  .join(", ");

async function createPostgresTables(db: TestDatabase, rows: number): Promise<void> {
  await db.query(`
    CREATE SEQUENCE orders_above;
    CREATE TABLE orders (
      id bigint PRIMARY KEY DEFAULT nextval('orders_above'),
      customer text NOT NULL,
      amount numeric(12,2) NOT NULL,
      note text,
      is_paid boolean NOT NULL DEFAULT false,
      changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    ALTER TABLE orders ALTER COLUMN note SET STORAGE EXTERNAL;
    CREATE TABLE stock (
      warehouse text COLLATE "en-x-icu" NOT NULL,
      product int NOT NULL,
      quantity int NOT NULL,
      label text,
      PRIMARY KEY (warehouse, product)
    );
    CREATE TABLE sessions (id uuid PRIMARY KEY, visits int NOT NULL, weight float8, data jsonb);
    CREATE TABLE events (kind text, level smallint, at date);
    ALTER TABLE events REPLICA IDENTITY FULL;
  `);
  await db.query(`
    INSERT INTO orders (id, customer, amount, note)
      SELECT i * 10, 'customer ' || i % 100, i % 1000 / 4.0, CASE WHEN i % 3 = 0 THEN repeat(md5(i::text), 120) END
        FROM generate_series(1, ${rows}) i;
    SELECT setval('orders_above', ${rows} * 10);
    INSERT INTO stock SELECT (ARRAY[${FILLED_WAREHOUSES}])[1 + i % 7], i / 7, i % 50, NULL FROM generate_series(0, ${rows - 1}) i;
    INSERT INTO sessions
      SELECT md5(i::text)::uuid, i % 9, i / 7.0, jsonb_build_object('i', i) FROM generate_series(1, ${rows}) i;
    INSERT INTO events SELECT 'kind ' || i % 20, i % 3, date '2026-01-01' + i % 5 FROM generate_series(1, ${rows}) i;
  `);
  await db.query("ANALYZE");
}

const MYSQL_TABLES: readonly string[] = [
  `CREATE TABLE orders (
    id bigint AUTO_INCREMENT PRIMARY KEY,
    customer varchar(100) NOT NULL,
    amount decimal(12,2) NOT NULL,
    note mediumtext,
    is_paid tinyint(1) NOT NULL DEFAULT 0,
    changed_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
  )`,
  `CREATE TABLE stock (
    warehouse varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
    product int NOT NULL,
    quantity int NOT NULL,
    label varchar(20),
    PRIMARY KEY (warehouse, product)
  )`,
  "CREATE TABLE sessions (id binary(16) PRIMARY KEY, visits int NOT NULL, weight double, data json)",
];

async function createMysqlTables(db: TestMysqlDatabase, rows: number): Promise<void> {
  const withoutGtids = await db.query("SHOW VARIABLES WHERE Variable_name = 'gtid_mode' AND Value = 'OFF'");
  const key = withoutGtids.length === 0 ? "" : "place bigint AUTO_INCREMENT PRIMARY KEY, ";
  const events = `CREATE TABLE events (kind varchar(20), level smallint, at date, ${key}KEY (kind))`;
  for (const sql of [...MYSQL_TABLES, events]) await db.query(sql);
  const filled = series(rows);
  await db.query(
    `INSERT INTO orders (id, customer, amount, note)
       SELECT g * 10, CONCAT('customer ', g % 100), g % 1000 / 4.0, CASE WHEN g % 3 = 0 THEN REPEAT(SHA2(g, 256), 60) END FROM ${filled}`,
  );
  await db.query(
    `INSERT INTO stock SELECT ELT(1 + (g - 1) % 7, ${FILLED_WAREHOUSES}), (g - 1) DIV 7, (g - 1) % 50, NULL FROM ${filled}`,
  );
  await db.query(
    `INSERT INTO sessions SELECT UNHEX(LEFT(SHA2(g, 256), 32)), g % 9, g / 7e0, JSON_OBJECT('list', JSON_ARRAY(g, 'x')) FROM ${filled}`,
  );
  await db.query(
    `INSERT INTO events (kind, level, at) SELECT CONCAT('kind ', g % 20), g % 3, DATE '2026-01-01' + INTERVAL g % 5 DAY FROM ${filled}`,
  );
  await db.query("ANALYZE TABLE orders, stock, sessions, events");
}
