import { readFileSync } from "node:fs";
import { Cluster } from "ioredis";
import { describe, expect, inject, it } from "vitest";
import type { PrivateRedis } from "./private-redis.ts";
import { redisCommand } from "./redis-command.ts";
import { REDIS_KINDS } from "./redis-programs.ts";
import { MASTER_NAME } from "./redis-sentinel.ts";
import { startPrivateRedis, startRedisCluster, startSentinel } from "./redis.ts";
import { waitFor } from "./wait-for.ts";

const VERSIONS = { redis7: /^redis_version:7\./m, redis8: /^redis_version:8\./m, valkey: /^valkey_version:9\./m };
const PASSWORD = `a "quoted" \\ secret, of a test's own`;

it("shares a server of the version asked for", async () => {
  expect(await redisCommand(inject("redis"), "INFO", "server")).toMatch(VERSIONS.redis8);
});

describe.each(REDIS_KINDS)("a private server (%s)", (kind) => {
  it("starts with a password and a config of its own", async () => {
    await using server = await startPrivateRedis({ kind, password: PASSWORD, config: { maxmemory: "64mb" } });
    expect(await server.command("INFO", "server")).toMatch(VERSIONS[kind]);
    expect(await server.command("CONFIG", "GET", "maxmemory")).toEqual(["maxmemory", "67108864"]);
    expect(server.url).toBe(`redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}`);
    const { host, port } = server;
    await expect(redisCommand({ host, port, password: "" }, "PING")).rejects.toThrow(/NOAUTH/);
    await expect(redisCommand({ host, port, password: "wrong" }, "PING")).rejects.toThrow(/WRONGPASS/);
  });

  it("is known by its command line, whatever it calls itself", async () => {
    await using server = await startPrivateRedis({ kind });
    const [, pid] = /^process_id:(\d+)/m.exec(await server.command("INFO", "server"))!;
    const [, dataFolder] = await server.command<[string, string]>("CONFIG", "GET", "dir");
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain(dataFolder);
  });

  it("keeps its data over a crash where it is asked to", async () => {
    await using server = await startPrivateRedis({ kind, config: { appendonly: "yes", appendfsync: "always" } });
    await server.command("SET", "kept", "7");
    await server.kill();
    await expect(server.command("GET", "kept")).rejects.toThrow(/ECONNREFUSED/);
    await server.start();
    expect(await server.command("GET", "kept")).toBe("7");
  });

  it("loses its data when it is stopped, unless it is asked to keep them", async () => {
    await using server = await startPrivateRedis({ kind });
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
    await server.command("SET", "lost", "7");
    await server.stop();
    await server.start();
    expect(await server.command("GET", "lost")).toBeNull();
  });

  it("answers behind a pause what was sent within it", async () => {
    await using server = await startPrivateRedis({ kind });
    await server.pause();
    let isAnswered = false;
    const answer = server.command("SET", "late", "7").finally(() => (isAnswered = true));
    for (let i = 0; i < 5; i++) await redisCommand(inject("redis"), "PING");
    expect(isAnswered).toBe(false);
    server.resume();
    expect(await answer).toBe("OK");
  });

  it("copies another one, and stands for itself when that one is gone", async () => {
    await using master = await startPrivateRedis({ kind, password: PASSWORD });
    await using replica = await startPrivateRedis({ kind, password: PASSWORD });
    await master.command("SET", "copied", "7");
    await replica.replicateOf(master);
    expect(await replica.command("GET", "copied")).toBe("7");
    await expect(replica.command("SET", "own", "8")).rejects.toThrow(/READONLY/);
    await master.kill();
    await replica.promote();
    await replica.command("SET", "own", "8");
    expect(await replica.command("MGET", "copied", "own")).toEqual(["7", "8"]);
  });

  it("takes the place of its master when a sentinel says so", async () => {
    await using master = await startPrivateRedis({ kind, password: PASSWORD });
    await using replica = await startPrivateRedis({ kind, password: PASSWORD });
    await replica.replicateOf(master);
    await using sentinel = await startSentinel(master, [replica]);
    await master.kill();
    await waitFor("the sentinel to say so", async () => (await masterPort(sentinel)) === replica.port);
    expect(await roleOf(replica)).toBe("master");
    await master.start();
    await waitFor("the one that came back to be a replica", async () => {
      // Not of that one itself: a sentinel cuts the connections of whom it gives another role.
      return (await replica.command("INFO", "replication")).includes("connected_slaves:1");
    });
    expect(await roleOf(master)).toBe("slave");
  });

  it("says what the log says when it does not start", async () => {
    await expect(startPrivateRedis({ kind, config: { "no-such-setting": "1" } })).rejects.toThrow(
      /server\.log:[^]*'no-such-setting 1'/,
    );
  });

  it("shares the keys of a cluster with two others", async () => {
    await using cluster = await startRedisCluster({ kind, password: PASSWORD });
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));
    const client = new Cluster(nodes, { redisOptions: { password: PASSWORD } });
    try {
      const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`);
      for (const key of keys) expect(await client.set(key, "7")).toBe("OK");
      const sizes = await Promise.all(cluster.nodes.map((node) => node.command<number>("DBSIZE")));
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(keys.length);
      expect(Math.min(...sizes)).toBeGreaterThan(0);
    } finally {
      client.disconnect();
    }
  });
});

it("gives a server up that does not answer", async () => {
  await using server = await startPrivateRedis({ kind: "redis8" });
  await server.pause();
  await expect(server.command("PING")).rejects.toThrow("waited 5000 ms in vain for an answer to PING");
});

async function roleOf(server: PrivateRedis): Promise<string> {
  const [role] = await server.command<[string]>("ROLE");
  return role;
}

/** Of the one that is the master now. */
async function masterPort(sentinel: PrivateRedis): Promise<number> {
  const [, port] = await sentinel.command<[string, string]>("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME);
  return Number(port);
}
