import type { TestDatabase } from "./postgres.ts";

/** What the workload writes to: each kind of key that there is, and none. */
export const WORKLOAD_TABLES = ["orders", "stock", "sessions", "events"] as const;

/**
 * Makes the tables in `public` and fills them with `rows` rows each.
 *
 * - `orders`: a bigint key, with room between the keys; a text that lies in TOAST and is mostly left as it is.
 * - `stock`: a key of (text in a collation that is not that of its bytes, int).
 * - `sessions`: a uuid key.
 * - `events`: no key, identical rows, `REPLICA IDENTITY FULL`.
 */
export async function createWorkloadTables(db: TestDatabase, rows: number): Promise<void> {
  await db.query(`
    CREATE TABLE orders (
      id bigint PRIMARY KEY,
      customer text NOT NULL,
      amount numeric(12,2) NOT NULL,
      note text,
      is_paid boolean NOT NULL DEFAULT false,
      changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    ALTER TABLE orders ALTER COLUMN note SET STORAGE EXTERNAL;
    CREATE SEQUENCE orders_above;
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
    INSERT INTO stock
      SELECT (ARRAY['Åre', 'aachen', 'Zürich', 'zagreb', 'Ähre', 'B-1', 'b 1'])[1 + i % 7], i / 7, i % 50, NULL
        FROM generate_series(0, ${rows - 1}) i;
    INSERT INTO sessions
      SELECT md5(i::text)::uuid, i % 9, i / 7.0, jsonb_build_object('i', i) FROM generate_series(1, ${rows}) i;
    INSERT INTO events SELECT 'kind ' || i % 20, i % 3, date '2026-01-01' + i % 5 FROM generate_series(1, ${rows}) i;
  `);
  await db.query("ANALYZE");
}
