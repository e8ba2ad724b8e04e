import type { Random } from "../support/random.ts";

/** Where lengths, signs and kinds begin and end. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff] as const;
const EDITS_MAX = 6;

/** A copy with a few places changed, put in, taken out or said twice. */
export function mutated(bytes: Uint8Array, random: Random): Buffer {
  let copy: Buffer = Buffer.from(bytes);
  for (let edits = 1 + random.below(EDITS_MAX); edits > 0; edits--) copy = edited(copy, random);
  return copy;
}

function edited(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(random.chance(0.8) ? 4 : 64);
  const part = bytes.subarray(at, at + length);
  switch (random.below(8)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([random.pick(EDGES)]), bytes.subarray(at)]);
    case 3:
      return bytes.subarray(0, at);
    default:
      for (let i = 0; i < part.length; i++) part[i] = changed(part[i]!, random);
      return bytes;
  }
}

function changed(byte: number, random: Random): number {
  const way = random.below(4);
  if (way === 0) return random.pick(EDGES);
  if (way === 1) return byte ^ (1 << random.below(8));
  return way === 2 ? (byte + random.below(5) + 254) & 0xff : random.below(256);
}
