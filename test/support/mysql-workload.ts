import type { Connection } from "mysql2/promise";
import type { TestMysqlDatabase } from "./mysql.ts";
import { Random } from "./random.ts";
import { DEADLINE_MS, waitFor } from "./wait-for.ts";

/** Others were in the way: deadlock, lock timeout, a key that was just taken. */
const EXPECTED = new Set([1213, 1205, 1062]);
const WAREHOUSES = ["Åre", "aachen", "Zürich", "zagreb", "Ähre", "B-1", "b 1", "ß", "SS"];

type Step = (random: Random, rows: number) => readonly [sql: string, values: readonly unknown[]];

const orderId = (random: Random, rows: number): number => random.below(rows * 11) + 1;
const amount = (random: Random): string => (random.below(1_000_000) / 100).toFixed(2);

/** On the tables that `createMysqlWorkload` makes: hot rows, moved keys, inserts above the end, deletes. */
const STEPS: readonly Step[] = [
  (random) => [
    "UPDATE orders SET amount = ?, is_paid = NOT is_paid, changed_at = NOW(6) WHERE id = ?",
    [amount(random), (1 + random.below(10)) * 10],
  ],
  (random, rows) => [
    "UPDATE orders SET customer = ? WHERE id >= ? ORDER BY id LIMIT 1",
    [random.text(12), orderId(random, rows)],
  ],
  (random, rows) => [
    "UPDATE orders SET note = ? WHERE id >= ? ORDER BY id LIMIT 1",
    [random.chance(0.2) ? null : random.text(2_000), orderId(random, rows)],
  ],
  (random) => [
    "INSERT INTO orders (id, customer, amount) SELECT MAX(id) + ?, ?, ? FROM orders",
    [1 + random.below(20), random.text(8), amount(random)],
  ],
  (random, rows) => [
    "INSERT INTO orders (id, customer, amount) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE customer = VALUES(customer), note = NULL",
    [orderId(random, rows), random.text(8), amount(random)],
  ],
  (random, rows) => [
    "UPDATE orders SET id = ? WHERE id >= ? ORDER BY id LIMIT 1",
    [orderId(random, rows), orderId(random, rows)],
  ],
  (random, rows) => [
    "DELETE FROM orders WHERE id >= ? ORDER BY id LIMIT ?",
    [orderId(random, rows), 1 + random.below(3)],
  ],
  (random, rows) => [
    "INSERT INTO stock VALUES (?, ?, ?, NULL) ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)",
    [random.pick(WAREHOUSES), random.below(rows / 6), random.below(100)],
  ],
  (random, rows) => [
    "UPDATE IGNORE stock SET warehouse = ?, label = ? WHERE warehouse = ? AND product = ?",
    [random.pick(WAREHOUSES), random.text(5), random.pick(WAREHOUSES), random.below(rows / 6)],
  ],
  (random, rows) => [
    "DELETE FROM stock WHERE warehouse = ? AND product = ?",
    [random.pick(WAREHOUSES), random.below(rows / 6)],
  ],
  (random) => [
    "INSERT INTO sessions VALUES (UNHEX(?), 1, ?, ?)",
    [hexId(random), random.next(), JSON.stringify({ text: random.text(9), list: [1, 2.5, null] })],
  ],
  (random) => ["UPDATE sessions SET visits = visits + 1 WHERE id >= UNHEX(?) ORDER BY id LIMIT 1", [hexId(random)]],
  (random) => [
    "UPDATE sessions SET id = UNHEX(?) WHERE id >= UNHEX(?) ORDER BY id LIMIT 1",
    [hexId(random), hexId(random)],
  ],
  (random) => ["DELETE FROM sessions WHERE id >= UNHEX(?) ORDER BY id LIMIT 1", [hexId(random)]],
];

function hexId(random: Random): string {
  return random.uuid().replaceAll("-", "");
}

export interface MysqlWorkloadOptions {
  readonly seed: number;
  /** Of each table, before it starts. */
  readonly rows: number;
  /** Sessions that write at the same time. */
  readonly writers: number;
}

