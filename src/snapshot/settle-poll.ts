import type { Ambient } from "../core/ambient.ts";
import { asMillraceError } from "../core/errors.ts";
import type { LogReader, Source } from "../core/source.ts";
import type { Merge } from "./merge.ts";

/** How often it is asked what is visible; shorter while a chunk waits for it. */
const POLL_MS = 1000;
const POLL_URGENT_MS = 100;
/** A bound that a quiet log has not passed by then is helped along, and again after as long. */
const NUDGE_AFTER_MS = 1000;
const FAILURES_MAX = 10;

export interface SettlePollOptions {
  readonly source: Pick<Source, "visible">;
  readonly log: Pick<LogReader, "ping" | "nudge">;
  readonly merge: Merge;
  readonly ambient: Ambient;
  /** How many chunks wait for something to become visible. */
  readonly blocked: () => number;
  /** Since when the chunk that has waited longest for its bound does; null: none waits. */
  readonly boundAwaitedSinceMs: () => number | null;
  readonly settled: () => void;
}

/** While a snapshot runs: settles the merge by what is visible, and moves a log that stands before a chunk's bound. */
export async function settlePoll(options: SettlePollOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger } = options.ambient;
  let nudgedMs = -Infinity;
  for (let failures = 0; ;) {
    const urgent = options.blocked() > 0 || options.boundAwaitedSinceMs() !== null;
    await clock.sleep(urgent ? POLL_URGENT_MS : POLL_MS, signal);
    try {
      await settle(options, signal);
      nudgedMs = await helpLog(options, nudgedMs, signal);
      failures = 0;
    } catch (error) {
      const { code, retry } = asMillraceError(error);
      if (signal.aborted || retry !== "timed" || ++failures > FAILURES_MAX) throw error;
      logger.warn("asking what is visible failed", { code, failures, failuresMax: FAILURES_MAX });
    }
  }
}

async function settle({ source, merge, settled }: SettlePollOptions, signal: AbortSignal): Promise<void> {
  if (merge.settling) merge.settle(await source.visible(signal));
  // Also where nothing had to settle: a chunk may wait for a transaction boundary alone, and nobody else would wake it.
  settled();
}

/** When the log was nudged last. */
async function helpLog(options: SettlePollOptions, nudgedMs: number, signal: AbortSignal): Promise<number> {
  const sinceMs = options.boundAwaitedSinceMs();
  if (sinceMs === null) return nudgedMs;
  const nowMs = options.ambient.clock.monotonicMs();
  if (nowMs - Math.max(sinceMs, nudgedMs) < NUDGE_AFTER_MS) {
    options.log.ping();
    return nudgedMs;
  }
  options.merge.boundNow((await options.source.visible(signal)).bound);
  await options.log.nudge(signal);
  return nowMs;
}
