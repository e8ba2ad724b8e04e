import type { Queue } from "bullmq";

/**
 * What is known of a job's worker. `silent`: its lock has run out, as that of a worker which stands still or is cut off, and
 * no other one has taken the job yet. `none`: nobody has begun it, or it has ended.
 */
export type Hold = "held" | "silent" | "none";

export async function holdOf(queue: Queue, id: string): Promise<Hold> {
  if (await isLocked(queue, id)) return "held";
  // It loses its lock and this state at once where it ends, and gets both at once where it is begun in between.
  if ((await queue.getJobState(id)) !== "active") return "none";
  return (await isLocked(queue, id)) ? "held" : "silent";
}

async function isLocked(queue: Queue, id: string): Promise<boolean> {
  const client = await queue.getBackend().client;
  // As BullMQ's scripts name it.
  return (await client.get(queue.toKey(`${id}:lock`))) !== null;
}
