import { type PrivateRedis, startPrivateRedis } from "./private-redis.ts";
import { waitFor } from "./wait-for.ts";

/** What a sentinel calls the master that it watches. */
export const MASTER_NAME = "main";

/** Shorter, and a server that has to wait for its turn on a busy machine is taken for one that is gone. */
const DOWN_AFTER_MS = 2_000;
/**
 * It asks servers every ten seconds otherwise for their replicas, and bears a master for eight that was one before. It trusts
 * no answer that is older than two of the first periods: much shorter, and every one is too old.
 */
const HASTE = ["INFO-PERIOD", "1000", "PUBLISH-PERIOD", "200", "PING-PERIOD", "200"];

/**
 * A sentinel of one's own that watches `master` and its `replicas`, and decides alone. Resolves when it knows all of them.
 * Its haste does not outlive a restart.
 */
export async function startSentinel(master: PrivateRedis, replicas: readonly PrivateRedis[]): Promise<PrivateRedis> {
  const { kind, password } = master;
  const watch = { "sentinel monitor": `${MASTER_NAME} ${master.host} ${master.port} 1` };
  const auth = password === "" ? {} : { "sentinel auth-pass": `${MASTER_NAME} ${JSON.stringify(password)}` };
  const patience = {
    "sentinel down-after-milliseconds": `${MASTER_NAME} ${DOWN_AFTER_MS}`,
    "sentinel failover-timeout": `${MASTER_NAME} 5000`,
  };
  const config = { ...watch, ...auth, ...patience };
  const sentinel = await startPrivateRedis({ kind, password, mode: "sentinel", config });
  try {
    await sentinel.command("SENTINEL", "DEBUG", ...HASTE);
    await waitFor("the sentinel to know the replicas", async () => {
      const known = await sentinel.command<unknown[]>("SENTINEL", "REPLICAS", MASTER_NAME);
      return known.length === replicas.length;
    });
    return sentinel;
  } catch (error) {
    await sentinel[Symbol.asyncDispose]();
    throw error;
  }
}
