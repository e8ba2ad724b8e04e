import type { Clock } from "../../core/ambient.ts";
import type { StoreLocation } from "../../stores/open-store.ts";
import { discardQueue } from "./chunk-queue.ts";
import type { QueueConnection } from "./queue-options.ts";
import { StagingArea } from "./staging-area.ts";

/** Takes away all that a pipeline has in its queue and in its staging area. */
export async function discardChunks(
  pipeline: string,
  connection: QueueConnection,
  location: StoreLocation,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await discardQueue(pipeline, connection, signal);
  await using staging = new StagingArea(location, pipeline, clock);
  await staging.open(signal);
  await staging.removeRuns(Number.MAX_SAFE_INTEGER, signal);
}
