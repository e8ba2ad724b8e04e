import { NO_TEXT, NOT_ALONE, type TextCodes, writePoint } from "./text-codes.ts";

/** Of a code that is none, or is the beginning of a longer one. */
const NO_POINT = -1;

/** Beside a code point: the server makes another code of it. Two codes have it then, or it is only a question mark. */
export const LOSSY = 0x4000_0000;
const POINT = LOSSY - 1;

/** First byte of the three-byte codes of EUC-JP. */
const THREE_BYTES = 0x8f;

/** Codes of four bytes: `81 30 81 30` is the first, and each place counts on through its own range of bytes. */
const FOUR = { firsts: [0x81, 0xfe], digits: [0x30, 0x39] } as const;
const FOUR_BYTES_PER_FIRST = 10 * 126 * 10;
/** `90 30 81 30`, from which on codes and code points count alike. */
const FIRST_BEYOND_BMP = 15 * FOUR_BYTES_PER_FIRST;
const UNICODE_END = 0x11_0000;
const QUESTION_MARK = 0x3f;

/**
 * The codes of a character set that is not Unicode, of one to four bytes each, and the code point of each. A question mark
 * stands where the server prints one, since the code has none.
 */
export class CodeTable implements TextCodes {
  /** By the byte. */
  readonly #one: Int32Array;
  /** By the first byte × 256 + the second; null: all codes are of one byte. */
  readonly #two: Int32Array | null;
  /** By the two bytes behind `8F`; null: there are none of three bytes. */
  readonly #three: Int32Array | null;
  /** Of GB 18030, by their number, as far as they are in the BMP; null: there are none of four bytes. */
  readonly #four: Int32Array | null;
  #bytes = 0;

  constructor(
    one: Int32Array,
    two: Int32Array | null = null,
    three: Int32Array | null = null,
    four: Int32Array | null = null,
  ) {
    this.#one = one;
    this.#two = two;
    this.#three = three;
    this.#four = four;
  }

  /** Whether `forKeys` ever says no. */
  get isLossy(): boolean {
    return [this.#one, this.#two, this.#three, this.#four].some((points) => points?.some((point) => point >= LOSSY));
  }

  /** For so many codes, of which none is one yet. */
  static noPoints(codes: number): Int32Array {
    return new Int32Array(codes).fill(NO_POINT);
  }

  write(target: Uint8Array, at: number, b: Uint8Array, start: number, end: number): number {
    const one = this.#one;
    for (let i = start; i < end;) {
      const point = one[b[i]!]!;
      if (point >= 0) {
        i++;
        if (point < 0x80) target[at++] = point;
        else at = writePoint(target, at, point & POINT);
      } else {
        const longer = this.#longer(b, i, end);
        if (longer < 0) return NO_TEXT;
        at = writePoint(target, at, longer & POINT);
        i += this.#bytes;
      }
    }
    return at;
  }

  /** For text that tells rows apart, which has to stay what it is. */
  forKeys(): TextCodes {
    return {
      write: (target, at, b, start, end) =>
        this.#isLossless(b, start, end) ? this.write(target, at, b, start, end) : NOT_ALONE,
    };
  }

  #isLossless(b: Uint8Array, start: number, end: number): boolean {
    for (let i = start; i < end;) {
      let point = this.#one[b[i]!]!;
      let bytes = 1;
      if (point < 0) {
        point = this.#longer(b, i, end);
        bytes = this.#bytes;
      }
      // What is no code at all is for `write` to say.
      if (point < 0) return true;
      if (point >= LOSSY) return false;
      i += bytes;
    }
    return true;
  }

  /** The code point at `at`, of a code of more than one byte; notes of how many. */
  #longer(b: Uint8Array, at: number, end: number): number {
    if (this.#two === null || end - at < 2) return NO_POINT;
    const point = this.#two[(b[at]! << 8) | b[at + 1]!]!;
    this.#bytes = point >= 0 ? 2 : this.#three === null ? 4 : 3;
    if (point >= 0 || end - at < this.#bytes) return point;
    return this.#bytes === 3 ? this.#threeBytes(b, at) : this.#fourBytes(b, at);
  }

  #threeBytes(b: Uint8Array, at: number): number {
    return b[at] === THREE_BYTES ? this.#three![(b[at + 1]! << 8) | b[at + 2]!]! : NO_POINT;
  }

  #fourBytes(b: Uint8Array, at: number): number {
    const four = this.#four;
    if (four === null) return NO_POINT;
    const number = fourBytesNumber(b, at);
    if (number < 0) return NO_POINT;
    if (number < four.length) return four[number]!;
    const point = number - FIRST_BEYOND_BMP + 0x1_0000;
    return point >= 0x1_0000 && point < UNICODE_END ? point : QUESTION_MARK | LOSSY;
  }
}

/** The number of a code of four bytes of GB 18030, from 0; −1: it is none. */
function fourBytesNumber(b: Uint8Array, at: number): number {
  let number = 0;
  for (let i = 0; i < 4; i++) {
    const [from, to] = i % 2 === 0 ? FOUR.firsts : FOUR.digits;
    const byte = b[at + i]!;
    if (byte < from || byte > to) return -1;
    number = number * (to - from + 1) + byte - from;
  }
  return number;
}
