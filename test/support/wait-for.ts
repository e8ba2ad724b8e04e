import { setTimeout as pause } from "node:timers/promises";

export const DEADLINE_MS = 30_000;
const PAUSE_MS = 20;

/**
 * Waits until `condition` gives something other than false, null or undefined, and returns that. The condition is asked
 * again and again, at once at first: give it the real thing to look at (a query, a file), not a guess of how long it
 * takes. What it throws ends the wait. Rejects behind the deadline, naming `what`.
 */
export async function waitFor<Result>(
  what: string,
  condition: () => Result | Promise<Result>,
  deadlineMs: number = DEADLINE_MS,
): Promise<Exclude<Result, false | null | undefined | void>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const result = await condition();
    if (result !== false && result !== null && result !== undefined)
      return result as Exclude<Result, false | null | undefined | void>;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
    await pause(PAUSE_MS);
  }
}

/** `promise`, or an error that names `what` where it has not settled by the deadline. */
export async function within<Result>(
  what: string,
  promise: Promise<Result>,
  deadlineMs: number = DEADLINE_MS,
): Promise<Result> {
  const timer = new AbortController();
  const late = pause(deadlineMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
  });
  // Ended by the abort when the promise was first.
  late.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
