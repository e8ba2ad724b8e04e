import type { Queue, QueueEvents } from "bullmq";
import type { Ambient } from "../../core/ambient.ts";
import { Notice } from "../../flow/notice.ts";
import { holdOf } from "./hold.ts";
import { orReconnect } from "./or-reconnect.ts";

/** How a job has ended. `lost`: the queue knows nothing of it any more. `workers`: how many have begun it. */
export type JobEnd =
  | { readonly kind: "done"; readonly result: unknown; readonly workers: number }
  | { readonly kind: "failed"; readonly reason: string; readonly workers: number }
  | { readonly kind: "lost"; readonly workers: number };

/** Why jobs stay as they are: there are no workers, or those that have begun them are not heard of. Null: they need not. */
export type Standstill = "no-workers" | "silent-workers" | null;

export interface JobWatchOptions {
  readonly queue: Queue;
  readonly events: QueueEvents;
  /** Told when it changes. */
  readonly standstill: (why: Standstill) => void;
  /** A job has ended that nobody waits for. */
  readonly unawaited: (id: string) => void;
  readonly ambient: Ambient;
}

interface Awaited {
  readonly tell: (end: JobEnd) => void;
  /** From then on it is lost where it is not there. */
  isAdded: boolean;
}

/** Jobs are looked at without being told of, too: events may be lost with the server's memory, and the job with them. */
const LOOK_MS = 2_000;

/**
 * Waits for jobs to end. The queue's events say when to look; the job itself says what has become of it, so that an event that was
 * lost costs seconds and nothing else.
 */
export class JobWatch implements AsyncDisposable {
  readonly #options: JobWatchOptions;
  readonly #awaited = new Map<string, Awaited>();
  readonly #added = new Notice();
  readonly #closed = new AbortController();
  readonly #looking: Promise<void>;
  #standstill: Standstill = null;

  constructor(options: JobWatchOptions) {
    this.#options = options;
    const { events, ambient, unawaited } = options;
    const ended = ({ jobId }: { jobId: string }): void => {
      if (this.#awaited.has(jobId)) this.#lookSoon(jobId);
      else unawaited(jobId);
    };
    events.on("completed", ended);
    events.on("failed", ended);
    events.on("stalled", ({ jobId }) => ambient.logger.warn("a chunk's worker was lost", { job: jobId }));
    this.#looking = this.#lookAgainAndAgain(this.#closed.signal).catch(() => undefined);
  }

  /** Of a job that `adding` adds: waited for before, so that its end is not missed. Rejects with the signal's reason. */
  async end(id: string, adding: () => Promise<unknown>, signal: AbortSignal): Promise<JobEnd> {
    const { promise, resolve, reject } = deferred<JobEnd>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const awaited: Awaited = { tell: resolve, isAdded: false };
    this.#awaited.set(id, awaited);
    // Where adding fails, that error counts.
    promise.catch(() => undefined);
    try {
      await adding();
      awaited.isAdded = true;
      this.#added.notify();
      return await promise;
    } finally {
      this.#awaited.delete(id);
      signal.removeEventListener("abort", abort);
      if (this.#awaited.size === 0) this.#tell(null);
    }
  }

  #lookSoon(id: string): void {
    this.#look(id).catch((error: unknown) => {
      this.#options.ambient.logger.debug("a chunk's job could not be looked at", { job: id, reason: String(error) });
    });
  }

  async #look(id: string): Promise<void> {
    const job = await this.#options.queue.getJob(id);
    const awaited = this.#awaited.get(id);
    if (awaited === undefined) return;
    const { tell, isAdded } = awaited;
    if (job === undefined) return isAdded ? tell({ kind: "lost", workers: 0 }) : undefined;
    if (job.finishedOn === undefined) return;
    const workers = job.attemptsStarted;
    if (job.failedReason !== undefined) tell({ kind: "failed", reason: job.failedReason, workers });
    else tell({ kind: "done", result: job.returnvalue as unknown, workers });
  }

  async #lookAgainAndAgain(signal: AbortSignal): Promise<void> {
    const { queue, ambient } = this.#options;
    const { clock, logger } = ambient;
    for (;;) {
      if (this.#awaited.size === 0) await this.#added.wait(signal);
      try {
        await orReconnect(queue, clock, this.#lookForWorkers());
        await clock.sleep(LOOK_MS, signal);
        for (const id of this.#awaited.keys()) await orReconnect(queue, clock, this.#look(id));
      } catch (error) {
        signal.throwIfAborted();
        logger.debug("the queue could not be looked at", { reason: String(error) });
        await clock.sleep(LOOK_MS, signal);
      }
    }
  }

  /** Where the server does not tell its clients apart, there are some. */
  async #lookForWorkers(): Promise<void> {
    const workers = await this.#options.queue.getWorkersCount().catch((error: unknown) => {
      this.#options.ambient.logger.debug("workers are not known of", { reason: String(error) });
      return 1;
    });
    const why = workers === 0 ? "no-workers" : (await this.#areSilent()) ? "silent-workers" : null;
    this.#tell(this.#awaited.size === 0 ? null : why);
  }

  /** Of those that have begun a job not one is heard of. */
  async #areSilent(): Promise<boolean> {
    const holds = await Promise.all([...this.#awaited.keys()].map((id) => holdOf(this.#options.queue, id)));
    return holds.includes("silent") && !holds.includes("held");
  }

  #tell(why: Standstill): void {
    if (why === this.#standstill) return;
    this.#standstill = why;
    this.#options.standstill(why);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new Error("the queue is closed"));
    // It may wait for a server that is away, for as long as that is: nobody waits for it.
    void this.#looking;
  }
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let [resolve, reject]: [(value: T) => void, (error: unknown) => void] = [() => undefined, () => undefined];
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise;
    reject = rejectPromise;
  });
  return { promise, resolve, reject };
}
