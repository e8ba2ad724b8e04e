import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisStore } from "../../src/checkpoint/redis/store.ts";
import type { CheckpointStore } from "../../src/core/checkpoint-store.ts";
import type { PrivateRedis } from "../support/private-redis.ts";
import { startPrivateRedis, startRedisCluster } from "../support/redis.ts";
import { checkpointConformance, epochRecord, opening, PIPELINE, quietAmbient } from "./checkpoint.ts";
import { optionsOf, readAt, storeAt, Waits } from "./redis-harness.ts";

const failpoints = ["checkpoint.redis-staged", "checkpoint.redis-written"] as const;

describe.each(["redis7", "redis8", "valkey"] as const)("on %s", (kind) => {
  let server: PrivateRedis;
  beforeAll(async () => void (server = await startPrivateRedis({ kind, password: "a test's / own#@ secret" })));
  afterAll(() => server[Symbol.asyncDispose]());

  checkpointConformance(kind, () => ({
    failpoints,
    store: (ambient) => createRedisStore(optionsOf(server), PIPELINE, ambient),
    [Symbol.asyncDispose]: async () => void (await server.command("FLUSHALL")),
  }));
});

describe("on a cluster", () => {
  let cluster: Awaited<ReturnType<typeof startRedisCluster>>;
  beforeAll(async () => void (cluster = await startRedisCluster({ kind: "redis8" })));
  afterAll(() => cluster[Symbol.asyncDispose]());

  checkpointConformance("cluster", () => ({
    failpoints,
    store: (ambient) => {
      const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));
      return createRedisStore(
        optionsOf(cluster.nodes[0]!, { topology: { kind: "cluster" }, nodes }),
        PIPELINE,
        ambient,
      );
    },
    [Symbol.asyncDispose]: async () => {
      for (const node of cluster.nodes) await node.command("FLUSHALL");
    },
  }));
});

describe("a checkpoint in Redis", () => {
  let server: PrivateRedis;
  beforeEach(async () => void (server = await startPrivateRedis({ kind: "redis8" })));
  afterEach(() => server[Symbol.asyncDispose]());

  /** Opens it as a run does whose sink is at `epoch`. */
  async function begun(store: CheckpointStore, epoch: number, token: number): Promise<void> {
    await store.open(opening());
    await store.reset({ epoch, token, parts: new Map([["position", `0/${epoch}`]]) });
  }

  test("keeps few keys, all of one slot, and removing takes them all", async () => {
    await using store = storeAt(server);
    await begun(store, 4, 1);
    for (let epoch = 5; epoch < 30; epoch++) await store.put(epochRecord(epoch, 1, { "table/t": epoch }));
    const keys = (await server.command<string[]>("KEYS", "*")).sort();
    expect(keys.map((key) => key.replace(/[0-9a-f-]{36}$/, "*"))).toEqual(
      ["head", "holder", "parts:*", "undo:*"].map((key) => `millrace:{${PIPELINE}}:${key}`),
    );
    await using other = storeAt(server);
    await expect(other.remove(opening().signal)).rejects.toMatchObject({ code: "CHECKPOINT_LOCKED" });
    await store[Symbol.asyncDispose]();
    await other.remove(opening().signal);
    expect(await server.command<string[]>("KEYS", "*")).toEqual([]);
    expect(await readAt(server)).toBeNull();
  });

  test("a record of megabytes goes in pieces, whole or not at all, and what a crash leaves of it expires", async () => {
    const parts = Object.fromEntries(
      Array.from({ length: 2000 }, (_, i) => [`table/t${i}`, { text: "x".repeat(1000) }]),
    );
    const ambient = quietAmbient((at) => {
      if (at === "checkpoint.redis-staged") throw new Error("crash");
    });
    await using crashing = storeAt(server, ambient);
    await crashing.open(opening());
    await expect(crashing.put(epochRecord(1, 1, parts))).rejects.toThrow("crash");
    await crashing[Symbol.asyncDispose]();
    expect(await readAt(server)).toBeNull();
    const [staged] = await server.command<string[]>("KEYS", "*staged*");
    expect(await server.command<number>("PTTL", staged!)).toBeGreaterThan(0);
    await using store = storeAt(server);
    await store.open(opening());
    await store.put(epochRecord(1, 1, parts));
    expect((await readAt(server))?.newest.parts.size).toBe(2001);
    await store.reset({ epoch: 1, token: 2, parts: new Map(Object.entries(parts)) });
    expect((await readAt(server))?.newest).toMatchObject({ epoch: 1, token: 2 });
    expect(await server.command<string[]>("KEYS", "*staged*")).toEqual([staged]);
  });

  test("reading beside a run that begins again and again always sees one of the states that were", async () => {
    await using store = storeAt(server);
    await begun(store, 1, 1);
    const ended = new AbortController();
    const reader = (async () => {
      for (let reads = 0; ; reads++) {
        const stored = await readAt(server);
        expect(stored?.newest.parts.get("position")).toBe(`0/${stored?.newest.epoch}`);
        if (ended.signal.aborted) return reads;
      }
    })();
    for (let token = 2; token < 100; token++) {
      await store.reset({ epoch: token, token, parts: new Map([["position", `0/${token}`]]) });
      await store.put(epochRecord(token + 1, token));
    }
    ended.abort();
    expect(await reader).toBeGreaterThan(1);
  });

  describe("has one holder", () => {
    const holderKey = `millrace:{${PIPELINE}}:holder`;

    async function pretend(
      holder: { pid: number; host: string; started: string | null },
      leaseMs: number,
    ): Promise<void> {
      await server.command("SET", holderKey, JSON.stringify({ id: "other", ...holder }), "PX", String(leaseMs));
    }

    test("that died on this host: it is taken over at once", async () => {
      const child = spawn("true");
      await once(child, "exit");
      await pretend({ pid: child.pid!, host: hostname(), started: "some boot/1" }, 600_000);
      await using store = storeAt(server);
      expect(await store.open(opening())).toBeNull();
    });

    test("that nobody can read: damage, by its key", async () => {
      await server.command("SET", holderKey, "?");
      await using store = storeAt(server);
      await expect(store.open(opening())).rejects.toMatchObject({
        code: "CHECKPOINT_DAMAGED",
        message: expect.stringContaining(holderKey),
      });
    });

    test("that died on another host: its lease ends", async () => {
      await pretend({ pid: 1, host: "elsewhere", started: null }, 1_500);
      await using store = storeAt(server);
      const waits = new Waits();
      expect(await store.open({ ...opening(), waiting: waits.waiting })).toBeNull();
      expect(waits.said[0]).toContain("process 1 on host elsewhere");
      expect(waits.said.at(-1)).toBeNull();
    });

    test("that lives on another host: it renews its lease, and is named", async () => {
      await pretend({ pid: 1, host: "elsewhere", started: null }, 10_000);
      await using store = storeAt(server);
      const waits = new Waits();
      const opened = store.open({ ...opening(), waiting: waits.waiting });
      const refused = expect(opened).rejects.toMatchObject({
        code: "CHECKPOINT_LOCKED",
        message: expect.stringContaining("process 1 on host elsewhere"),
      });
      await waits.untilSaid("elsewhere");
      await server.command("PEXPIRE", holderKey, "15000");
      await refused;
    });
  });
});
