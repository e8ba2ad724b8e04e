/** One Redis or Valkey server, the master of that name that sentinels know, or a cluster. */
export interface RedisOptions {
  readonly topology: { readonly kind: "server" | "cluster" } | { readonly kind: "sentinel"; readonly master: string };
  /** The server, the sentinels, or some of the cluster's nodes. At least one. */
  readonly nodes: readonly RedisNode[];
  /** The server's certificate is checked, against the system's authorities and those of `NODE_EXTRA_CA_CERTS`. */
  readonly tls: boolean;
  readonly database: number;
  /** Null: the default user. */
  readonly username: string | null;
  readonly password: string | null;
}

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** For people: where it is, without secrets. */
export function redisPlace({ topology, nodes, tls, database }: RedisOptions): string {
  const scheme = `${tls ? "rediss" : "redis"}${topology.kind === "server" ? "" : `-${topology.kind}`}`;
  const hosts = nodes.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(",");
  const path = database === 0 ? "" : `/${database}`;
  return `${scheme}://${hosts}${path}${topology.kind === "sentinel" ? `#${topology.master}` : ""}`;
}
