import { inject } from "vitest";
import type { RedisAddress } from "./redis-command.ts";

export { startPrivateRedis } from "./private-redis.ts";
export { startRedisCluster } from "./redis-cluster.ts";
export { startSentinel } from "./redis-sentinel.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The server that redis-setup.ts has started, or was given. All tests share its keys: a test names its own. */
    redis: RedisAddress;
  }
}

/** As a pipeline file names it. */
export function sharedRedisUrl(): string {
  const { host, port, password } = inject("redis");
  return `redis://${password === "" ? "" : `:${encodeURIComponent(password)}@`}${host}:${port}`;
}

/** For commands over a connection of their own. */
export function sharedRedis(): RedisAddress {
  return inject("redis");
}
