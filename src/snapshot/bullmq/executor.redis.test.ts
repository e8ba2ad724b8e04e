import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  batchesOf,
  ChunkParty,
  CUT,
  outcomeOf,
  reading,
  requestOf,
  taking,
} from "../../../test/support/chunk-party.ts";
import { randomBatch, shownCells } from "../../../test/support/random-batch.ts";
import { Random } from "../../../test/support/random.ts";
import { redisCommand } from "../../../test/support/redis-command.ts";
import { MASTER_NAME } from "../../../test/support/redis-sentinel.ts";
import { sharedRedis, sharedRedisUrl, startPrivateRedis, startSentinel } from "../../../test/support/redis.ts";
import { waitFor } from "../../../test/support/wait-for.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { MillraceError } from "../../core/errors.ts";

const BATCHES = batchesOf(1, 3);

const party = (): ChunkParty => new ChunkParty(sharedRedisUrl());

test("a chunk comes with its cut before its first batch, whole and in order, and nothing of it stays behind", async () => {
  await using all = party();
  all.worker(reading(BATCHES));
  const request = requestOf(1, BATCHES);
  const { steps, outcome } = taking(all.executor(), request);
  expect(await outcome).toEqual(outcomeOf(request, BATCHES));
  const [cut, ...batches] = steps as [unknown, ...ChangeBatch[]];
  expect(cut).toEqual(CUT);
  expect(batches.map(shownCells)).toEqual(BATCHES.map(shownCells));
  // One schema for all of them: later stages ask whether it is the same object.
  expect(new Set(batches.map(({ schema }) => schema)).size).toBe(1);
  await waitFor("it to be removed", () => all.staged().length === 0);
});

test("what a batch was fetched into is used again when it is recycled", async () => {
  await using all = party();
  const batches = [randomBatch(new Random(3), 2000)];
  all.worker(reading(batches));
  const executor = all.executor();
  const read = async (chunk: number): Promise<ChangeBatch> => {
    const { steps, outcome } = taking(executor, requestOf(chunk, batches));
    await outcome;
    return steps[1] as ChangeBatch;
  };
  const first = await read(1);
  const { buffer } = first.columns[0]!.values;
  first.recycle!();
  const second = await read(2);
  expect(second.columns[0]!.values.buffer).toBe(buffer);
  expect(shownCells(second)).toEqual(shownCells(batches[0]!));
});

test("a table without a key is read by the run itself", async () => {
  await using all = party();
  const request = requestOf(4, BATCHES);
  await taking(all.executor(), { ...request, schema: { ...request.schema, key: [] } }).outcome;
  expect(all.locallyRead).toEqual([4]);
});

test("what a worker fails with is what the run hears: code, sentence, place and hint", async () => {
  await using all = party();
  const failure = new MillraceError("STORE_FULL", "no room", { place: { table: "shop.t" }, hint: "Make some." });
  const worker = all.worker(async () => {
    throw failure;
  });
  const { outcome } = taking(all.executor(), requestOf(1, BATCHES));
  const { code, message, place, hint, retry } = failure;
  await expect(outcome).rejects.toMatchObject({ code, message, place, hint, retry });
  expect(worker.events.map(({ kind }) => kind)).toEqual(["ready", "failed"]);
});

test.each(["behind the other's", "before the other's"])(
  "the result of a worker that has lost its chunk is refused, %s",
  async (when) => {
    await using all = party();
    const [first, second] = [all.gate(), all.gate()];
    const slow = all.worker(
      reading(BATCHES, () => first.pass()),
      { renews: false },
    );
    const { outcome, steps } = taking(all.executor(), requestOf(1, BATCHES));
    await waitFor("the first to have it", () => first.arrived === 1);
    const other = all.worker(reading(BATCHES.slice(1), () => second.pass()));
    await waitFor("the other to have it", () => second.arrived === 1);
    await waitFor("what both have staged", () => all.staged().length === 5);
    const refused = (): boolean => slow.warnings.some((line) => line.startsWith("a chunk's result came too late"));
    if (when === "before the other's") {
      first.open();
      await waitFor("its refusal", refused);
      second.open();
      await outcome;
    } else {
      second.open();
      await outcome;
      first.open();
      await waitFor("its refusal", refused);
    }
    expect(steps).toHaveLength(1 + 2);
    expect(slow.events.map(({ kind }) => kind)).toEqual(["ready", "late"]);
    expect(other.events.map(({ kind }) => kind)).toContain("read");
    await waitFor("all of it to be removed", () => all.staged().length === 0);
  },
);

