import pg from "pg";
import { FILLED } from "./shop.ts";

export interface WorkloadCounts {
  readonly transactions: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly moved: number;
}

type Change = Exclude<keyof WorkloadCounts, "transactions">;

/** What one kind of transaction does, by `run`, and how often it comes, in parts of all. */
interface Transaction {
  readonly share: number;
  run(session: Session): Promise<void>;
}

/** Deadlocks, and a customer that was given another key meanwhile: the transaction is simply gone. */
const PASSING = new Set(["40P01", "23503"]);

/** A connection and the counting of what it changes. */
class Session {
  readonly client: pg.Client;
  readonly #counts: Record<Change, number>;
  /** Order ids of this session's own, above those of the fill. */
  nextOrder: number;
  readonly stride: number;

  constructor(client: pg.Client, counts: Record<Change, number>, nextOrder: number, stride: number) {
    this.client = client;
    this.#counts = counts;
    this.nextOrder = nextOrder;
    this.stride = stride;
  }

  async change(as: Change, sql: string, values: readonly unknown[] = []): Promise<void> {
    const result = await this.client.query({ name: statementName(sql), text: sql, values: [...values] });
    this.#counts[as] += result.rowCount ?? 0;
  }

  uncount(before: Readonly<Record<Change, number>>): void {
    Object.assign(this.#counts, before);
  }
}

/** Prepared once a connection, under a name that PostgreSQL takes. */
const statementNames = new Map<string, string>();

function statementName(sql: string): string {
  const name = statementNames.get(sql) ?? `statement_${statementNames.size}`;
  statementNames.set(sql, name);
  return name;
}

function below(limit: number): number {
  return 1 + Math.floor(Math.random() * limit);
}

function someSku(): string {
  return `SKU-${String(below(FILLED.products)).padStart(6, "0")}`;
}

/** Keys are picked over the whole tables, so that rows are hit before, while and after their chunk is read. */
const TRANSACTIONS: readonly Transaction[] = [
  {
    share: 30, // a new order
    async run(session) {
      const order = session.nextOrder;
      session.nextOrder += session.stride;
      await session.change(
        "inserted",
        `insert into orders select $1, id, 'new', $2, 'Ünïcode, "quoted"', current_date, now(), now()
         from customers where id >= $3 order by id limit 1`,
        [order, (below(99_999) / 100).toFixed(2), below(FILLED.customers)],
      );
      await session.change(
        "inserted",
        `insert into order_lines select id, l, $2, 1 + l, 9.99, null, false from orders, generate_series(1, 3) l where id = $1`,
        [order, someSku()],
      );
    },
  },
  {
    share: 30, // an order goes on
    run: (session) =>
      session.change(
        "updated",
        `update orders set status = 'paid', total = total + 0.01, updated_at = clock_timestamp() where id = $1`,
        [below(FILLED.orders)],
      ),
  },
  {
    share: 15, // a price changes; the long description is stored out of line and is not in the log
    run: (session) =>
      session.change(
        "updated",
        `update products set price = price + 0.05, available = not available, tags = tags || array['sale'], updated_at = clock_timestamp() where sku = $1`,
        [someSku()],
      ),
  },
  {
    share: 8, // an order is cancelled
    async run(session) {
      const order = below(FILLED.orders);
      await session.change("deleted", "delete from order_lines where order_id = $1", [order]);
      await session.change("deleted", "delete from orders where id = $1", [order]);
    },
  },
  {
    share: 7, // part of a composite key changes
    run: (session) =>
      session.change("moved", "update order_lines set line_no = line_no + 10 where order_id = $1", [
        below(FILLED.orders),
      ]),
  },
  {
    share: 3, // a text key changes, with a value beside it that the log does not carry
    run: (session) =>
      session.change("moved", "update products set sku = sku || '-b' where sku = $1 and length(sku) < 30", [someSku()]),
  },
  {
    share: 2, // a key changes that other tables follow
    run: (session) =>
      session.change(
        "moved",
        "update customers set id = id + 1000000, preferences = '{\"moved\": true}' where id = $1",
        [below(FILLED.customers)],
      ),
  },
  {
    share: 4, // nothing, in the end
    async run(session) {
      await session.change("updated", "update orders set status = 'never seen' where id = $1", [below(FILLED.orders)]);
      throw new RolledBack();
    },
  },
  {
    share: 1, // many rows at once, part of them undone
    async run(session) {
      const first = below(FILLED.orders);
      await session.change(
        "updated",
        "update order_lines set quantity = quantity + 1 where order_id between $1 and $1 + 200",
        [first],
      );
      await session.client.query("savepoint part");
      await session.client.query("delete from order_lines where order_id between $1 and $1 + 200", [first]);
      await session.client.query("rollback to savepoint part");
    },
  },
];

class RolledBack extends Error {}

/** Writers that never pause, each on a connection of its own. */
export class Workload {
  readonly #counts: Record<Change, number> = { inserted: 0, updated: 0, deleted: 0, moved: 0 };
  readonly #running: Promise<unknown>;
  #transactions = 0;
  #stopped = false;
  #failure: { readonly cause: unknown } | null = null;

  constructor(config: pg.ClientConfig, writers: number) {
    const all = Array.from({ length: writers }, (_, writer) => this.#write(config, writer, writers));
    this.#running = Promise.all(all).catch((cause: unknown) => (this.#failure ??= { cause }));
  }

  counts(): WorkloadCounts {
    return { transactions: this.#transactions, ...this.#counts };
  }

  /** When it resolves, the last transaction has ended. Rejects where a writer had failed. */
  async stop(): Promise<WorkloadCounts> {
    this.#stopped = true;
    await this.#running;
    if (this.#failure !== null) throw new Error("a writer of the demo failed", this.#failure);
    return this.counts();
  }

  async #write(config: pg.ClientConfig, writer: number, writers: number): Promise<void> {
    const client = new pg.Client(config);
    client.on("error", (cause) => (this.#failure ??= { cause }));
    await client.connect();
    try {
      const own: Record<Change, number> = { inserted: 0, updated: 0, deleted: 0, moved: 0 };
      const session = new Session(client, own, FILLED.orders + 1 + writer, writers);
      while (!this.#stopped) await this.#transaction(session, own);
    } finally {
      await client.end();
    }
  }

  /** `own` counts this transaction alone: what is rolled back was not changed. */
  async #transaction(session: Session, own: Record<Change, number>): Promise<void> {
    session.uncount({ inserted: 0, updated: 0, deleted: 0, moved: 0 });
    await session.client.query("begin");
    try {
      await pick().run(session);
      await session.client.query("commit");
      this.#transactions += 1;
      for (const change of Object.keys(own) as Change[]) this.#counts[change] += own[change];
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (!(error instanceof RolledBack) && !(typeof code === "string" && PASSING.has(code))) throw error;
      await session.client.query("rollback");
    }
  }
}

export function changes(counts: WorkloadCounts): number {
  return counts.inserted + counts.updated + counts.deleted + counts.moved;
}

const SHARES = TRANSACTIONS.reduce((sum, { share }) => sum + share, 0);

function pick(): Transaction {
  let left = Math.random() * SHARES;
  for (const transaction of TRANSACTIONS) {
    left -= transaction.share;
    if (left < 0) return transaction;
  }
  return TRANSACTIONS[0]!;
}
