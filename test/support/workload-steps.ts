import type { Random } from "./random.ts";

/** A statement of the workload, chosen with a chance of `weight` against the others'. */
interface Step {
  readonly name: string;
  readonly weight: number;
  sql(random: Random, rows: number): readonly [text: string, values: readonly unknown[]];
}

const WAREHOUSES = ["Åre", "aachen", "Zürich", "zagreb", "Ähre", "B-1", "b 1", "ß", "SS"];
const HOT_KEYS = 10;

/** Any place in the range that the table was filled with, and a little above. */
const orderId = (random: Random, rows: number): number => random.below(rows * 11) + 1;
const amount = (random: Random): string => (random.below(1_000_000) / 100).toFixed(2);

/** Some row at or above a random key: found by the index, whichever keys are there. */
const SOME_SESSION = "(SELECT id FROM sessions WHERE id >= $1 ORDER BY id LIMIT 1)";
const SOME_ORDER = "(SELECT id FROM orders WHERE id >= $1 ORDER BY id LIMIT 1)";
const SOME_EVENT = "(SELECT ctid FROM events WHERE kind = $1 LIMIT 1)";
const eventKind = (random: Random): string => `kind ${random.below(20)}`;

const ORDERS: readonly Step[] = [
  {
    name: "orders: change a hot row, not its TOASTed text",
    weight: 6,
    sql: (random) => [
      "UPDATE orders SET amount = $2, is_paid = NOT is_paid, changed_at = clock_timestamp() WHERE id = $1",
      [(1 + random.below(HOT_KEYS)) * 10, amount(random)],
    ],
  },
  {
    name: "orders: change any row, not its TOASTed text",
    weight: 4,
    sql: (random, rows) => [
      `UPDATE orders SET customer = $2 WHERE id = ${SOME_ORDER}`,
      [orderId(random, rows), random.text(12)],
    ],
  },
  {
    name: "orders: change the TOASTed text",
    weight: 2,
    sql: (random, rows) => [
      `UPDATE orders SET note = $2 WHERE id = ${SOME_ORDER}`,
      [orderId(random, rows), random.chance(0.2) ? null : random.text(3_000)],
    ],
  },
  {
    name: "orders: insert above the end",
    weight: 4,
    sql: (random) => [
      "INSERT INTO orders (id, customer, amount, note) VALUES (nextval('orders_above'), $1, $2, $3)",
      [random.text(8), amount(random), random.chance(0.2) ? random.text(3_000) : null],
    ],
  },
  {
    name: "orders: insert in between, or replace",
    weight: 3,
    sql: (random, rows) => [
      `INSERT INTO orders (id, customer, amount) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, note = NULL`,
      [orderId(random, rows), random.text(8), amount(random)],
    ],
  },
  {
    name: "orders: move a row to another key",
    weight: 4,
    sql: (random, rows) => [
      `UPDATE orders SET id = $2, changed_at = clock_timestamp() WHERE id = ${SOME_ORDER}
         AND NOT EXISTS (SELECT FROM orders WHERE id = $2)`,
      [orderId(random, rows), orderId(random, rows)],
    ],
  },
  {
    name: "orders: shift a stretch of keys",
    weight: 1,
    sql: (random, rows) => {
      const from = orderId(random, rows);
      const by = rows * 20 + random.below(rows * 1_000_000);
      return ["UPDATE orders SET id = id + $2 WHERE id BETWEEN $1::bigint AND $1::bigint + 40", [from, by]];
    },
  },
  {
    name: "orders: delete",
    weight: 5,
    sql: (random, rows) => [`DELETE FROM orders WHERE id = ${SOME_ORDER}`, [orderId(random, rows)]],
  },
];

const STOCK: readonly Step[] = [
  {
    name: "stock: insert or count",
    weight: 5,
    sql: (random, rows) => [
      `INSERT INTO stock VALUES ($1, $2, $3, NULL)
         ON CONFLICT (warehouse, product) DO UPDATE SET quantity = stock.quantity + excluded.quantity`,
      [random.pick(WAREHOUSES), random.below(rows / 6), random.below(100)],
    ],
  },
  {
    name: "stock: move to another warehouse",
    weight: 3,
    sql: (random, rows) => [
      `UPDATE stock SET warehouse = $3, label = $4 WHERE warehouse = $1 AND product = $2
         AND NOT EXISTS (SELECT FROM stock s WHERE s.warehouse = $3 AND s.product = $2)`,
      [random.pick(WAREHOUSES), random.below(rows / 6), random.pick(WAREHOUSES), random.text(5)],
    ],
  },
  {
    name: "stock: delete",
    weight: 2,
    sql: (random, rows) => [
      "DELETE FROM stock WHERE warehouse = $1 AND product = $2",
      [random.pick(WAREHOUSES), random.below(rows / 6)],
    ],
  },
];

const SESSIONS: readonly Step[] = [
  {
    name: "sessions: insert",
    weight: 3,
    sql: (random) => [
      "INSERT INTO sessions VALUES ($1, 1, $2, $3)",
      [random.uuid(), random.next(), random.chance(0.5) ? JSON.stringify({ text: random.text(9) }) : null],
    ],
  },
  {
    name: "sessions: count a visit",
    weight: 4,
    sql: (random) => [`UPDATE sessions SET visits = visits + 1 WHERE id = ${SOME_SESSION}`, [random.uuid()]],
  },
  {
    name: "sessions: give another key",
    weight: 2,
    sql: (random) => [`UPDATE sessions SET id = $2 WHERE id = ${SOME_SESSION}`, [random.uuid(), random.uuid()]],
  },
  {
    name: "sessions: delete",
    weight: 3,
    sql: (random) => [`DELETE FROM sessions WHERE id = ${SOME_SESSION}`, [random.uuid()]],
  },
];

const EVENTS: readonly Step[] = [
  {
    name: "events: insert the same row twice",
    weight: 2,
    sql: (random) => [
      "INSERT INTO events SELECT $1, $2::int, '2026-01-01' FROM generate_series(1, 2)",
      [eventKind(random), random.below(3)],
    ],
  },
  {
    name: "events: delete one of identical rows",
    weight: 4,
    sql: (random) => [`DELETE FROM events WHERE ctid = ${SOME_EVENT}`, [eventKind(random)]],
  },
  {
    name: "events: change one of identical rows",
    weight: 2,
    sql: (random) => [
      `UPDATE events SET level = $2, at = NULL WHERE ctid = ${SOME_EVENT}`,
      [eventKind(random), random.below(3)],
    ],
  },
];

export const STEPS: readonly Step[] = [...ORDERS, ...STOCK, ...SESSIONS, ...EVENTS];
const WEIGHT = STEPS.reduce((sum, step) => sum + step.weight, 0);

export function chooseStep(random: Random): Step {
  let left = random.next() * WEIGHT;
  return STEPS.find((step) => (left -= step.weight) < 0) ?? random.pick(STEPS);
}