test("a chunk that loses worker after worker is given up, to be tried again under another grant", async () => {
  await using all = party();
  const never = all.gate();
  const { outcome } = taking(all.executor(), requestOf(1, BATCHES));
  for (let worker = 1; worker <= 4; worker++) {
    all.worker(
      reading([], () => never.pass()),
      { renews: false },
    );
    if (worker < 4) await waitFor(`worker ${worker} to have it`, () => never.arrived === worker);
  }
  await expect(outcome).rejects.toMatchObject({ code: "CHUNK_WORKER_LOST", retry: "timed" });
  expect(never.arrived).toBe(3);
  never.open();
});

test("a chunk that the run gives up is let go at once, and what a worker still makes of it is removed", async () => {
  await using all = party();
  const gate = all.gate();
  const worker = all.worker(reading(BATCHES, () => gate.pass()));
  const given = new AbortController();
  const executor = all.executor();
  const { outcome, steps } = taking(executor, requestOf(1, BATCHES), given.signal);
  await waitFor("the worker to have staged it", () => gate.arrived === 1 && all.staged().length === 3);
  given.abort(new Error("given up"));
  await expect(outcome).rejects.toThrow("given up");
  expect(all.staged()).toHaveLength(3);
  gate.open();
  await waitFor("its end", () => worker.events.some(({ kind }) => kind === "read"));
  await waitFor("it to be removed", () => all.staged().length === 0);
  expect(steps).toEqual([]);
});

test("a chunk that waits without a worker is said to, and one that the queue forgets is given up", async () => {
  await using all = party();
  const { outcome } = taking(all.executor(), requestOf(1, BATCHES));
  await waitFor("the run to say it", () => all.waiting.length === 1);
  expect(all.waiting[0]).toMatch(/^workers: none is there to read chunks; start `millrace worker p.yaml`$/);
  const prefix = `{millrace:${encodeURIComponent(all.pipeline)}}`;
  for (const key of await redisCommand<string[]>(sharedRedis(), "KEYS", `${prefix}*`))
    await redisCommand(sharedRedis(), "DEL", key);
  await expect(outcome).rejects.toMatchObject({ code: "CHUNK_WORKER_LOST", message: /queue has lost/ });
  expect(all.waiting).toHaveLength(2);
  expect(all.waiting[1]).toBeNull();
});

test("a batch that is gone, or damaged, is read again and never taken for less", async () => {
  await using all = party();
  const spoiled = [
    (path: string) => rmSync(path),
    (path: string) => writeFileSync(path, "mrbatch1, but nothing of one"),
  ];
  const executor = all.executor();
  all.worker(async (request, on, signal) => {
    const outcome = await reading(BATCHES)(request, on, signal);
    const spoil = spoiled[request.grant.chunk];
    // The first one is there for sure when the second one has been taken.
    const isFirst = (name: string): boolean =>
      name.includes(`-chunks/7-${request.grant.chunk}-`) && name.endsWith("-1");
    spoil?.(join(all.staging, all.staged().find(isFirst)!));
    return outcome;
  });
  for (const chunk of spoiled.keys())
    await expect(taking(executor, requestOf(chunk, BATCHES)).outcome).rejects.toMatchObject({
      code: "STAGED_CHUNK_UNREADABLE",
      retry: "timed",
    });
  await taking(executor, requestOf(2, BATCHES)).outcome;
  await waitFor("all to be removed", () => all.staged().length === 0);
});

