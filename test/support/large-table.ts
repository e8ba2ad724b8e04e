import { Pace } from "./pace.ts";
import type { TestDatabase } from "./postgres.ts";
import { Random } from "./random.ts";
import type { TestPipeline } from "./test-pipeline.ts";
import { openWorkloadSession, type WorkloadSession } from "./workload-session.ts";

const STATEMENTS_PER_SECOND = 200;
/** Compared at a time, so that neither side has to hold all rows as one text. */
const RANGE_ROWS = 10_000;
const DIFFERENCES_MAX = 10;

/** A table of PostgreSQL with as many rows as a test asks for, and a writer that goes all over it. */
export class LargeTable implements AsyncDisposable {
  readonly name: string = "large";
  readonly #db: TestDatabase;
  readonly #rows: number;
  readonly #random: Random;
  readonly #pace = new Pace(STATEMENTS_PER_SECOND);
  readonly #isStopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** Statements that have changed a row. */
  changes: number = 0;

  constructor(db: TestDatabase, rows: number, seed: number) {
    this.#db = db;
    this.#rows = rows;
    this.#random = new Random(seed);
  }

  start(): void {
    this.#running = this.#write();
    this.#running.catch(() => undefined);
  }

  /** Ends the writer. Rejects with what it did not expect. */
  async stop(): Promise<void> {
    this.#isStopping.abort();
    await this.#running;
  }

  async #write(): Promise<void> {
    const session = await openWorkloadSession(this.#db);
    let above = this.#rows;
    while (!this.#isStopping.signal.aborted) {
      await this.#pace.turn();
      const which = this.#random.below(10);
      if (which === 0) this.changes += await session.run("INSERT INTO large VALUES ($1, 0, 'new')", [++above]);
      else this.changes += await this.#change(session, which === 1, 1 + this.#random.below(this.#rows));
    }
    await session.end();
  }

  async #change(session: WorkloadSession, isDelete: boolean, id: number): Promise<number> {
    if (isDelete) return await session.run("DELETE FROM large WHERE id = $1", [id]);
    return await session.run("UPDATE large SET n = n + 1 WHERE id >= $1 AND id < $2", [id, id + 3]);
  }

  /** How the sink differs from the source as it is now, by the digests of ranges of keys. */
  async differences(pipeline: TestPipeline): Promise<readonly string[]> {
    const source = await this.#db.query<{ digest: string }>(digests("public.large"));
    const sink = (await pipeline.sinkRows(digests("public.large"))).map(([digest]) => String(digest));
    if (source.length < this.#rows / RANGE_ROWS) throw new Error(`there are ${source.length} ranges to compare`);
    const inSink = new Set(sink);
    const inSource = new Set(source.map(({ digest }) => digest));
    return [
      ...[...inSource].filter((digest) => !inSink.has(digest)).map((digest) => `in the source alone: ${digest}`),
      ...sink.filter((digest) => !inSource.has(digest)).map((digest) => `in the sink alone: ${digest}`),
    ].slice(0, DIFFERENCES_MAX);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping.abort();
    await this.#running.catch(() => undefined);
  }
}

/** The same SQL for PostgreSQL and DuckDB: a text for each range that has rows. */
function digests(relation: string): string {
  const row = "concat_ws('|', id, n, coalesce(note, '-'))";
  return `SELECT concat_ws(' ', min(id), max(id), count(*), md5(string_agg(${row}, ',' ORDER BY id))) AS digest
    FROM ${relation} GROUP BY id - id % ${RANGE_ROWS} ORDER BY min(id)`;
}

/** Makes and fills the table; `start` makes the writer run: `await using large = await createLargeTable(db, 1_000, 1)`. */
export async function createLargeTable(db: TestDatabase, rows: number, seed: number): Promise<LargeTable> {
  await db.query("CREATE TABLE large (id bigint PRIMARY KEY, n int NOT NULL, note text)");
  await db.query(
    `INSERT INTO large SELECT i, i % 7, CASE WHEN i % 3 > 0 THEN 'note ' || md5(i::text) END FROM generate_series(1, ${rows}) i`,
  );
  await db.query("ANALYZE large");
  return new LargeTable(db, rows, seed);
}
