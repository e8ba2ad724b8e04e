import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redisPlace } from "../checkpoint/redis/options.ts";
import { parseRedisUrl, redisOptions } from "./redis-url.ts";

function parsed(url: string): unknown {
  const spec = parseRedisUrl(url);
  return spec === null ? null : redisOptions(spec);
}

const server = {
  topology: { kind: "server" },
  nodes: [{ host: "cache", port: 6379 }],
  tls: false,
  database: 0,
  username: null,
  password: null,
};

describe("a URL of Redis", () => {
  test.each([
    ["redis://cache", {}],
    ["redis://cache/", {}],
    ["redis://cache:6380/3", { nodes: [{ host: "cache", port: 6380 }], database: 3 }],
    ["rediss://cache", { tls: true }],
    ["redis://secret@cache", { password: "secret" }],
    ["redis://:secret@cache", { password: "secret" }],
    ["redis://app:se%40cret@cache", { username: "app", password: "se@cret" }],
    ["redis://app:s:e/c@r#e%t@cache", { username: "app", password: "s:e/c@r#e%t" }],
    ["redis://[::1]:6380", { nodes: [{ host: "::1", port: 6380 }] }],
    [
      "redis-sentinel://:secret@one,two:26380/2#main",
      {
        topology: { kind: "sentinel", master: "main" },
        nodes: [
          { host: "one", port: 26_379 },
          { host: "two", port: 26_380 },
        ],
        database: 2,
        password: "secret",
      },
    ],
    [
      "rediss-cluster://one,two:7001",
      {
        topology: { kind: "cluster" },
        tls: true,
        nodes: [
          { host: "one", port: 6379 },
          { host: "two", port: 7001 },
        ],
      },
    ],
  ])("%s", (url, differs) => {
    expect(parsed(url)).toEqual({ ...server, ...differs });
  });

  test.each([
    "redis://",
    "redis://one,two",
    "redis://cache:99999",
    "redis://cache/one",
    "redis://cache/0/1",
    "redis://cache#main",
    "redis-sentinel://one",
    "redis-cluster://one/1",
    "redis-cluster://one,",
    "http://cache",
    "/var/lib/millrace",
  ])("%s is none", (url) => {
    expect(parsed(url)).toBeNull();
  });

  test("is read as it was written, whatever user and password are", () => {
    const word = fc.string({ unit: "binary", minLength: 1 });
    fc.assert(
      fc.property(word, word, fc.integer({ min: 1, max: 65_535 }), (username, password, port) => {
        const url = `redis://${encodeURIComponent(username)}:${encodeURIComponent(password)}@cache:${port}`;
        expect(parsed(url)).toEqual({ ...server, nodes: [{ host: "cache", port }], username, password });
      }),
    );
  });

  test("is told without user and password", () => {
    for (const url of ["rediss://cache:6380/3", "redis-sentinel://one:1,two:2#main", "redis-cluster://[::1]:1"])
      expect(redisPlace(redisOptions(parseRedisUrl(url.replace("//", "//app:secret@"))!))).toBe(url);
  });
});
