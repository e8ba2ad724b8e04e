import type { MillraceError } from "../core/errors.ts";
import type { TableId } from "../core/table-schema.ts";
import { complete } from "../snapshot/complete.ts";
import { merge } from "../snapshot/stage.ts";
import type { Pipeline, AttemptRequest } from "./parts.ts";
import { RunEnd } from "./run-end.ts";
import type { RunOutcome } from "./run-outcome.ts";
import { openSession } from "./session.ts";

/**
 * One attempt at a pipeline, from recovery to its end: the straight line that every change travels (design §1).
 *
 *     log reader ─► merge ─► complete ─► sink ─► epoch commit ─► checkpoint ─► acknowledge
 *                     ▲
 *      chunk readers ─┘
 *
 * Each stage pulls from the one before it, so what is slow downstream slows the reader down, and nothing else holds rows.
 * Rejects with whatever ended it: the caller decides about another attempt. `failed` are tables to begin as stopped.
 */
export async function runLine(
  pipeline: Pipeline,
  request: AttemptRequest,
  failed: ReadonlyMap<TableId, MillraceError>,
  signal: AbortSignal,
): Promise<RunOutcome> {
  const session = await openSession(pipeline, request, failed, signal);
  if (session.kind !== "open") return session;
  try {
    const { connectors, log, snapshot, epochs, delivery } = session;
    const end = new RunEnd(request, session);
    const changes = log.items(signal);
    const merged = merge(changes, snapshot, signal);
    const completed = complete(merged, {
      source: connectors.source,
      timeoutMs: pipeline.settings.completeTimeoutMs,
      gone: connectors.sink.kind === "log" ? "kept" : "dropped",
      clock: request.ambient.clock,
      signal,
    });

    request.events({ kind: "running" });
    for await (const item of completed) {
      await delivery.take(item);
      if (item.kind !== "progress") continue;
      const reason = end.asked ? "stop" : epochs.due();
      if (reason !== null && epochs.hasContent) await delivery.commit(reason);
      const outcome = await end.reached(signal);
      if (outcome === null) continue;
      if (outcome.kind === "snapshot-done") await session.release(signal);
      return outcome;
    }
    throw end.logEnded();
  } finally {
    await session[Symbol.asyncDispose]();
  }
}
