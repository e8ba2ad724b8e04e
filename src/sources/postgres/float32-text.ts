const single = new Float32Array(1);
const bits = new Int32Array(single.buffer);

/** The next float32 away from zero (`step` 1) or towards it (−1). */
function neighbour(value: number, step: 1 | -1): number {
  single[0] = value;
  bits[0] = bits[0]! + step;
  return single[0];
}

/**
 * The shortest decimal digits that name this float32 and no other, as the server prints it (Ryu), in JavaScript's
 * notation: its own `String` does this for doubles alone. Not for NaN and infinities.
 */
export function shortestFloat32(value: number): string {
  if (value < 0) return `-${shortestFloat32(-value)}`;
  if (value === 0) return "0";
  const below = neighbour(value, -1);
  const above = neighbour(value, 1);
  const least = (below + value) / 2;
  const most = value + (above === Infinity ? value - below : above - value) / 2;
  for (let precision = 1; precision < 9; precision++) {
    const digits = Number(value.toPrecision(precision));
    if (digits > least && digits < most) return String(digits);
  }
  return String(Number(value.toPrecision(9)));
}

/**
 * The nearest float32 of a text that the server has printed. Going by the nearest double rounds twice: where that
 * double lies exactly between two floats, the text's own digits tell which of them was printed.
 */
export function parseFloat32(text: string): number {
  const double = Number(text);
  const value = Math.fround(double);
  if (value === double || !Number.isFinite(value)) return value;
  const other = neighbour(value, Math.abs(double) > Math.abs(value) ? 1 : -1);
  if (double - value !== other - double) return value;
  return Number(shortestFloat32(other)) === double ? other : value;
}
