import { Pace } from "./pace.ts";
import { Random } from "./random.ts";
import type { AnyDatabase } from "./test-server.ts";
import { DEADLINE_MS, waitFor } from "./wait-for.ts";
import { type Dialect, openWorkloadSession, type WorkloadSession } from "./workload-session.ts";
import { chooseStep, LONG_TRANSACTION } from "./workload-steps.ts";
import { createWorkloadTables, WORKLOAD_TABLES } from "./workload-tables.ts";

export interface WorkloadOptions {
  readonly seed: number;
  /** Of each table, before it starts. */
  readonly rows?: number;
  /** Sessions that write at the same time; one more runs long transactions. */
  readonly writers?: number;
  /** Of a long transaction: a run that begins waits for the one that is open. */
  readonly longStatements?: number;
  /** Of all sessions; default: as many as they can, which takes more than a core. For tests that wait long beside it. */
  readonly statementsPerSecond?: number;
  /** Whether `sessions` and `events` are emptied now and then. */
  readonly truncate?: boolean;
}

export interface WorkloadStats {
  readonly committed: number;
  /** Of these, how many were long. */
  readonly longCommitted: number;
  readonly rolledBack: number;
  /** Transactions that the server ended because others were in the way. */
  readonly conflicts: number;
  readonly statements: number;
  /** How often tables were emptied. */
  readonly emptied: number;
}

const TRUNCATE_CHANCE = 0.002;

const EMPTIED = [["sessions"], ["events"], ["sessions", "events"]] as const;

/**
 * Writers that never pause, on the tables of workload-tables.ts: hot rows, moved keys, inserts above the end, deletes,
 * long transactions, savepoints, rollbacks. The choices follow from the seed; how they interleave does not.
 */
export class Workload implements AsyncDisposable {
  readonly tables: readonly string[] = WORKLOAD_TABLES;
  /** May be changed while it runs: a server spoils a slot that it makes beside a TRUNCATE, now and then. */
  truncates: boolean;
  readonly #db: AnyDatabase;
  readonly #options: Required<WorkloadOptions>;
  readonly #pace: Pace;
  #stats: { -readonly [Name in keyof WorkloadStats]: number } = {
    committed: 0,
    longCommitted: 0,
    rolledBack: 0,
    conflicts: 0,
    statements: 0,
    emptied: 0,
  };
  #running: Promise<unknown> | null = null;
  #isStopping = false;
  #failure: { readonly error: unknown } | null = null;

  constructor(db: AnyDatabase, options: Required<WorkloadOptions>) {
    this.#db = db;
    this.#options = options;
    this.#pace = new Pace(options.statementsPerSecond);
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
      const session = await openWorkloadSession(this.#db);
      while (!this.#isStopping) await this.#transaction(session, random, isLong);
      await session.end();
    } catch (error) {
      this.#failure ??= { error };
      this.#isStopping = true;
    }
  }

  async #transaction(session: WorkloadSession, random: Random, isLong: boolean): Promise<void> {
    try {
      const emptied = this.truncates && random.chance(TRUNCATE_CHANCE) ? random.pick(EMPTIED) : [];
      await session.begin(emptied);
      if (emptied.length > 0) this.#stats.emptied += 1;
      if (isLong) await this.#longTransaction(session, random);
      else await this.#shortTransaction(session, random);
      const rollsBack = random.chance(0.1);
      await session.run(rollsBack ? "ROLLBACK" : "COMMIT");
      this.#stats[rollsBack ? "rolledBack" : "committed"] += 1;
      if (isLong && !rollsBack) this.#stats.longCommitted += 1;
    } catch (error) {
      if (!session.isConflict(error)) throw error;
      this.#stats.conflicts += 1;
      await session.run("ROLLBACK");
    }
  }

  /** A few statements, some of them under savepoints that are kept or rolled back. */
  async #shortTransaction(session: WorkloadSession, random: Random): Promise<void> {
    for (let left = 1 + random.below(5); left > 0; left--) {
      const hasSavepoint = random.chance(0.3);
      if (hasSavepoint) await session.run("SAVEPOINT here");
      const step = chooseStep(random);
      await this.#statement(session, step.sql, step.values(random, this.#options.rows));
      if (hasSavepoint) await session.run(random.chance(0.5) ? "ROLLBACK TO here" : "RELEASE SAVEPOINT here");
    }
  }

  /** Open over many of the others' transactions; writes rows that they seldom touch, so as not to hold them up. */
  async #longTransaction(session: WorkloadSession, random: Random): Promise<void> {
    const name = random.text(6);
    const dropped: string[] = [];
    for (let i = 0; i < this.#options.longStatements && !this.#isStopping; i++) {
      const id = random.uuid();
      if (i % 2 === 1) dropped.push(id);
      await this.#statement(session, LONG_TRANSACTION.insertSession, [id, i]);
      await this.#statement(session, LONG_TRANSACTION.insertEvent, [name, i % 3]);
    }
    for (const id of dropped) await this.#statement(session, LONG_TRANSACTION.deleteSession, [id]);
    await this.#statement(session, LONG_TRANSACTION.deleteEvents, [name]);
  }

  async #statement(
    session: WorkloadSession,
    sql: Readonly<Record<Dialect, string>>,
    values: readonly unknown[],
  ): Promise<void> {
    await this.#pace.turn();
    await session.run(sql[session.dialect], values);
    this.#stats.statements += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#running?.catch(() => undefined);
  }
}

/** Makes and fills the tables; `start` makes it run: `await using workload = await createWorkload(db, { seed: 1 })`. */
export async function createWorkload(db: AnyDatabase, options: WorkloadOptions): Promise<Workload> {
  const defaults = { rows: 2_000, writers: 4, longStatements: 300, truncate: false };
  const complete = { ...defaults, statementsPerSecond: Number.POSITIVE_INFINITY, ...options };
  await createWorkloadTables(db, complete.rows);
  return new Workload(db, complete);
}
