import { MessageChannel } from "node:worker_threads";

/**
 * Gives the buffers' memory back to the system at once; they are empty then. The garbage collector does so too, but when
 * it comes to it: of rows of 64 MB several would lie there meanwhile. (A message that nobody will receive takes what was
 * moved into it along when its port closes.)
 */
export function releaseMemory(buffers: readonly ArrayBuffer[]): void {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(null, [...buffers]);
  port1.close();
  port2.close();
}
