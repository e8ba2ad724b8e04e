import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { formatLsn, parseLsn, type PgLsn } from "../src/sources/postgres/position.ts";
import { clientConfig, type PrivatePostgres } from "../test/support/private-postgres.ts";
import { BenchPipeline, forgetSource } from "./bench-pipeline.ts";
import { BENCH_DATABASE, runSqlFile, startBenchServer, withClient } from "./bench-server.ts";
import { EngineProcess } from "./engine-process.ts";
import type { CommittedEpoch } from "./engine-report.ts";
import { type Bench, type BenchResult, type BenchRun, describe, median, percentile, result } from "./measurement.ts";

const TABLE = "orders2";
const UNIT = "ms";
const SECONDS = 30;
const TRANSACTIONS_PER_SECOND = 100;
/** A third each of inserts, updates and deletes, and one more update: 1,000 changes a second in all. */
const CHANGES_PER_TRANSACTION = 10;

/** A transaction of the workload. */
interface Written {
  /** The server's WAL write position just after the commit: at or behind the commit's end. */
  readonly lsn: PgLsn;
  /** Just before COMMIT was sent, by the clock that both processes share: not after the commit. */
  readonly atMs: number;
}

const INSERT = `INSERT INTO orders2
  SELECT $1::bigint + g, g, 'new', 'order note number ' || g, g / 7.0, g, g / 3.0, true, now(), localtimestamp
  FROM generate_series(1, 3) g`;
const UPDATE = "UPDATE orders2 SET status = 'paid', amount = amount + 1 WHERE id > $1 AND id <= $1 + 3";
const UPDATE_ONE = "UPDATE orders2 SET qty = qty + 1 WHERE id = $1 + 1";
const DELETE = "DELETE FROM orders2 WHERE id > $1 AND id <= $1 + 3";

/**
 * Transaction `number` inserts three rows, changes those of the one before, and removes those of the one before that.
 * The transactions stand on a grid of 10 ms; one that the server delays does not delay those behind it for long.
 */
async function write(server: PrivatePostgres): Promise<readonly Written[]> {
  const client = new pg.Client(clientConfig(server, BENCH_DATABASE));
  await client.connect();
  try {
    const written: Written[] = [];
    const begin = performance.now();
    for (let number = 3; number < 3 + SECONDS * TRANSACTIONS_PER_SECOND; number++) {
      const wait = begin + (number - 3) * (1000 / TRANSACTIONS_PER_SECOND) - performance.now();
      if (wait > 0) await pause(wait);
      written.push(await transaction(client, number * 3));
    }
    return written;
  } finally {
    await client.end();
  }
}

async function transaction(client: pg.Client, id: number): Promise<Written> {
  await client.query("BEGIN");
  await client.query(INSERT, [id]);
  await client.query(UPDATE, [id - 3]);
  await client.query(UPDATE_ONE, [id - 3]);
  await client.query(DELETE, [id - 6]);
  const atMs = Date.now();
  await client.query("COMMIT");
  const after = await client.query<{ lsn: string }>("SELECT pg_current_wal_lsn() AS lsn");
  return { lsn: parseLsn(after.rows[0]!.lsn), atMs };
}

/** From before the commit to the return of the sink's commit of the first epoch that reaches it: never too short. */
function latenciesMs(written: readonly Written[], committed: readonly CommittedEpoch[]): readonly number[] {
  const epochs = committed.map(({ position, atMs }) => ({ lsn: parseLsn(position), atMs }));
  let next = 0;
  return written.map(({ lsn, atMs }) => {
    while (next < epochs.length && epochs[next]!.lsn < lsn) next++;
    const epoch = epochs[next];
    if (epoch === undefined) throw new Error(`no epoch has reached ${formatLsn(lsn)}`);
    return epoch.atMs - atMs;
  });
}

async function measure(
  server: PrivatePostgres,
  pipeline: BenchPipeline,
): Promise<{ run: BenchRun; all: readonly number[] }> {
  pipeline.clear();
  await withClient(server, BENCH_DATABASE, (client) => client.query(`TRUNCATE ${TABLE}`));
  const engine = new EngineProcess(pipeline.request(null));
  try {
    await engine.streaming();
    const written = await write(server);
    // Before the stop, which would bring the last epoch's commit forward.
    const last = written.at(-1)!.lsn;
    await engine.committed(({ position }) => parseLsn(position) >= last);
    const report = await engine.stop();
    const all = latenciesMs(written, engine.epochs);
    const { cpuSeconds, rssBytesMax } = report;
    const details = {
      changes: all.length * CHANGES_PER_TRANSACTION,
      p50Ms: percentile(all, 0.5),
      p99Ms: percentile(all, 0.99),
    };
    return { run: { value: details.p99Ms, limit: null, cpuSeconds, rssBytesMax, details }, all };
  } finally {
    engine.kill();
    await forgetSource(server);
  }
}

export const pgFreshness: Bench = {
  name: "pg-freshness",
  about:
    "1,000 changes/s for 30 s, from a transaction's commit to its visibility in DuckDB at a checkpoint interval of 200 ms",
  async run(runs, say): Promise<BenchResult> {
    await using server = await startBenchServer();
    await runSqlFile(server, "pg-orders2.sql");
    using pipeline = new BenchPipeline(server, { table: TABLE, sink: "duckdb", checkpointInterval: "200ms" });
    const measured: BenchRun[] = [];
    const p50: number[] = [];
    for (let i = 0; i < runs; i++) {
      const { run, all } = await measure(server, pipeline);
      measured.push(run);
      p50.push(percentile(all, 0.5));
      say(describe(run, UNIT));
    }
    const total = result("pg-freshness", UNIT, measured);
    return { ...total, p50Ms: median(p50), p99Ms: total.value };
  },
};
