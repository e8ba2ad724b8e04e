import type { TestProject } from "vitest/node";
import { startPrivateRedis } from "./private-redis.ts";
import type { RedisAddress } from "./redis-command.ts";
import { URL_VARIABLE } from "./redis-programs.ts";
import { addressFrom, shareServers } from "./shared-servers.ts";

/** vitest's globalSetup of the projects that need Redis. Without a server it fails, and with it the run. */
export default function setup(project: TestProject): Promise<() => Promise<void>> {
  return shareServers(project, "redis", server);
}

async function server(started: AsyncDisposable[]): Promise<RedisAddress> {
  const given = addressFrom(URL_VARIABLE, "redis", 6379);
  if (given !== null) return { host: given.host, port: given.port, password: given.password };
  const own = await startPrivateRedis({ kind: "redis8", password: "a test's own secret" });
  started.push(own);
  return { host: own.host, port: own.port, password: own.password };
}
