import type { Broken } from "./fields.ts";

const MAGIC = 0xfd2f_b528;
const MAGIC_BYTES = 4;
/** The largest window that zstd itself takes without being asked: 2²⁷. */
const WINDOW_EXPONENT_MAX = 27;
const WINDOW_EXPONENT_MIN = 10;
const WINDOW_BYTES_MAX = 2 ** WINDOW_EXPONENT_MAX;
const CHECKSUM_BYTES = 4;

const BLOCK_HEADER_BYTES = 3;
const Block = { repeated: 1, compressed: 2 } as const;

/** Literals that bring their Huffman tree. */
const WITH_TREE = 2;
/** How long the literals' header is, by the size format in it. */
const LITERALS_HEADER_BYTES = [3, 3, 4, 5] as const;
const WEIGHTS_ACCURACY_MAX = 6;
const SYMBOLS_MAX = 255;

/** Consecutive pieces of bytes, asked for mostly in order. Beyond their end there are zeros. */
class Pieces {
  readonly length: number;
  readonly #pieces: readonly Uint8Array[];
  /** The piece that was asked for last, and where it begins. */
  #index = 0;
  #start = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  byte(at: number): number {
    while (at < this.#start) this.#start -= this.#pieces[--this.#index]!.length;
    let piece = this.#pieces[this.#index];
    while (piece !== undefined && at >= this.#start + piece.length) {
      this.#start += piece.length;
      piece = this.#pieces[++this.#index];
    }
    return piece?.[at - this.#start] ?? 0;
  }

  /** Little endian, of up to four bytes. */
  uint(at: number, bytes: number): number {
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.byte(at + i);
    return value;
  }

  /** Up to eight bits, counted from the lowest of the first byte. */
  bits(bit: number, count: number): number {
    return (this.uint(Math.floor(bit / 8), 2) >> (bit & 7)) & ((1 << count) - 1);
  }
}

/**
 * Looks at compressed bytes (RFC 8878) before they are decompressed, and refuses what would not end well: frames that would
 * have us set aside more than zstd itself does, and those in which fzstd 0.1.1 never ends.
 */
export function checkFrames(pieces: readonly Uint8Array[], broken: Broken): void {
  const b = new Pieces(pieces);
  for (let at = 0; at < b.length;) at = checkFrame(b, at, broken);
}

/** Where what is behind the frame begins. Of one that is cut off the decompressor says so. */
function checkFrame(b: Pieces, start: number, broken: Broken): number {
  if (b.uint(start, MAGIC_BYTES) !== MAGIC) throw broken("compressed events that are not of zstd");
  const descriptor = b.byte(start + MAGIC_BYTES);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const windowAt = start + MAGIC_BYTES + 1;
  const sizeAt = windowAt + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  // A single segment's window is its content; a size in two bytes is below what matters.
  const size = sizeBytes < 4 ? 0 : b.uint(sizeAt, 4) + (sizeBytes === 8 ? b.uint(sizeAt + 4, 4) * 2 ** 32 : 0);
  const isTooLarge = isSingleSegment
    ? size > WINDOW_BYTES_MAX
    : (b.byte(windowAt) >> 3) + WINDOW_EXPONENT_MIN > WINDOW_EXPONENT_MAX;
  if (isTooLarge) throw broken("compressed events of too large a window");
  return checkBlocks(b, sizeAt + sizeBytes, broken) + ((descriptor & 0x04) === 0 ? 0 : CHECKSUM_BYTES);
}

function checkBlocks(b: Pieces, start: number, broken: Broken): number {
  for (let at = start; at + BLOCK_HEADER_BYTES <= b.length;) {
    const header = b.uint(at, BLOCK_HEADER_BYTES);
    const kind = (header >> 1) & 3;
    at += BLOCK_HEADER_BYTES;
    if (kind === Block.compressed) checkTree(b, at, broken);
    at += kind === Block.repeated ? 1 : header >> 3;
    if ((header & 1) !== 0) return at;
  }
  return b.length;
}

/**
 * Refuses a Huffman tree all of whose weights are the same symbol by their FSE table (4.2.1.2): as many as one likes are read
 * without a bit, and fzstd reads them until there are no more bits. In such a table one symbol has the whole of the probability,
 * which is the highest value of the first count that is not zero (4.1.1).
 */
function checkTree(b: Pieces, at: number, broken: Broken): void {
  const literals = b.byte(at);
  if ((literals & 3) !== WITH_TREE) return;
  const tableAt = at + LITERALS_HEADER_BYTES[(literals >> 2) & 3]! + 1;
  const accuracy = (b.byte(tableAt) & 15) + 5;
  // Behind 127 the weights are there as they are; a table of a higher accuracy is refused.
  if (b.byte(tableAt - 1) > 127 || accuracy > WEIGHTS_ACCURACY_MAX) return;
  let bit = tableAt * 8 + 4;
  for (let symbol = 0; symbol <= SYMBOLS_MAX; symbol++) {
    const value = b.bits(bit, accuracy + 1);
    if (value === (2 << accuracy) - 1) throw broken("compressed events with a tree that has no end");
    if ((value & ((1 << accuracy) - 1)) !== 1) return;
    bit += accuracy;
    for (let repeated = 3; repeated === 3; symbol += repeated) {
      repeated = b.bits(bit, 2);
      bit += 2;
    }
  }
}
