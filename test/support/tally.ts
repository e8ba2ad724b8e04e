import { Pace } from "./pace.ts";
import { Random } from "./random.ts";
import type { AnyDatabase } from "./test-server.ts";
import { waitFor } from "./wait-for.ts";
import { openWorkloadSession } from "./workload-session.ts";

/** Of `tally`: few, so that each is counted up again and again. */
const ROWS = 200;
const ROWS_MAX = 12;
const STEPS_PER_SECOND = 50;

/**
 * A writer that makes a log of changes accountable: each transaction adds one to some rows of `tally`, and says in a row of
 * `steps` to how many. What is delivered twice or not at all breaks the count of a key or of a transaction, whatever
 * the present rows say. `tallyFaults` in lake-log.ts holds a log to it.
 */
export class Tally implements AsyncDisposable {
  readonly tables: readonly string[] = ["tally", "steps"];
  readonly #db: AnyDatabase;
  readonly #random: Random;
  readonly #pace = new Pace(STEPS_PER_SECOND);
  #steps = 0;
  #running: Promise<void> | null = null;
  #isStopping = false;

  constructor(db: AnyDatabase, seed: number) {
    this.#db = db;
    this.#random = new Random(seed);
  }

  get steps(): number {
    return this.#steps;
  }

  start(): void {
    this.#isStopping = false;
    this.#running = this.#write();
    this.#running.catch(() => undefined);
  }

  /** Resolves when so many more transactions are committed. */
  async untilSteps(more: number): Promise<void> {
    const goal = this.#steps + more;
    await waitFor(`${more} more steps`, () => this.#steps >= goal);
  }

  /** Ends the writer between two transactions. Rejects with what it did not expect. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    this.#running = null;
  }

  async #write(): Promise<void> {
    const session = await openWorkloadSession(this.#db);
    while (!this.#isStopping) {
      await this.#pace.turn();
      const first = 1 + this.#random.below(ROWS - ROWS_MAX);
      const rows = 1 + this.#random.below(ROWS_MAX);
      await session.begin([]);
      await session.run("UPDATE tally SET n = n + 1 WHERE id >= $1 AND id < $2", [first, first + rows]);
      await session.run("INSERT INTO steps VALUES ($1, $2)", [this.#steps + 1, rows]);
      await session.run("COMMIT");
      this.#steps += 1;
    }
    await session.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#running?.catch(() => undefined);
  }
}

/** Makes and fills the tables; `start` makes it run: `await using tally = await createTally(db, 1)`. */
export async function createTally(db: AnyDatabase, seed: number): Promise<Tally> {
  await db.query("CREATE TABLE tally (id int PRIMARY KEY, n int NOT NULL)");
  await db.query("CREATE TABLE steps (id int PRIMARY KEY, touched int NOT NULL)");
  await db.query(`INSERT INTO tally VALUES ${Array.from({ length: ROWS }, (_, i) => `(${i + 1}, 0)`).join(", ")}`);
  return new Tally(db, seed);
}
