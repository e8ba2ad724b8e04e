import type { Queue } from "bullmq";

/**
 * What is known of a job's worker. `silent`: its lock has run out, as that of a worker which stands still or is cut off, and
 * no other one has taken the job yet. `none`: nobody has begun it, or it has ended.
 */
export type Hold = "held" | "silent" | "none";

export async function holdOf(queue: Queue, id: string): Promise<Hold> {
  const client = await queue.getBackend().client;
  // As BullMQ's scripts name it.
  if ((await client.get(queue.toKey(`${id}:lock`))) !== null) return "held";
  // Behind it: a job that ends loses its lock and its state at once.
  return (await queue.getJobState(id)) === "active" ? "silent" : "none";
}
