import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRedisStore } from "../../src/checkpoint/redis/store.ts";
import { ERROR_CODES } from "../../src/core/error-codes.ts";
import type { PrivateRedis } from "../support/private-redis.ts";
import { startProxy } from "../support/proxy.ts";
import { MASTER_NAME } from "../support/redis-sentinel.ts";
import { startPrivateRedis, startSentinel } from "../support/redis.ts";
import { waitFor, within } from "../support/wait-for.ts";
import { epochRecord, opening, PIPELINE, plainStored, quietAmbient } from "./checkpoint.ts";
import { optionsOf, readAt, storeAt, Waits } from "./redis-harness.ts";

describe("a Redis that fails", () => {
  let server: PrivateRedis;
  beforeEach(async () => void (server = await startPrivateRedis({ kind: "redis8" })));
  afterEach(() => server[Symbol.asyncDispose]());

  test("a server that is killed and comes back with its data: the epoch is put when it is there", async () => {
    await using kept = await startPrivateRedis({
      kind: "redis8",
      config: { appendonly: "yes", appendfsync: "always" },
    });
    await using store = storeAt(kept);
    const waits = new Waits();
    await store.open({ ...opening(), waiting: waits.waiting });
    await store.put(epochRecord(1, 1));
    await kept.kill();
    const put = store.put(epochRecord(2, 1));
    await waits.untilSaid("redis://127.0.0.1");
    await kept.start();
    await put;
    expect(waits.said.at(-1)).toBeNull();
    await store.put(epochRecord(3, 1));
    await store[Symbol.asyncDispose]();
    await using again = storeAt(kept);
    expect((await again.open(opening()))?.newest.epoch).toBe(3);
  });

  test("a server that comes back empty: the run is told, and nothing is recovered from nothing", async () => {
    await using store = storeAt(server);
    await store.open(opening());
    await store.put(epochRecord(1, 1));
    await server.command("FLUSHALL");
    await expect(store.put(epochRecord(2, 1))).rejects.toMatchObject({
      code: "CHECKPOINT_BEHIND",
      message: expect.stringContaining("it is empty"),
    });
    expect(await readAt(server)).toBeNull();
  });

  test("a server that comes back without its last second: the run is told, and takes the store over at its epoch", async () => {
    await using store = storeAt(server);
    await store.open(opening());
    await store.put(epochRecord(1, 1));
    const keys = await server.command<string[]>("KEYS", "*");
    for (const key of keys) await server.command("COPY", key, `copy of ${key}`);
    await store.put(epochRecord(2, 1));
    await store.put(epochRecord(3, 1));
    for (const key of keys) await server.command("RENAME", `copy of ${key}`, key);
    await expect(store.put(epochRecord(4, 1))).rejects.toMatchObject({
      code: "CHECKPOINT_BEHIND",
      message: expect.stringContaining("it is at epoch 1"),
    });
    await store[Symbol.asyncDispose]();
    await using again = storeAt(server);
    expect((await again.open(opening()))?.newest.epoch).toBe(1);
    await again.reset({ epoch: 3, token: 2, parts: new Map([["position", "0/3"]]) });
    await again.put(epochRecord(4, 2));
    expect((await readAt(server))?.newest).toMatchObject({ epoch: 4, token: 2 });
  });

  test("a replica that was cut off and is promoted: who is still on it is told", async () => {
    await using replica = await startPrivateRedis({ kind: "redis8" });
    await using proxy = await startProxy(server);
    await using store = storeAt({ host: proxy.host, port: proxy.port, password: "" });
    await store.open(opening());
    await store.put(epochRecord(1, 1));
    await replica.replicateOf(server);
    await replica.promote();
    await store.put(epochRecord(2, 1));
    proxy.turn(replica);
    proxy.cut();
    await expect(store.put(epochRecord(3, 1))).rejects.toMatchObject({ code: "CHECKPOINT_BEHIND" });
  });

  test("a sentinel promotes a replica: the run goes on there", async () => {
    await using replica = await startPrivateRedis({ kind: "redis8" });
    await replica.replicateOf(server);
    await using sentinel = await startSentinel(server, [replica]);
    const topology = { kind: "sentinel", master: MASTER_NAME } as const;
    await using store = createRedisStore(optionsOf(sentinel, { topology }), PIPELINE, quietAmbient());
    await store.open(opening());
    await store.put(epochRecord(1, 1));
    await waitFor(
      "the replica to have it",
      async () => (await replica.command<string[]>("KEYS", "*head")).length === 1,
    );
    await server.kill();
    await store.put(epochRecord(2, 1));
    expect(await replica.command("ROLE")).toContain("master");
  });

  test("out of memory: it waits and says so, and what is there is whole", async () => {
    await using store = storeAt(server);
    const waits = new Waits();
    await store.open({ ...opening(), waiting: waits.waiting });
    await store.put(epochRecord(1, 1, { "table/a": 1 }));
    await server.command("CONFIG", "SET", "maxmemory", "1");
    const put = store.put(epochRecord(2, 1, { "table/a": 2 }));
    await waits.untilSaid("OOM");
    expect(plainStored(await readAt(server))).toMatchObject({ confirmed: null, newest: { parts: { "table/a": 1 } } });
    await server.command("CONFIG", "SET", "maxmemory", "0");
    await put;
    expect(plainStored(await readAt(server))).toMatchObject({
      confirmed: { parts: { "table/a": 1 } },
      newest: { parts: { "table/a": 2 } },
    });
  });

  test("a read-only replica: it waits until it is the master", async () => {
    await using store = storeAt(server);
    const waits = new Waits();
    await store.open({ ...opening(), waiting: waits.waiting });
    await store.put(epochRecord(1, 1));
    await using master = await startPrivateRedis({ kind: "redis8" });
    await master.command("SET", "another", "1");
    const keys = await server.command<string[]>("KEYS", "*");
    for (const key of keys) await server.command("MIGRATE", master.host, String(master.port), key, "0", "5000", "COPY");
    await server.replicateOf(master);
    const put = store.put(epochRecord(2, 1));
    await waits.untilSaid("READONLY");
    await server.promote();
    await put;
    expect((await readAt(server))?.newest.epoch).toBe(2);
  });

  test("one that says nothing: it waits, until it is told to stop", async () => {
    await using store = storeAt(server);
    const stop = new AbortController();
    await store.open({ ...opening(), signal: stop.signal });
    await store.put(epochRecord(1, 1));
    await server.pause();
    const put = store.put(epochRecord(2, 1));
    stop.abort(new Error("stopped"));
    await expect(within("the call to end", put)).rejects.toThrow("stopped");
    await within("the store to close", Promise.resolve(store[Symbol.asyncDispose]()));
    server.resume();
  });

  test("an answer that is lost: the epoch is put once", async () => {
    await using proxy = await startProxy(server);
    await using store = storeAt({ host: proxy.host, port: proxy.port, password: "" });
    await store.open(opening());
    await store.put(epochRecord(1, 1));
    for (let epoch = 2; epoch < 22; epoch++) {
      proxy.cutAfter(1 + Math.floor(epoch * 120));
      await store.put(epochRecord(epoch, 1, { [`table/t${epoch}`]: epoch }));
    }
    proxy.cutAfter(Number.POSITIVE_INFINITY);
    const stored = await readAt(server);
    expect(stored?.newest).toMatchObject({ epoch: 21 });
    expect(stored?.confirmed).toMatchObject({ epoch: 20 });
    expect(stored?.newest.parts.size).toBe(21);
  });

  test("no server there: a code, and soon", async () => {
    await server.kill();
    await using store = storeAt(server);
    await expect(store.open(opening())).rejects.toMatchObject({
      code: "CHECKPOINT_UNREACHABLE",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("a wrong password, none, or a user that may not: a code without the password", async () => {
    await using locked = await startPrivateRedis({ kind: "redis8", password: "right" });
    for (const password of ["wrong", ""]) {
      await using store = storeAt({ host: locked.host, port: locked.port, password });
      const refused: unknown = await store.open(opening()).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "CHECKPOINT_DENIED" });
      expect(String(refused)).not.toContain("wrong");
    }
    await locked.command("ACL", "SETUSER", "reader", "on", ">reads", "~*", "+@read", "+@connection");
    const options = optionsOf(locked, { username: "reader", password: "reads" });
    await using store = createRedisStore(options, PIPELINE, quietAmbient());
    await expect(store.open(opening())).rejects.toMatchObject({ code: "CHECKPOINT_DENIED" });
  });

  test("a user with the rights that the error names can do everything", async () => {
    const hint = ERROR_CODES.CHECKPOINT_DENIED.action;
    const commands = /the commands ([^;]+);/.exec(hint)![1]!.split(/, | and /);
    const rights = commands.map((command) => `+${command}`);
    await server.command("ACL", "SETUSER", "millrace", "on", ">own", "~millrace:*", ...rights);
    const options = optionsOf(server, { username: "millrace", password: "own" });
    const large = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`table/t${i}`, "x".repeat(1000)]));
    await using store = createRedisStore(options, PIPELINE, quietAmbient());
    await store.open(opening());
    await store.put(epochRecord(1, 1, large));
    await store.put(epochRecord(2, 1, { "table/t1": null }));
    await store.reset({ epoch: 2, token: 2, parts: new Map([["position", "0/2"]]) });
    await store.reset({ epoch: 2, token: 3, parts: new Map([["position", "0/2"]]) });
    await store[Symbol.asyncDispose]();
    await using other = createRedisStore(options, PIPELINE, quietAmbient());
    expect((await other.read(opening().signal))?.newest.token).toBe(3);
    await other.remove(opening().signal);
  });

  test.each([
    ["evicted parts", (of: string) => server.command("DEL", of.replace("head", "parts:x"))],
    ["a part that is no JSON", (of: string) => server.command("HSET", of.replace("head", "parts:x"), "position", "{")],
    [
      "a head of another kind",
      async (of: string) => {
        await server.command("DEL", of);
        await server.command("SET", of, "?");
      },
    ],
    ["a head without its fields", (of: string) => server.command("HDEL", of, "token")],
  ])("%s: damage, which is passed over where the sink is to say how far it is", async (_, spoil) => {
    await using store = storeAt(server);
    await store.open(opening());
    await store.put(epochRecord(1, 1));
    await store[Symbol.asyncDispose]();
    const head = `millrace:{${PIPELINE}}:head`;
    const generation = (await server.command("HGET", head, "generation")).trim();
    for (const hash of ["parts", "undo"])
      if ((await server.command<number>("EXISTS", head.replace("head", `${hash}:${generation}`))) === 1)
        await server.command(
          "RENAME",
          head.replace("head", `${hash}:${generation}`),
          head.replace("head", `${hash}:x`),
        );
    await server.command("HSET", head, "generation", "x");
    await spoil(head);
    await using again = storeAt(server);
    await expect(again.open(opening())).rejects.toMatchObject({ code: "CHECKPOINT_DAMAGED" });
    await expect(readAt(server)).rejects.toMatchObject({ code: "CHECKPOINT_DAMAGED" });
    expect(await again.open(opening({ passOverDamage: true }))).toBeNull();
    await again.reset({ epoch: 1, token: 2, parts: new Map([["position", "0/1"]]) });
    await again.put(epochRecord(2, 2));
    expect((await readAt(server))?.newest).toMatchObject({ epoch: 2, token: 2 });
  });

  test("a newer format is refused, and left alone", async () => {
    await using store = storeAt(server);
    await store.open(opening());
    await store.put(epochRecord(1, 1));
    await store[Symbol.asyncDispose]();
    await server.command("HSET", `millrace:{${PIPELINE}}:head`, "format", "2");
    await using again = storeAt(server);
    await expect(again.open(opening({ passOverDamage: true }))).rejects.toMatchObject({
      code: "CHECKPOINT_NEWER_FORMAT",
    });
  });
});
