import type { Cut } from "../../src/core/position.ts";
import { type FollowedTable, followTable, int64s } from "./followed-table.ts";
import { ALL, deadline, GRANT, NO_CAPS } from "./mysql-source.ts";
import { Random } from "./random.ts";
import type { AnyDatabase } from "./test-server.ts";
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
}

interface RacedChunk {
  readonly cut: Cut;
  readonly rows: ReadonlyMap<bigint, bigint>;
}

/**
 * Reads a table as one chunk `cuts` times, once each, while `writers` sessions write to it without a pause, and compares
 * each with the log. A chunk's rows, and over them what its cut does not surely include, must be the table as it is where
 * the chunk enters the line; and no row may be of a transaction beyond its bound.
 */
export async function raceCuts(
  db: AnyDatabase,
  { cuts, writers }: { cuts: number; writers: number },
): Promise<CutRace> {
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
  try {
    while (chunks.length < cuts && !stop.signal.aborted) chunks.push(await readChunk(table));
    if (stop.signal.aborted) throw stop.signal.reason;
  } finally {
    stop.abort();
    await writing;
  }
  await table.untilRead();
  return compare(table, chunks);
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

async function readChunk(table: FollowedTable): Promise<RacedChunk> {
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

function compare(table: FollowedTable, chunks: readonly RacedChunk[]): CutRace {
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
