import { join } from "node:path";
import { projectRoot } from "./project-root.ts";
import { type Program, unpackedProgram } from "./unpacked-program.ts";

/** Every server that speaks Redis' protocol and that tests can have. */
export const REDIS_KINDS = ["redis7", "redis8", "valkey"] as const;
export type RedisKind = (typeof REDIS_KINDS)[number];

/** Names a Redis 8 that is there already, to be used in place of the shared one; see docker-compose.yml for its settings. */
export const URL_VARIABLE = "MILLRACE_TEST_REDIS_URL";

/** The server that scripts/redis-servers.mjs has unpacked. */
export function redisServerProgram(kind: RedisKind): Program {
  const [root, path] = [join(projectRoot, ".cache", kind), `usr/bin/${kind === "valkey" ? "valkey" : "redis"}-server`];
  const program = unpackedProgram(root, path);
  if (program === null)
    throw new Error(`no ${join(root, path)}: run \`node scripts/setup.mjs\`, without ${URL_VARIABLE}`);
  return program;
}
