import type { Clock } from "../core/ambient.ts";
import type { ErrorCode } from "../core/error-codes.ts";
import { asMillraceError, type MillraceError } from "../core/errors.ts";
import type { TableId } from "../core/table-schema.ts";
import type { Pipeline, RunRequest } from "./parts.ts";
import type { RunOutcome } from "./run-outcome.ts";
import { runLine } from "./run.ts";

const PAUSE_MS_MAX = 30_000;
/** An attempt that went on for so long, or brought rows, has nothing to do with the failures before it. */
const STEADY_MS = 60_000;
/**
 * Another run, which another store keeps alive (a cut between two), is still quicker to commit than this one to begin. It is
 * tried again at once, since each pause gives the other one time for more epochs.
 */
const OVERTAKEN_MAX = 100;
/** The checkpoint store cannot be used for now. */
const STORE_AWAY: ReadonlySet<ErrorCode> = new Set(["CHECKPOINT_UNREACHABLE", "CHECKPOINT_REDIS_FULL"]);

/**
 * Runs a pipeline until it ends, over as many attempts as passing failures ask for. Each attempt begins with recovery,
 * exactly as after a crash. A table that the sink could not take stops alone: the next attempt begins without it.
 */
export async function run(pipeline: Pipeline, request: RunRequest): Promise<RunOutcome> {
  const stopping = (): void => request.events({ kind: "stopping" });
  request.stop.addEventListener("abort", stopping, { once: true });
  try {
    return await runAttempts(pipeline, request);
  } finally {
    request.stop.removeEventListener("abort", stopping);
  }
}

async function runAttempts(pipeline: Pipeline, request: RunRequest): Promise<RunOutcome> {
  const { clock } = request.ambient;
  const failed = new Map<TableId, MillraceError>();
  let { resnapshot, takeOver } = request;
  let attempts = 0;
  let overtaken = 0;
  let hasDelivered = false;
  let tokenBefore: number | null = null;
  const recovered = (token: number): void => void (tokenBefore = token);
  const events: RunRequest["events"] = (event) => {
    if (event.kind === "committed") {
      // The first epoch of a run holds what was begun anew: it is not begun again by an attempt that follows.
      resnapshot = [];
      if (event.rows > 0) attempts = 0;
    }
    request.events(event);
  };
  for (;;) {
    const stop = new StopWatch(request.stop, clock, pipeline.settings.stopTimeoutMs);
    const beganMs = clock.monotonicMs();
    try {
      const attempt = {
        ...request,
        events: stop.watch(events),
        resnapshot,
        takeOver,
        tokenBefore,
        recovered,
        takenOver: stop.fail,
      };
      return await runLine(pipeline, attempt, failed, stop.signal);
    } catch (cause) {
      if (stop.gaveUp) return { kind: "stopped", stoppedTables: [] };
      const error = stop.failure ?? asMillraceError(cause);
      // What another process has taken over since is that one's.
      takeOver = false;
      if (error.code === "OVERTAKEN" && !request.stop.aborted && ++overtaken < OVERTAKEN_MAX) {
        request.ambient.logger.warn("trying again at once", { code: error.code, reason: error.message, overtaken });
        continue;
      }
      hasDelivered ||= stop.delivering;
      // A store that goes away is waited for, as by an epoch that is on its way to it.
      const waits = hasDelivered && STORE_AWAY.has(error.code);
      attempts = waits || clock.monotonicMs() - beganMs >= STEADY_MS ? 1 : attempts + 1;
      if (!(stop.delivering && takeOut(error, failed))) await pauseBeforeRetry(pipeline, request, error, attempts);
    } finally {
      stop.end();
    }
  }
}

/** Remembers a table that the sink cannot take, so that the next attempt begins with it stopped. */
function takeOut(error: MillraceError, failed: Map<TableId, MillraceError>): boolean {
  const table = error.place.table as TableId | undefined;
  if (error.retry !== "manual" || table === undefined || failed.has(table)) return false;
  failed.set(table, error);
  return true;
}

async function pauseBeforeRetry(
  pipeline: Pipeline,
  { ambient, events, stop }: RunRequest,
  error: MillraceError,
  attempts: number,
): Promise<void> {
  const { attemptsMax, retryPauseMs } = pipeline.settings;
  if (error.retry !== "timed" || stop.aborted || attempts >= attemptsMax) throw error;
  const pauseMs = Math.min(retryPauseMs * 2 ** (attempts - 1), PAUSE_MS_MAX);
  ambient.logger.warn("trying again", { code: error.code, reason: error.message, attempts, pauseMs });
  events({ kind: "waiting", on: `another attempt, after ${error.code}: ${error.message}` });
  await ambient.clock.sleep(pauseMs, stop).catch(() => undefined);
  events({ kind: "waiting", on: null });
}

/**
 * Turns a stop, or what is found out beside the line (`fail`), into an abort of the attempt. A stop is one at once while
 * nothing is delivered yet, else only when the line has not come to a transaction boundary in time. The open epoch is then
 * given up, and read again by the next run.
 */
class StopWatch {
  readonly #attempt = new AbortController();
  readonly #ended = new AbortController();
  /** The line has begun. */
  delivering: boolean = false;
  /** What the attempt has to end with. */
  failure: MillraceError | null = null;

  constructor(stop: AbortSignal, clock: Clock, timeoutMs: number) {
    const giveUp = (): void => this.#attempt.abort(new Error("stopped"));
    const stopped = (): void => {
      if (!this.delivering) return giveUp();
      clock.sleep(timeoutMs, this.#ended.signal).then(giveUp, () => undefined);
    };
    if (stop.aborted) stopped();
    else stop.addEventListener("abort", stopped, { once: true, signal: this.#ended.signal });
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get gaveUp(): boolean {
    return this.#attempt.signal.aborted && this.failure === null;
  }

  readonly fail = (error: MillraceError): void => {
    if (this.#attempt.signal.aborted) return;
    this.failure = error;
    this.#attempt.abort(error);
  };

  watch(events: RunRequest["events"]): RunRequest["events"] {
    return (event) => {
      this.delivering ||= event.kind === "running";
      events(event);
    };
  }

  end(): void {
    this.#ended.abort();
  }
}
