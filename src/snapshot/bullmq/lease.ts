import type { Job, Worker } from "bullmq";
import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import { orReconnect } from "./or-reconnect.ts";

/** A third of it: two renewals may fail. */
const RENEWALS = 3;

/**
 * A worker's hold on a job: renewed for as long as it is open. A worker that stands still, or cannot reach the queue, loses it to
 * another one, and finds that out by the next renewal.
 */
export class Lease implements AsyncDisposable {
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  readonly #renewing: Promise<void>;

  constructor(job: Job, token: string, leaseMs: number, worker: Worker, { clock, logger }: Ambient) {
    const renew = async (): Promise<void> => {
      for (;;) {
        await clock.sleep(leaseMs / RENEWALS, this.#ended.signal);
        try {
          if ((await orReconnect(worker, clock, job.extendLock(token, leaseMs))) === 1) continue;
        } catch (error) {
          logger.debug("a lease was not renewed", { job: job.id, reason: String(error) });
          continue;
        }
        if (!this.#ended.signal.aborted) this.#lost.abort(leaseLost());
        return;
      }
    };
    this.#renewing = renew().catch(() => undefined);
  }

  /** Aborted when another worker has the job, or nobody. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new Error("the job has ended"));
    // A renewal that is under way may wait for a server that is away.
    void this.#renewing;
  }
}

function leaseLost(): MillraceError {
  return new MillraceError("CHUNK_WORKER_LOST", "the chunk is no longer this worker's");
}