test("a queue behind sentinels goes on where a replica is promoted", async () => {
  await using master = await startPrivateRedis({ kind: "redis8", password: "of both" });
  await using replica = await startPrivateRedis({ kind: "redis8", password: "of both" });
  await replica.replicateOf(master);
  await using sentinel = await startSentinel(master, [replica]);
  await using all = new ChunkParty(`${sentinel.url.replace("redis:", "redis-sentinel:")}#${MASTER_NAME}`);
  const executor = all.executor();
  all.worker(reading(BATCHES));
  await taking(executor, requestOf(1, BATCHES)).outcome;
  await master.kill();
  const request = requestOf(2, BATCHES);
  expect(await taking(executor, request).outcome).toEqual(outcomeOf(request, BATCHES));
});

test("a Redis that is full fails chunks, to be tried again, and workers outlast it", async () => {
  await using redis = await startPrivateRedis({ kind: "redis8" });
  await using all = new ChunkParty(redis.url);
  const executor = all.executor();
  const gate = all.gate();
  const worker = all.worker(reading(BATCHES, () => gate.pass()));
  const held = taking(executor, requestOf(1, BATCHES));
  await waitFor("the worker to have it", () => gate.arrived === 1);
  await redis.command("CONFIG", "SET", "maxmemory", "1");
  gate.open();
  const failure = { code: "CHUNK_WORKER_LOST", retry: "timed", message: /OOM/ };
  await expect(taking(executor, requestOf(2, BATCHES)).outcome).rejects.toMatchObject(failure);
  await waitFor("the worker to hear of it", () => worker.warnings.some((line) => line.includes("OOM")));
  await redis.command("CONFIG", "SET", "maxmemory", "0");
  await held.outcome;
  await taking(executor, requestOf(3, BATCHES)).outcome;
});

test("a worker that stages elsewhere than the run looks says so, and reads nothing", async () => {
  await using all = party();
  const gate = all.gate();
  const elsewhere = all.worker(
    reading(BATCHES, () => gate.pass()),
    { staging: "elsewhere" },
  );
  const { outcome } = taking(all.executor(), requestOf(1, BATCHES));
  await expect(outcome).rejects.toMatchObject({ code: "STAGING_FAILED", message: /not where the run looks/ });
  expect(gate.arrived).toBe(0);
  expect(elsewhere.events.map(({ kind }) => kind)).toEqual(["ready", "failed"]);
});

test("a run that another one has taken over from lets that one's chunks be", async () => {
  await using all = party();
  const earlier = all.executor();
  all.worker(reading(BATCHES));
  await taking(earlier, requestOf(1, BATCHES, 6)).outcome;
  const gate = all.gate();
  const request = requestOf(1, BATCHES, 7);
  const batch = async (): Promise<void> => gate.pass();
  const outcome = all.executor().read(request, { opened: () => undefined, batch }, AbortSignal.timeout(30_000));
  await waitFor("it to be taken over", () => gate.arrived === 1);
  // By its own end the earlier run has heard of the later one's, too. The place is no more its own.
  const { outcome: behind } = taking(earlier, requestOf(2, BATCHES, 6));
  await expect(behind).rejects.toMatchObject({ code: "STAGING_FAILED" });
  expect(all.staged()).toHaveLength(3);
  gate.open();
  expect(await outcome).toEqual(outcomeOf(request, BATCHES));
});

test("a run discards what an earlier one left in the queue and the staging area, and nothing of a later one", async () => {
  await using all = party();
  const earlier = all.executor();
  const gate = all.gate();
  const worker = all.worker(reading(BATCHES, () => gate.pass()));
  const left = [1, 2].map((chunk) => taking(earlier, requestOf(chunk, BATCHES, 6)));
  await waitFor("one to be read", () => gate.arrived === 1);
  const laters = join(all.staging, all.staged()[0]!).replace("-chunks/6-", "-chunks/8-");
  writeFileSync(laters, "of a later run");
  const executor = all.executor();
  const { outcome } = taking(executor, requestOf(1, BATCHES));
  for (const { outcome } of left) await expect(outcome).rejects.toMatchObject({ code: "CHUNK_WORKER_LOST" });
  gate.open();
  await outcome;
  await waitFor("the rest to be removed", () => all.staged().length === 1);
  expect(all.staged()[0]).toContain("-chunks/8-");
  expect(worker.events.map(({ kind }) => kind)).toEqual(["ready", "late", "read"]);
});
