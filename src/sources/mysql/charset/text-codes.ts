/** How the bytes of a character set become UTF-8. */
export interface TextCodes {
  /**
   * Writes `b[start, end)` as UTF-8 into `target` from `at`, which has room for `UTF8_PER_BYTE` bytes for each of them.
   * Returns where that ends; or why it cannot, one of the two below. Hot.
   */
  write(target: Uint8Array, at: number, b: Uint8Array, start: number, end: number): number;
}

/** It is not of this character set. */
export const NO_TEXT = -1;
/** It is, but something else becomes the same. */
export const NOT_ALONE = -2;

/** Characters of one byte have at most three in UTF-8, and those of more bytes have fewer for each. */
export const UTF8_PER_BYTE = 3;

/** Writes a code point, which is no surrogate, and returns where it ends. */
export function writePoint(target: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    target[at++] = point;
    return at;
  }
  if (point < 0x800) target[at++] = 0xc0 | (point >> 6);
  else {
    if (point < 0x1_0000) target[at++] = 0xe0 | (point >> 12);
    else {
      target[at++] = 0xf0 | (point >> 18);
      target[at++] = 0x80 | ((point >> 12) & 0x3f);
    }
    target[at++] = 0x80 | ((point >> 6) & 0x3f);
  }
  target[at++] = 0x80 | (point & 0x3f);
  return at;
}

const SURROGATES = 0xd800;
const LOW_SURROGATES = 0xdc00;
const SURROGATES_END = 0xe000;
const UNICODE_END = 0x11_0000;

/** UTF-16, or without its pairs UCS-2. A surrogate by itself is no character; the servers do not agree on what it prints. */
export class Utf16Codes implements TextCodes {
  /** 0 or 1: where in two bytes the higher one is. */
  readonly #high: number;
  readonly #hasPairs: boolean;

  constructor(endian: "big" | "little", hasPairs: boolean) {
    this.#high = endian === "big" ? 0 : 1;
    this.#hasPairs = hasPairs;
  }

  write(target: Uint8Array, at: number, b: Uint8Array, start: number, end: number): number {
    const high = this.#high;
    const low = 1 - high;
    if ((end - start) % 2 !== 0) return NO_TEXT;
    for (let i = start; i < end; i += 2) {
      let point = (b[i + high]! << 8) | b[i + low]!;
      if (point >= SURROGATES && point < SURROGATES_END) {
        i += 2;
        if (!this.#hasPairs || point >= LOW_SURROGATES || i >= end) return NO_TEXT;
        const second = (b[i + high]! << 8) | b[i + low]!;
        if (second < LOW_SURROGATES || second >= SURROGATES_END) return NO_TEXT;
        point = 0x1_0000 + ((point - SURROGATES) << 10) + second - LOW_SURROGATES;
      }
      at = writePoint(target, at, point);
    }
    return at;
  }
}

/** Four bytes a character, the highest first. */
export class Utf32Codes implements TextCodes {
  write(target: Uint8Array, at: number, b: Uint8Array, start: number, end: number): number {
    if ((end - start) % 4 !== 0) return NO_TEXT;
    for (let i = start; i < end; i += 4) {
      const point = ((b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!) >>> 0;
      if (point >= UNICODE_END || (point >= SURROGATES && point < SURROGATES_END)) return NO_TEXT;
      at = writePoint(target, at, point);
    }
    return at;
  }
}
