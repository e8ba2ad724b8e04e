import { freePort } from "./free-port.ts";
import { type PrivateRedis, type PrivateRedisOptions, startPrivateRedis } from "./private-redis.ts";
import { waitFor } from "./wait-for.ts";

/** What each of the three masters has of a cluster's 16,384 slots: from the first to the last. */
const SLOTS = [
  ["0", "5460"],
  ["5461", "10922"],
  ["10923", "16383"],
] as const;

/** Three masters of one's own that share the keys among them. */
export class PrivateRedisCluster implements AsyncDisposable {
  readonly nodes: readonly PrivateRedis[];

  constructor(nodes: readonly PrivateRedis[]) {
    this.nodes = nodes;
  }

  /** `gossipPort`: on which the first node hears of the others. */
  async join(gossipPort: number): Promise<void> {
    const [first] = this.nodes as [PrivateRedis];
    for (const [i, node] of this.nodes.entries()) {
      await node.command("CLUSTER", "ADDSLOTSRANGE", ...SLOTS[i]!);
      // Two that claim the same one settle it between them, which takes a while.
      await node.command("CLUSTER", "SET-CONFIG-EPOCH", String(i + 1));
      if (node !== first) await node.command("CLUSTER", "MEET", first.host, String(first.port), String(gossipPort));
    }
    for (const node of this.nodes) await waitFor("the cluster to be whole", () => isWhole(node));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
  }
}

async function isWhole(node: PrivateRedis): Promise<boolean> {
  const info = await node.command("CLUSTER", "INFO");
  return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${SLOTS.length}`);
}

/** `await using cluster = await startRedisCluster({ kind: "redis8" })`. The options are those of each node. */
export async function startRedisCluster(options: Omit<PrivateRedisOptions, "mode">): Promise<PrivateRedisCluster> {
  const gossipPorts = [await freePort(), await freePort(), await freePort()] as const;
  const nodes = await Promise.all(
    gossipPorts.map((port) => {
      const config = { ...options.config, "cluster-enabled": "yes", "cluster-port": String(port) };
      return startPrivateRedis({ ...options, config });
    }),
  );
  const cluster = new PrivateRedisCluster(nodes);
  try {
    await cluster.join(gossipPorts[0]);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}
