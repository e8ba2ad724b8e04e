import type { RedisOptions as ClientOptions } from "ioredis";
import type { RedisOptions } from "./options.ts";

export const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MS_MAX = 2_000;

export function reconnectPauseMs(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MS_MAX);
}

/** What every connection has, whatever is sent over it. */
export function sharedOptions({ tls, database, username, password }: RedisOptions): ClientOptions {
  return {
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    ...(tls && { tls: {} }),
    db: database,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: reconnectPauseMs,
    // Behind one address another server may be the master by now.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
    disableClientInfo: true,
  };
}

/** Where one server is, alone or behind sentinels. */
export function placeOptions({ topology, nodes, tls, username, password }: RedisOptions): ClientOptions {
  if (topology.kind !== "sentinel") return nodes[0]!;
  return {
    sentinels: [...nodes],
    name: topology.master,
    // One user for all of them.
    ...(username !== null && { sentinelUsername: username }),
    ...(password !== null && { sentinelPassword: password }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
  };
}

/**
 * For the connections of a queue, which makes them itself. A command waits for as long as the server is away, and is sent again: the
 * queue's own scripts are made for that.
 */
export function queueConnection(options: RedisOptions): ClientOptions {
  return {
    ...sharedOptions(options),
    ...placeOptions(options),
    maxRetriesPerRequest: null,
    // And once more what the old master has refused.
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 2 : false),
  };
}