/** Writers that never pause. The choices follow from the seed; how they interleave does not. */
export class MysqlWorkload implements AsyncDisposable {
  readonly tables: readonly string[] = ["orders", "stock", "sessions"];
  readonly #db: TestMysqlDatabase;
  readonly #options: MysqlWorkloadOptions;
  #committed = 0;
  #running: Promise<unknown> | null = null;
  #isStopping = false;
  #failure: { readonly error: unknown } | null = null;

  constructor(db: TestMysqlDatabase, options: MysqlWorkloadOptions) {
    this.#db = db;
    this.#options = options;
  }

  start(): void {
    const { seed, writers } = this.#options;
    this.#running = Promise.all(Array.from({ length: writers }, (_, i) => this.#write(new Random(seed * 1000 + i))));
  }

  /** Ends the writers between two transactions. Rejects with whatever a writer did not expect. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Resolves when that many more transactions have been committed from now on. */
  async untilCommitted(more: number): Promise<void> {
    const goal = this.#committed + more;
    const reached = (): boolean => {
      if (this.#failure !== null) throw this.#failure.error;
      return this.#committed >= goal;
    };
    await waitFor(`the workload to commit ${more} transactions`, reached, DEADLINE_MS);
  }

  async #write(random: Random): Promise<void> {
    try {
      const client = await this.#db.client();
      await client.query("SET innodb_lock_wait_timeout = 2");
      while (!this.#isStopping) await this.#transaction(client, random);
    } catch (error) {
      this.#failure ??= { error };
      this.#isStopping = true;
    }
  }

  /** A few statements, some of them under savepoints that are kept or rolled back. */
  async #transaction(client: Connection, random: Random): Promise<void> {
    try {
      await client.query("START TRANSACTION");
      for (let left = 1 + random.below(5); left > 0; left--) {
        const hasSavepoint = random.chance(0.2);
        if (hasSavepoint) await client.query("SAVEPOINT here");
        const [sql, values] = random.pick(STEPS)(random, this.#options.rows);
        await client.query(sql, [...values]);
        if (hasSavepoint) await client.query(random.chance(0.5) ? "ROLLBACK TO here" : "RELEASE SAVEPOINT here");
      }
      await client.query(random.chance(0.1) ? "ROLLBACK" : "COMMIT");
      this.#committed++;
    } catch (error) {
      if (!EXPECTED.has((error as { errno?: number }).errno ?? 0)) throw error;
      await client.query("ROLLBACK");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }
}

/**
 * Makes the tables and fills them.
 *
 * - `orders`: a bigint key, with room between the keys.
 * - `stock`: a key of (text in a collation that knows neither case nor accents, int).
 * - `sessions`: a key of 16 bytes, and JSON.
 */
export async function createMysqlWorkload(
  db: TestMysqlDatabase,
  options: MysqlWorkloadOptions,
): Promise<MysqlWorkload> {
  const { rows } = options;
  await db.query(`CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(100) NOT NULL, amount decimal(12,2) NOT NULL,
    note text, is_paid tinyint(1) NOT NULL DEFAULT 0, changed_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))`);
  await db.query(`CREATE TABLE stock (warehouse varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
    product int NOT NULL, quantity int NOT NULL, label varchar(20), PRIMARY KEY (warehouse, product))`);
  await db.query(
    "CREATE TABLE sessions (id binary(16) PRIMARY KEY, visits int unsigned NOT NULL, weight double, data json)",
  );
  const random = new Random(options.seed);
  for (let from = 0; from < rows; from += 500) {
    const ids = Array.from({ length: Math.min(500, rows - from) }, (_, i) => from + i);
    await db.query("INSERT INTO orders (id, customer, amount, note) VALUES ?", [
      ids.map((i) => [
        (i + 1) * 10,
        `customer ${i % 100}`,
        (i % 1000) / 4,
        i % 3 === 0 ? `note ${i} `.repeat(50) : null,
      ]),
    ]);
    await db.query("INSERT INTO stock VALUES ?", [
      ids.map((i) => [WAREHOUSES[i % 7], Math.floor(i / 7), i % 50, null]),
    ]);
    await db.query("INSERT INTO sessions VALUES ?", [
      ids.map((i) => [Buffer.from(hexId(random), "hex"), i % 9, i / 7, i % 4 === 0 ? '{"a": [1, "x"]}' : null]),
    ]);
  }
  return new MysqlWorkload(db, options);
}
