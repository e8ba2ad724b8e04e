import type { Cut, Transaction } from "../../src/core/position.ts";
import { type FollowedTable, followTable, int64s } from "./followed-table.ts";
import { ALL, deadline, GRANT, NO_CAPS } from "./mysql-source.ts";
import { Random } from "./random.ts";
import type { AnyDatabase } from "./test-server.ts";
import { waitFor } from "./wait-for.ts";
import { openWorkloadSession, type WorkloadSession } from "./workload-session.ts";

const ROWS = 2_000;
/** Versions of one writer are below those of the next: each names the transaction that wrote it. */
const VERSIONS = 1_000_000_000;

export interface CutRace {
  /** What was wrong with a chunk, with its number: empty where every cut was right. */
  readonly faults: readonly string[];
  readonly transactions: number;
  /** Chunks that the log had overtaken, and rows of them that it delivered in their place. */
  readonly overtaken: number;
  readonly delivered: number;
  /** Where that was waited for: how long what the log had just brought took to count as visible, a chunk each. */
  readonly settledMs: readonly number[];
}

interface RacedChunk {
  readonly cut: Pick<Cut, "surelyIncludes" | "bound">;
  readonly rows: ReadonlyMap<bigint, bigint>;
}

export interface RaceOptions {
  readonly cuts: number;
  readonly writers: number;
  /**
   * A chunk includes what counted as visible before it was read, beside its own cut: as in the merge, whose windows begin
   * with what does not.
   */
  readonly settled?: boolean;
}

/**
 * Reads a table as one chunk `cuts` times, once each, while `writers` sessions write to it without a pause, and compares
 * each with the log. A chunk's rows, and over them what its cut does not surely include, must be the table as it is where
 * the chunk enters the line; and no row may be of a transaction beyond its bound.
 */
export async function raceCuts(db: AnyDatabase, { cuts, writers, settled = false }: RaceOptions): Promise<CutRace> {
  await db.query("CREATE TABLE raced (id bigint PRIMARY KEY, version bigint NOT NULL)");
  await using table = await followTable(db, "raced");
  await db.query(`INSERT INTO raced VALUES ${Array.from({ length: ROWS }, (_, id) => `(${id}, ${id})`).join(", ")}`);
  const stop = new AbortController();
  const writing = Promise.all(
    Array.from({ length: writers }, (_, writer) =>
      write(db, writer, stop.signal).catch((error: unknown) => stop.abort(error)),
    ),
  );
  const chunks: RacedChunk[] = [];
  const settledMs: number[] = [];
  try {
    while (chunks.length < cuts && !stop.signal.aborted) {
      const beganMs = performance.now();
      const visible = settled ? await untilVisible(table) : null;
      settledMs.push(performance.now() - beganMs);
      const { cut, rows } = await readChunk(table);
      const surelyIncludes = (transaction: Transaction): boolean =>
        cut.surelyIncludes(transaction) || visible?.surelyIncludes(transaction) === true;
      chunks.push({ cut: { surelyIncludes, bound: cut.bound }, rows });
    }
    if (stop.signal.aborted) throw stop.signal.reason;
  } finally {
    stop.abort();
    await writing;
  }
  await table.untilRead();
  return { ...compare(table, chunks), settledMs };
}

/** What counts as visible when that has all that the log had brought at the call. */
async function untilVisible(table: FollowedTable): Promise<Cut> {
  const newest = table.transactions.at(-1);
  let cut = await table.visible();
  await waitFor("what the log has to count as visible", async () => {
    cut = await table.visible();
    return newest === undefined || cut.surelyIncludes(newest.transaction);
  });
  return cut;
}

async function write(db: AnyDatabase, writer: number, stop: AbortSignal): Promise<void> {
  const session = await openWorkloadSession(db);
  const random = new Random(writer);
  for (let version = (writer + 1) * VERSIONS; !stop.aborted;) {
    try {
      await session.begin([]);
      for (let left = 1 + random.below(3); left > 0; left--) await writeRow(session, random, version++);
      await session.run(random.chance(0.1) ? "ROLLBACK" : "COMMIT");
    } catch (error) {
      if (!session.isConflict(error)) throw error;
      await session.run("ROLLBACK");
    }
  }
  await session.end();
}

const UPSERT = {
  postgres: "INSERT INTO raced VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET version = excluded.version",
  mysql: "INSERT INTO raced VALUES ($1, $2) ON DUPLICATE KEY UPDATE version = VALUES(version)",
} as const;

async function writeRow(session: WorkloadSession, random: Random, version: number): Promise<void> {
  const id = random.below(ROWS);
  const kind = random.next();
  if (kind < 0.2) await session.run("DELETE FROM raced WHERE id = $1", [id]);
  else if (kind < 0.4)
    await session.run("UPDATE raced SET id = $2, version = $3 WHERE id = $1", [id, random.below(ROWS), version]);
  else await session.run(UPSERT[session.dialect], [id, version]);
}

async function readChunk(table: FollowedTable): Promise<{ readonly cut: Cut; readonly rows: RacedChunk["rows"] }> {
  const rows = new Map<bigint, bigint>();
  let cut: Cut | null = null;
  await table.reader.read(
    { grant: GRANT, schema: table.schema, range: ALL, ...NO_CAPS },
    {
      opened: (serialized) => {
        cut = table.parseCut(serialized);
      },
      batch: async ({ columns, length }) => {
        const [ids, versions] = columns.map(int64s);
        for (let row = 0; row < length; row++) rows.set(ids![row]!, versions![row]!);
      },
    },
    deadline(),
  );
  return { cut: cut!, rows };
}

function compare(table: FollowedTable, chunks: readonly RacedChunk[]): Omit<CutRace, "settledMs"> {
  const { transactions } = table;
  const writtenBy = new Map(
    transactions.flatMap(({ transaction, changes }) => changes.map(([, version]) => [version, transaction] as const)),
  );
  const state = new Map<bigint, bigint>();
  const faults: string[] = [];
  let applied = 0;
  let overtaken = 0;
  let delivered = 0;
  for (const [number, { cut, rows }] of chunks.entries()) {
    const end = table.entersAt(cut.bound);
    for (; applied < end; applied++)
      for (const [id, version] of transactions[applied]!.changes)
        if (version === null) state.delete(id);
        else state.set(id, version);
    const unsure = transactions.slice(0, end).filter(({ transaction }) => !cut.surelyIncludes(transaction));
    const touched = new Set(unsure.flatMap(({ changes }) => changes.map(([id]) => id)));
    overtaken += Number(touched.size > 0);
    delivered += touched.size;
    for (const id of new Set([...rows.keys(), ...state.keys()]))
      if (!touched.has(id) && rows.get(id) !== state.get(id))
        faults.push(`chunk ${number}: row ${id} is ${rows.get(id)}, by the log ${state.get(id)}`);
    for (const [id, version] of rows) {
      const writer = writtenBy.get(version);
      if (writer === undefined || !cut.bound.has(writer)) faults.push(`chunk ${number}: row ${id} is beyond its bound`);
    }
  }
  return { faults, transactions: transactions.length, overtaken, delivered };
}
