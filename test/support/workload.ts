import pg from "pg";
import type { TestDatabase } from "./postgres.ts";
import { Random } from "./random.ts";
import { DEADLINE_MS, waitFor } from "./wait-for.ts";
import { chooseStep } from "./workload-steps.ts";
import { createWorkloadTables, WORKLOAD_TABLES } from "./workload-tables.ts";

export interface WorkloadOptions {
  readonly seed: number;
  /** Of each table, before it starts. */
  readonly rows?: number;
  /** Sessions that write at the same time; one more runs long transactions. */
  readonly writers?: number;
  /** Of a long transaction: a run that begins waits for the one that is open. */
  readonly longStatements?: number;
  /** Whether `sessions` and `events` are emptied now and then. */
  readonly truncate?: boolean;
}

export interface WorkloadStats {
  readonly committed: number;
  readonly rolledBack: number;
  /** Transactions that the server ended because others were in the way. */
  readonly conflicts: number;
  readonly statements: number;
}

/** Others were in the way: serialization, deadlock, lock timeout, a key that was just taken. */
const EXPECTED = new Set(["40001", "40P01", "55P03", "23505"]);
const TRUNCATE_CHANCE = 0.002;

/**
 * Writers that never pause, on the tables of workload-tables.ts: hot rows, moved keys, inserts above the end, deletes,
 * long transactions, savepoints, rollbacks. The choices follow from the seed; how they interleave does not.
 */
export class Workload implements AsyncDisposable {
  readonly tables: readonly string[] = WORKLOAD_TABLES;
  /** May be changed while it runs: a server spoils a slot that it makes beside a TRUNCATE, now and then. */
  truncates: boolean;
  readonly #db: TestDatabase;
  readonly #options: Required<WorkloadOptions>;
  #stats: { -readonly [Name in keyof WorkloadStats]: number } = {
    committed: 0,
    rolledBack: 0,
    conflicts: 0,
    statements: 0,
  };
  #running: Promise<unknown> | null = null;
  #isStopping = false;
  #failure: { readonly error: unknown } | null = null;

  constructor(db: TestDatabase, options: Required<WorkloadOptions>) {
    this.#db = db;
    this.#options = options;
    this.truncates = options.truncate;
  }

  get stats(): WorkloadStats {
    return { ...this.#stats };
  }

  start(): void {
    if (this.#running !== null) throw new Error("the workload runs already");
    this.#isStopping = false;
    const { seed, writers } = this.#options;
    const sessions = Array.from({ length: writers }, (_, i) => this.#write(new Random(seed * 1000 + i), false));
    sessions.push(this.#write(new Random(seed * 1000 + writers), true));
    this.#running = Promise.all(sessions);
    this.#running.catch(() => undefined);
  }

  /** Ends the writers between two transactions. Rejects with whatever a writer did not expect. */
  async stop(): Promise<WorkloadStats> {
    this.#isStopping = true;
    await this.#running;
    this.#running = null;
    this.throwIfFailed();
    return this.stats;
  }

  /** Throws what a writer did not expect: nothing is written any more, and whoever waits for changes waits in vain. */
  throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Resolves when that many more transactions have been committed from now on. */
  async untilCommitted(more: number, deadlineMs: number = DEADLINE_MS): Promise<void> {
    const goal = this.#stats.committed + more;
    const reached = (): boolean => {
      this.throwIfFailed();
      return this.#stats.committed >= goal;
    };
    await waitFor(`the workload to commit ${more} transactions`, reached, deadlineMs);
  }

  async #write(random: Random, isLong: boolean): Promise<void> {
    try {
      const client = await this.#db.client();
      await client.query("SET lock_timeout = '2s'");
      while (!this.#isStopping) await this.#transaction(client, random, isLong);
      await client.end();
    } catch (error) {
      this.#failure ??= { error };
      this.#isStopping = true;
    }
  }

  async #transaction(client: pg.Client, random: Random, isLong: boolean): Promise<void> {
    try {
      await client.query("BEGIN");
      if (this.truncates && random.chance(TRUNCATE_CHANCE))
        await client.query(random.pick(["TRUNCATE sessions", "TRUNCATE events", "TRUNCATE sessions, events"]));
      if (isLong) await this.#longTransaction(client, random);
      else await this.#shortTransaction(client, random);
      const rollsBack = random.chance(0.1);
      await client.query(rollsBack ? "ROLLBACK" : "COMMIT");
      this.#stats[rollsBack ? "rolledBack" : "committed"] += 1;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || !EXPECTED.has(error.code ?? "")) throw error;
      this.#stats.conflicts += 1;
      await client.query("ROLLBACK");
    }
  }

  /** A few statements, some of them under savepoints that are kept or rolled back. */
  async #shortTransaction(client: pg.Client, random: Random): Promise<void> {
    for (let left = 1 + random.below(5); left > 0; left--) {
      const hasSavepoint = random.chance(0.3);
      if (hasSavepoint) await client.query("SAVEPOINT here");
      await this.#step(client, random);
      if (hasSavepoint) await client.query(random.chance(0.5) ? "ROLLBACK TO here" : "RELEASE here");
    }
  }

  /** Open over many of the others' transactions; writes rows that they seldom touch, so as not to hold them up. */
  async #longTransaction(client: pg.Client, random: Random): Promise<void> {
    const name = random.text(6);
    for (let i = 0; i < this.#options.longStatements && !this.#isStopping; i++) {
      await client.query("INSERT INTO sessions VALUES ($1, $2, NULL, NULL)", [random.uuid(), i]);
      await client.query("INSERT INTO events VALUES ($1, $2, '2026-02-01')", [name, i % 3]);
      this.#stats.statements += 2;
    }
    await client.query("DELETE FROM sessions WHERE weight IS NULL AND visits % 2 = 1");
    await client.query("DELETE FROM events WHERE kind = $1 AND level > 0", [name]);
  }

  async #step(client: pg.Client, random: Random): Promise<void> {
    const [text, values] = chooseStep(random).sql(random, this.#options.rows);
    await client.query(text, [...values]);
    this.#stats.statements += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#running?.catch(() => undefined);
  }
}

/** Makes and fills the tables; `start` makes it run: `await using workload = await createWorkload(db, { seed: 1 })`. */
export async function createWorkload(db: TestDatabase, options: WorkloadOptions): Promise<Workload> {
  const complete = { rows: 2_000, writers: 4, longStatements: 300, truncate: false, ...options };
  await createWorkloadTables(db, complete.rows);
  return new Workload(db, complete);
}
