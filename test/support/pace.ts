import { setTimeout as pause } from "node:timers/promises";

/** Spreads over time what sessions do beside each other. */
export class Pace {
  readonly #gapMs: number;
  #nextMs = 0;

  /** Of all sessions together; infinite: as many as they can. */
  constructor(perSecond: number) {
    this.#gapMs = 1000 / perSecond;
  }

  /** Resolves when another may go on, at once where there is no limit. */
  async turn(): Promise<void> {
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = atMs + this.#gapMs;
    if (atMs > nowMs) await pause(atMs - nowMs);
  }
}
