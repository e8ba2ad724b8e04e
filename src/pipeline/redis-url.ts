import { queueConnection } from "../checkpoint/redis/client-options.ts";
import type { RedisNode, RedisOptions } from "../checkpoint/redis/options.ts";
import { Secret } from "./secret.ts";

/** Where a checkpoint is kept in Redis or Valkey. */
export interface RedisSpec extends Omit<RedisOptions, "password"> {
  readonly password: Secret | null;
}

export const REDIS_URL_TAKES =
  "`redis://[[user]:password@]host[:port][/database]`, with TLS `rediss://…`; `redis-sentinel://host[:port],…[/database]#master`; or `redis-cluster://host[:port],…`";

const SCHEME = /^(rediss?)(-sentinel|-cluster)?:\/\//;
const NODE = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\],]+)(?::(\d{1,5}))?$/i;
const PORT = 6379;
const SENTINEL_PORT = 26379;
const DATABASE_MAX = 1_000_000;

/**
 * A URL as Lettuce has it. User and password may be percent-encoded, and need not be: what stands before the last `@` is
 * theirs. Null: it is none.
 */
export function parseRedisUrl(text: string): RedisSpec | null {
  const [start, scheme, kind] = SCHEME.exec(text) ?? [];
  if (start === undefined) return null;
  const rest = text.slice(start.length);
  const at = rest.lastIndexOf("@");
  const [hosts = "", database = "", master = ""] =
    /^([^/#]*)(?:\/(\d*))?(?:#(.+))?$/.exec(rest.slice(at + 1))?.slice(1) ?? [];
  const nodes = hosts.split(",").map((host) => parseNode(host, kind === "-sentinel" ? SENTINEL_PORT : PORT));
  if (nodes.includes(null) || Number(database) > DATABASE_MAX) return null;
  if ((kind === "-sentinel") !== (master !== "")) return null;
  if (kind === undefined && nodes.length > 1) return null;
  if (kind === "-cluster" && Number(database) !== 0) return null;
  const topology: RedisOptions["topology"] =
    kind === "-sentinel" ? { kind: "sentinel", master } : { kind: kind === "-cluster" ? "cluster" : "server" };
  const user = at < 0 ? { username: null, password: null } : parseUser(rest.slice(0, at));
  return { topology, nodes: nodes as RedisNode[], tls: scheme === "rediss", database: Number(database), ...user };
}

function parseNode(text: string, port: number): RedisNode | null {
  const [, host, given] = NODE.exec(text) ?? [];
  if (host === undefined || Number(given ?? port) > 65_535) return null;
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(given ?? port) };
}

function parseUser(text: string): Pick<RedisSpec, "username" | "password"> {
  const colon = text.indexOf(":");
  // As Redis' own clients have it: a name alone is a password.
  const [username, password] = colon < 0 ? ["", text] : [text.slice(0, colon), text.slice(colon + 1)];
  return {
    username: username === "" ? null : decoded(username),
    password: password === "" ? null : new Secret(decoded(password)),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The store's options, the password among them. */
export function redisOptions({ password, ...spec }: RedisSpec): RedisOptions {
  return { ...spec, password: password?.reveal() ?? null };
}

/** How a queue's connections are made, the password among it. */
export function chunkQueueConnection({ redis }: { readonly redis: RedisSpec }): Readonly<Record<string, unknown>> {
  return { ...queueConnection(redisOptions(redis)) };
}
