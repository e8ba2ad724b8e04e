import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noFailpoints, type Ambient } from "../src/core/ambient.ts";
import { Op } from "../src/core/change-batch.ts";
import type { Sink } from "../src/core/sink.ts";
import { DUCKDB_DEFAULTS } from "../src/sinks/duckdb/config.ts";
import { createDuckdbSink } from "../src/sinks/duckdb/sink.ts";
import { describe, median, percentile, type Bench, type BenchResult, type BenchRun } from "./measurement.ts";
import { ordersBatch, ordersSchema } from "./orders-batch.ts";

const CHANGES_OF_A_KIND = 13_334;
const BATCH_ROWS = 8192;
const WARM_UP_EPOCHS = 2;
const EPOCHS = 15;
/** Keys at random over 20 M rows need more than the default (docs/bench.md). */
const MEMORY_LIMIT_BYTES = 320 * 1024 * 1024;

interface Case {
  readonly rows: number;
  readonly keys: "random" | "recent";
  /** The figure to stay below. */
  readonly goalMs: number;
}

const CASES: readonly Case[] = [
  { rows: 1_000_000, keys: "recent", goalMs: 100 },
  { rows: 1_000_000, keys: "random", goalMs: 100 },
  { rows: 20_000_000, keys: "recent", goalMs: 100 },
  { rows: 20_000_000, keys: "random", goalMs: 300 },
];

/** `value` and `limit` are those of the hardest case, the last; every case is one of `runs`. */
export const duckdbApply: Bench = {
  name: "duckdb-apply",
  about:
    "an epoch of 40,000 changes, a third each, into a DuckDB table of 1 M and 20 M rows; milliseconds, and the goal",
  async run(_runs, say): Promise<BenchResult> {
    const runs: BenchRun[] = [];
    let times: readonly number[] = [];
    for (const one of CASES) {
      const measured = await measure(one);
      ({ times } = measured);
      runs.push(measured.run);
      say(describe(measured.run, "ms"));
    }
    const last = runs.at(-1)!;
    return {
      name: "duckdb-apply",
      ratio: last.value / (last.limit ?? Number.NaN),
      value: last.value,
      limit: last.limit,
      unit: "ms",
      cpuSeconds: last.cpuSeconds,
      rssBytesMax: Math.max(...runs.map((run) => run.rssBytesMax)),
      p50Ms: Math.round(median(times)),
      p99Ms: Math.round(percentile(times, 0.99)),
      runs,
    };
  },
};

async function measure(one: Case): Promise<{ readonly run: BenchRun; readonly times: readonly number[] }> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-bench-"));
  const sink = createDuckdbSink(
    { path: join(folder, "apply.duckdb"), ...DUCKDB_DEFAULTS, memoryLimitBytes: MEMORY_LIMIT_BYTES },
    quietAmbient(),
  );
  try {
    await sink.open("bench", new AbortController().signal);
    await fill(sink, one.rows);
    const times: number[] = [];
    const cpuTimes: number[] = [];
    let rssBytesMax = 0;
    for (let epoch = 0; epoch < WARM_UP_EPOCHS + EPOCHS; epoch++) {
      const { tookMs, cpuMs } = await applyEpoch(sink, one, epoch);
      rssBytesMax = Math.max(rssBytesMax, process.memoryUsage.rss());
      if (epoch < WARM_UP_EPOCHS) continue;
      times.push(tookMs);
      cpuTimes.push(cpuMs);
    }
    const run: BenchRun = {
      value: median(times),
      limit: one.goalMs,
      cpuSeconds: cpuTimes.reduce((sum, ms) => sum + ms, 0) / 1000,
      rssBytesMax,
      // The longest epochs are those that end with a checkpoint of DuckDB's, about every eighth.
      details: {
        rows: one.rows,
        keys: one.keys,
        cpuMs: Math.round(median(cpuTimes)),
        mostMs: Math.round(Math.max(...times)),
      },
    };
    return { run, times };
  } finally {
    await sink.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function fill(sink: Sink, rows: number): Promise<void> {
  await sink.beginTable(ordersSchema, 1, "create");
  for (let first = 1; first <= rows; first += BATCH_ROWS)
    await sink.write(ordersBatch(range(first, Math.min(BATCH_ROWS, rows - first + 1)), null));
  await sink.endSnapshot(ordersSchema.id);
  await sink.commit({ pipeline: "bench", epoch: 1, token: 1, parts: new Map() });
}

/** Builds the epoch's batches first: what is measured is the sink alone, from the first `write` to the end of `commit`. */
async function applyEpoch(
  sink: Sink,
  one: Case,
  epoch: number,
): Promise<{ readonly tookMs: number; readonly cpuMs: number }> {
  const { inserts, updates, deletes } = one.keys === "recent" ? recentKeys(one, epoch) : randomKeys(one, epoch);
  const batches = [
    ...batchesOf(inserts, Op.insert),
    ...batchesOf(updates, Op.update),
    ...batchesOf(deletes, Op.delete),
  ];
  const before = performance.now();
  const cpuBefore = process.cpuUsage();
  for (const batch of batches) await sink.write(batch);
  await sink.commit({ pipeline: "bench", epoch: epoch + 2, token: 1, parts: new Map([["position", epoch]]) });
  const { user, system } = process.cpuUsage(cpuBefore);
  return { tookMs: performance.now() - before, cpuMs: (user + system) / 1000 };
}

interface EpochKeys {
  readonly inserts: readonly number[];
  readonly updates: readonly number[];
  readonly deletes: readonly number[];
}

/** New keys at the end, updates of the last epoch's, deletes of the one before that. */
function recentKeys({ rows }: Case, epoch: number): EpochKeys {
  const end = rows + 1 + epoch * CHANGES_OF_A_KIND;
  return {
    inserts: range(end, CHANGES_OF_A_KIND),
    updates: range(end - CHANGES_OF_A_KIND, CHANGES_OF_A_KIND),
    deletes: range(end - 2 * CHANGES_OF_A_KIND, CHANGES_OF_A_KIND),
  };
}

/** All over the table: a key deleted in one epoch is inserted in the next. */
function randomKeys({ rows }: Case, epoch: number): EpochKeys {
  const scattered = (first: number): readonly number[] =>
    range(first, CHANGES_OF_A_KIND).map((i) => Number((BigInt(i) * 7_368_787n) % BigInt(rows)) + 1);
  const deleted = (of: number): readonly number[] => scattered(of * CHANGES_OF_A_KIND);
  return {
    inserts: epoch === 0 ? range(rows + 1, CHANGES_OF_A_KIND) : deleted(epoch - 1),
    updates: scattered((rows >> 1) + epoch * CHANGES_OF_A_KIND),
    deletes: deleted(epoch),
  };
}

function batchesOf(ids: readonly number[], op: Op): ReturnType<typeof ordersBatch>[] {
  const batches = [];
  for (let at = 0; at < ids.length; at += BATCH_ROWS) batches.push(ordersBatch(ids.slice(at, at + BATCH_ROWS), op));
  return batches;
}

function range(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function quietAmbient(): Ambient {
  const ignore = (): void => undefined;
  return {
    pid: process.pid,
    residentBytes: () => process.memoryUsage.rss(),
    clock: {
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      sleep: async () => undefined,
    },
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    failpoint: noFailpoints,
  };
}
