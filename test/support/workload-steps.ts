import type { Random } from "./random.ts";
import type { Dialect } from "./workload-session.ts";

/** A statement of the workload, chosen with a chance of `weight` against the others'. The values are any dialect's. */
interface Step {
  readonly name: string;
  readonly weight: number;
  readonly sql: Readonly<Record<Dialect, string>>;
  values(random: Random, rows: number): readonly unknown[];
}

export const WAREHOUSES: readonly string[] = ["Åre", "aachen", "Zürich", "zagreb", "Ähre", "B-1", "b 1", "ß", "SS"];
const HOT_KEYS = 10;

/** Any place in the range that the table was filled with, and a little above; the lower, the more often. */
function orderId(random: Random, rows: number): number {
  const place = random.chance(0.2) ? random.next() ** 8 : random.next();
  return Math.floor(place * rows * 11) + 1;
}
const amount = (random: Random): string => (random.below(1_000_000) / 100).toFixed(2);
const eventKind = (random: Random): string => `kind ${random.below(20)}`;

const either = (sql: string): Step["sql"] => ({ postgres: sql, mysql: sql });

/** MySQL keeps a uuid as 16 bytes. */
const mysqlUuid = (place: string): string => `UNHEX(REPLACE(${place}, '-', ''))`;

/** Some row at or above a random key: found by the index, whichever keys are there. */
const SOME_ORDER: Step["sql"] = {
  postgres: "id = (SELECT id FROM orders WHERE id >= $1 ORDER BY id LIMIT 1)",
  mysql: "id >= $1 ORDER BY id LIMIT 1",
};
const SOME_SESSION: Step["sql"] = {
  postgres: "id = (SELECT id FROM sessions WHERE id >= $1 ORDER BY id LIMIT 1)",
  mysql: `id >= ${mysqlUuid("$1")} ORDER BY id LIMIT 1`,
};
/** Any one of the rows that look the same. */
const SOME_EVENT: Step["sql"] = {
  postgres: "ctid = (SELECT ctid FROM events WHERE kind = $1 LIMIT 1)",
  mysql: "kind = $1 LIMIT 1",
};

const where = (statement: string, condition: Step["sql"]): Step["sql"] => ({
  postgres: `${statement} WHERE ${condition.postgres}`,
  mysql: `${statement} WHERE ${condition.mysql}`,
});

const ORDERS: readonly Step[] = [
  {
    name: "orders: change a hot row, not its long text",
    weight: 6,
    sql: either(
      "UPDATE orders SET amount = $2, is_paid = NOT is_paid, changed_at = CURRENT_TIMESTAMP(6) WHERE id = $1",
    ),
    values: (random) => [(1 + random.below(HOT_KEYS)) * 10, amount(random)],
  },
  {
    name: "orders: change any row, not its long text",
    weight: 4,
    sql: where("UPDATE orders SET customer = $2", SOME_ORDER),
    values: (random, rows) => [orderId(random, rows), random.text(12)],
  },
  {
    name: "orders: change the long text",
    weight: 2,
    sql: where("UPDATE orders SET note = $2", SOME_ORDER),
    values: (random, rows) => [orderId(random, rows), random.chance(0.2) ? null : random.text(3_000)],
  },
  {
    name: "orders: insert above the end",
    weight: 4,
    sql: either("INSERT INTO orders (customer, amount, note) VALUES ($1, $2, $3)"),
    values: (random) => [random.text(8), amount(random), random.chance(0.2) ? random.text(3_000) : null],
  },
  {
    name: "orders: insert in between, or replace",
    weight: 3,
    sql: {
      postgres: `INSERT INTO orders (id, customer, amount) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, note = NULL`,
      mysql: `INSERT INTO orders (id, customer, amount) VALUES ($1, $2, $3)
        ON DUPLICATE KEY UPDATE customer = VALUES(customer), note = NULL`,
    },
    values: (random, rows) => [orderId(random, rows), random.text(8), amount(random)],
  },
  {
    name: "orders: move a row to another key",
    weight: 4,
    sql: {
      postgres: `UPDATE orders SET id = $2, changed_at = CURRENT_TIMESTAMP(6) WHERE ${SOME_ORDER.postgres}
        AND NOT EXISTS (SELECT FROM orders WHERE id = $2)`,
      mysql: `UPDATE IGNORE orders SET id = $2, changed_at = CURRENT_TIMESTAMP(6) WHERE ${SOME_ORDER.mysql}`,
    },
    values: (random, rows) => [orderId(random, rows), orderId(random, rows)],
  },
  {
    name: "orders: shift a stretch of keys",
    weight: 1,
    sql: {
      postgres: "UPDATE orders SET id = id + $2 WHERE id BETWEEN $1::bigint AND $1::bigint + 40",
      mysql: "UPDATE orders SET id = id + $2 WHERE id BETWEEN $1 AND $1 + 40",
    },
    values: (random, rows) => [orderId(random, rows), rows * 20 + random.below(rows * 1_000_000)],
  },
  {
    name: "orders: delete",
    weight: 5,
    sql: where("DELETE FROM orders", SOME_ORDER),
    values: (random, rows) => [orderId(random, rows)],
  },
];

