/**
 * A moving average of a counter's growth, in units per second: exponentially weighted by time, so that it follows a change
 * within about `halfLifeMs` and does not jump with every batch.
 */
export class Rate {
  readonly #halfLifeMs: number;
  #value = 0;
  #count = 0;
  #atMs: number | null = null;
  #beganMs = 0;

  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** `count` as it stands at `nowMs`. One that has gone back (another attempt) begins anew from there. */
  observe(count: number, nowMs: number): void {
    if (this.#atMs === null || count < this.#count) {
      this.#count = count;
      this.#atMs = nowMs;
      this.#beganMs = nowMs;
      this.#value = 0;
      return;
    }
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs <= 0) return;
    const current = ((count - this.#count) / elapsedMs) * 1000;
    const kept = 0.5 ** (elapsedMs / this.#halfLifeMs);
    this.#value = this.#value * kept + current * (1 - kept);
    this.#count = count;
    this.#atMs = nowMs;
  }

  /** What has been seen so far is less than a whole average, and is scaled up to one. */
  get perSecond(): number {
    const seen = 1 - 0.5 ** (((this.#atMs ?? 0) - this.#beganMs) / this.#halfLifeMs);
    return seen <= 0 ? 0 : this.#value / seen;
  }
}
