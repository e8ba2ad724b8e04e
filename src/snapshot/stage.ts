import type { LineItem, LogItem } from "../core/line.ts";
import { itemBytes } from "../core/line.ts";
import { MillraceError } from "../core/errors.ts";
import { MemoryChannel } from "../flow/channel.ts";
import type { Snapshot } from "./snapshot.ts";

/** What may wait between the merge and the sink. */
const LINE_BYTES_MAX = 8 * 1024 * 1024;

/**
 * The merge as a stage of the line: starts the snapshot, and puts chunks into the log. Two producers share the line: what
 * the log brings, due chunks included, and the rows of a table without a key, which come as they are read. What fails in
 * either fails the line; leaving the loop over it ends both.
 */
export async function* merge(
  log: AsyncIterable<LogItem>,
  snapshot: Snapshot,
  signal: AbortSignal,
): AsyncIterable<LineItem> {
  const line = new MemoryChannel<LineItem>({ bytesMax: LINE_BYTES_MAX, sizeOf: itemBytes });
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  void pump(log, snapshot, line);
  const chunks = snapshot.run((item) => line.push(item), either).catch((error: unknown) => line.fail(error));
  try {
    yield* line;
  } finally {
    const left = new MillraceError("INTERNAL", "the line has ended");
    ending.abort(left);
    line.cancel(left);
    // The pump ends with the log: it may be waiting for a server, and whoever opened the log closes it.
    await chunks;
  }
}

/** Never rejects: a failure is the line's. */
async function pump(log: AsyncIterable<LogItem>, snapshot: Snapshot, line: MemoryChannel<LineItem>): Promise<void> {
  try {
    for await (const item of log) for (const passed of snapshot.pass(item)) await line.push(passed);
    line.end();
  } catch (error) {
    // After the consumer has left this is its own cancellation, and tells nobody anything.
    line.fail(error);
  }
}
