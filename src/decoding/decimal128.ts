import type { ColumnBuilder } from "../core/column-builder.ts";

const TWO_32 = 4_294_967_296;

/** 10 to the 0 … 22, all exact doubles. */
export const POWERS_OF_TEN: Float64Array = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/**
 * Adds decimal digits up into a 128-bit magnitude of four 32-bit limbs held as doubles: no BigInt, nothing allocated.
 * One for all columns: it is empty between two values.
 */
export class Magnitude {
  #l0 = 0;
  #l1 = 0;
  #l2 = 0;
  #l3 = 0;
  #overflow = false;

  reset(): void {
    this.#l0 = this.#l1 = this.#l2 = this.#l3 = 0;
    this.#overflow = false;
  }

  /** More than 127 bits: no decimal of 38 digits. */
  get overflow(): boolean {
    return this.#overflow || this.#l3 >= TWO_32 / 2;
  }

  /** value × factor + add; both below 2²¹ times 2³², so that every product is an exact double. */
  multiplyAdd(factor: number, add: number): void {
    const t0 = this.#l0 * factor + add;
    const c0 = Math.floor(t0 / TWO_32);
    const t1 = this.#l1 * factor + c0;
    const c1 = Math.floor(t1 / TWO_32);
    const t2 = this.#l2 * factor + c1;
    const c2 = Math.floor(t2 / TWO_32);
    const t3 = this.#l3 * factor + c2;
    const c3 = Math.floor(t3 / TWO_32);
    this.#l0 = t0 - c0 * TWO_32;
    this.#l1 = t1 - c1 * TWO_32;
    this.#l2 = t2 - c2 * TWO_32;
    this.#l3 = t3 - c3 * TWO_32;
    if (c3 !== 0) this.#overflow = true;
  }

  /** Appends it to a decimal column as two's complement. */
  append(builder: ColumnBuilder, negative: boolean): void {
    builder.reserve();
    const words = builder.int32;
    const at = builder.row * 4;
    let carry = negative ? 1 : 0;
    const flip = negative ? -1 : 0;
    const w0 = (this.#l0 ^ flip) + carry;
    words[at] = w0;
    carry = carry === 1 && (w0 | 0) === 0 ? 1 : 0;
    const w1 = (this.#l1 ^ flip) + carry;
    words[at + 1] = w1;
    carry = carry === 1 && (w1 | 0) === 0 ? 1 : 0;
    const w2 = (this.#l2 ^ flip) + carry;
    words[at + 2] = w2;
    carry = carry === 1 && (w2 | 0) === 0 ? 1 : 0;
    words[at + 3] = (this.#l3 ^ flip) + carry;
    builder.next();
  }
}

/** Appends a decimal whose unscaled value is an integer below 2⁵³. */
export function appendSmallDecimal(builder: ColumnBuilder, unscaled: number): void {
  builder.reserve();
  const words = builder.int32;
  const at = builder.row * 4;
  const high = Math.floor(unscaled / TWO_32);
  const sign = high < 0 ? -1 : 0;
  words[at] = unscaled - high * TWO_32;
  words[at + 1] = high;
  words[at + 2] = sign;
  words[at + 3] = sign;
  builder.next();
}
