/** Something has changed, look again. Who waits is woken by the next `notify`, of which nothing is remembered. */
export class Notice {
  #waiters = new Set<() => void>();

  notify(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }

  /** Rejects with the signal's reason when it is aborted first. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const done = (): void => {
        signal.removeEventListener("abort", abort);
        this.#waiters.delete(done);
        resolve();
      };
      const abort = (): void => {
        this.#waiters.delete(done);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.add(done);
    });
  }
}
