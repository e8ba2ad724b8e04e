/** A seeded source of chance (mulberry32), so that a failing history can be run again by its seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1 */
  real(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  chance(probability: number): boolean {
    return this.real() < probability;
  }

  /** 0 ≤ n < `below` */
  below(below: number): number {
    return Math.floor(this.real() * below);
  }

  /** `least` ≤ n ≤ `most` */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