const STOCK: readonly Step[] = [
  {
    name: "stock: insert or count",
    weight: 5,
    sql: {
      postgres: `INSERT INTO stock (warehouse, product, quantity) VALUES ($1, $2, $3)
        ON CONFLICT (warehouse, product) DO UPDATE SET quantity = stock.quantity + excluded.quantity`,
      mysql: `INSERT INTO stock (warehouse, product, quantity) VALUES ($1, $2, $3)
        ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)`,
    },
    values: (random, rows) => [random.pick(WAREHOUSES), random.below(rows / 6), random.below(100)],
  },
  {
    name: "stock: move to another warehouse",
    weight: 3,
    sql: {
      postgres: `UPDATE stock SET warehouse = $3, label = $4 WHERE warehouse = $1 AND product = $2
        AND NOT EXISTS (SELECT FROM stock s WHERE s.warehouse = $3 AND s.product = $2)`,
      mysql: "UPDATE IGNORE stock SET warehouse = $3, label = $4 WHERE warehouse = $1 AND product = $2",
    },
    values: (random, rows) => [
      random.pick(WAREHOUSES),
      random.below(rows / 6),
      random.pick(WAREHOUSES),
      random.text(5),
    ],
  },
  {
    name: "stock: delete",
    weight: 2,
    sql: either("DELETE FROM stock WHERE warehouse = $1 AND product = $2"),
    values: (random, rows) => [random.pick(WAREHOUSES), random.below(rows / 6)],
  },
];

const SESSIONS: readonly Step[] = [
  {
    name: "sessions: insert",
    weight: 3,
    sql: {
      postgres: "INSERT INTO sessions (id, visits, weight, data) VALUES ($1, 1, $2, $3)",
      mysql: `INSERT INTO sessions (id, visits, weight, data) VALUES (${mysqlUuid("$1")}, 1, $2, $3)`,
    },
    values: (random) => [random.uuid(), random.next(), random.chance(0.5) ? sessionData(random) : null],
  },
  {
    name: "sessions: count a visit",
    weight: 4,
    sql: where("UPDATE sessions SET visits = visits + 1", SOME_SESSION),
    values: (random) => [random.uuid()],
  },
  {
    name: "sessions: give another key",
    weight: 2,
    sql: {
      postgres: `UPDATE sessions SET id = $2 WHERE ${SOME_SESSION.postgres}`,
      mysql: `UPDATE sessions SET id = ${mysqlUuid("$2")} WHERE ${SOME_SESSION.mysql}`,
    },
    values: (random) => [random.uuid(), random.uuid()],
  },
  {
    name: "sessions: delete",
    weight: 3,
    sql: where("DELETE FROM sessions", SOME_SESSION),
    values: (random) => [random.uuid()],
  },
];

function sessionData(random: Random): string {
  return JSON.stringify({ text: random.text(9), list: [1, 2.5, null] });
}

const EVENTS: readonly Step[] = [
  {
    name: "events: insert the same row twice",
    weight: 2,
    sql: {
      postgres: "INSERT INTO events (kind, level, at) SELECT $1, $2::int, '2026-01-01' FROM generate_series(1, 2)",
      mysql: "INSERT INTO events (kind, level, at) VALUES ($1, $2, '2026-01-01'), ($1, $2, '2026-01-01')",
    },
    values: (random) => [eventKind(random), random.below(3)],
  },
  {
    name: "events: delete one of identical rows",
    weight: 4,
    sql: where("DELETE FROM events", SOME_EVENT),
    values: (random) => [eventKind(random)],
  },
  {
    name: "events: change one of identical rows",
    weight: 2,
    sql: where("UPDATE events SET level = $2, at = NULL", SOME_EVENT),
    values: (random) => [eventKind(random), random.below(3)],
  },
];

export const STEPS: readonly Step[] = [...ORDERS, ...STOCK, ...SESSIONS, ...EVENTS];
const WEIGHT = STEPS.reduce((sum, step) => sum + step.weight, 0);

export function chooseStep(random: Random): Step {
  let left = random.next() * WEIGHT;
  return STEPS.find((step) => (left -= step.weight) < 0) ?? random.pick(STEPS);
}

/**
 * What a long transaction does: inserts a session ($1, $2) and an event ($1, $2) again and again, and deletes at its end
 * the sessions that it is told ($1) one by one, and of the events of its name ($1) the most. Others seldom touch these.
 */
export const LONG_TRANSACTION: Readonly<
  Record<"insertSession" | "insertEvent" | "deleteSession" | "deleteEvents", Step["sql"]>
> = {
  insertSession: {
    postgres: "INSERT INTO sessions (id, visits) VALUES ($1, $2)",
    mysql: `INSERT INTO sessions (id, visits) VALUES (${mysqlUuid("$1")}, $2)`,
  },
  deleteSession: {
    postgres: "DELETE FROM sessions WHERE id = $1",
    mysql: `DELETE FROM sessions WHERE id = ${mysqlUuid("$1")}`,
  },
  insertEvent: either("INSERT INTO events (kind, level, at) VALUES ($1, $2, '2026-02-01')"),
  deleteEvents: either("DELETE FROM events WHERE kind = $1 AND level > 0"),
};
