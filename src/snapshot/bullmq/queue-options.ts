import type { ConnectionOptions } from "bullmq";
import { queuePrefix } from "./chunk-job.ts";

/** How a pipeline's queue is reached: plain options, of which every connection is made anew. The password is among them. */
export type QueueConnection = Readonly<Record<string, unknown>>;

/** What queue, events and workers have in common. */
export interface SharedOptions {
  readonly connection: ConnectionOptions;
  readonly prefix: string;
  /** It would print what it thinks of the server, among our lines. */
  readonly skipVersionCheck: true;
}

export function sharedOptions(pipeline: string, connection: QueueConnection): SharedOptions {
  return { connection: { ...connection }, prefix: queuePrefix(pipeline), skipVersionCheck: true };
}
