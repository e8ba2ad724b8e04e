/** Bytes of which each stretch is another. */
export function patternBytes(length: number, seed: number = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + seed, 0x9e3779b1);
  return new Uint8Array(words.buffer, 0, length);
}
