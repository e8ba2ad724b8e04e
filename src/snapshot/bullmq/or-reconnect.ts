import type { RedisQueueBackend } from "bullmq";
import type { Clock } from "../../core/ambient.ts";

/** A connection over which nothing comes for so long has lost its other end, and TCP would find out in a quarter of an hour. */
const SILENCE_MS_MAX = 15_000;

/**
 * `work`, a command over the queue's connection. Where it is not answered for long though the connection seems to be there, that is
 * made anew, and the command is sent again by it.
 */
export async function orReconnect<T>(
  queue: { getBackend(): Pick<RedisQueueBackend, "client"> },
  clock: Clock,
  work: Promise<T>,
): Promise<T> {
  const answered = new AbortController();
  const reconnect = async (): Promise<void> => {
    await clock.sleep(SILENCE_MS_MAX, answered.signal);
    const client = await queue.getBackend().client;
    // One that is being made already is left alone.
    if (client.status === "ready") client.disconnect(true);
  };
  reconnect().catch(() => undefined);
  try {
    return await work;
  } finally {
    answered.abort();
  }
}
