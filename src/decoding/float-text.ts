const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);
const doubleView = new DataView(new ArrayBuffer(8));

/** Digits of a type's mantissa and its least binary exponent; digits that it surely keeps: beyond them comes an exponent. */
interface FloatForm {
  readonly mantissaBits: number;
  readonly exponentMin: number;
  readonly plainDigits: number;
}
const FLOAT32: FloatForm = { mantissaBits: 24, exponentMin: -149, plainDigits: 6 };
const FLOAT64: FloatForm = { mantissaBits: 53, exponentMin: -1074, plainDigits: 15 };

/** As `float4out` and `float8out` print it, with `extra_float_digits` above 0. */
export function floatText(value: number, bits: 32 | 64): string {
  if (Number.isNaN(value)) return "NaN";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const form = bits === 32 ? FLOAT32 : FLOAT64;
  if (!Number.isFinite(value)) return `${sign}Infinity`;
  if (value === 0) return `${sign}0`;
  const { digits, exponent } = shortestDecimal(Math.abs(value), form);
  if (exponent < -4 || exponent >= form.plainDigits) {
    const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
    return `${sign}${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, "0");
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** mantissa × 2^exponent, exactly. */
function binaryParts(value: number, form: FloatForm): { mantissa: bigint; exponent: number } {
  doubleView.setFloat64(0, value);
  const bits = doubleView.getBigUint64(0);
  const field = Number(bits >> 52n) & 0x7ff;
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = field === 0 ? fraction : fraction | (1n << 52n);
  const exponent = Math.max(field, 1) - 1075;
  const shift = Math.max(FLOAT64.mantissaBits - form.mantissaBits, form.exponentMin - exponent);
  return { mantissa: mantissa >> BigInt(shift), exponent: exponent + shift };
}

/**
 * The shortest decimal number strictly between the middles to the neighbours, of those the nearest, of two the even one:
 * what the server's Ryu finds. JavaScript's own `String` knows doubles alone, and takes the middles in.
 */
function shortestDecimal(value: number, form: FloatForm): { digits: string; exponent: number } {
  const { mantissa, exponent } = binaryParts(value, form);
  const nearBelow = mantissa === 1n << BigInt(form.mantissaBits - 1) && exponent > form.exponentMin;
  // In units of a quarter of the last place.
  const shift = exponent - 2;
  const scale = shift > 0 ? 1n << BigInt(shift) : 1n;
  const unit = shift < 0 ? 1n << BigInt(-shift) : 1n;
  const exact = mantissa * 4n * scale;
  const least = exact - (nearBelow ? 1n : 2n) * scale;
  const most = exact + 2n * scale;
  const magnitude = Number(value.toExponential().split("e")[1]);
  for (let power = magnitude; ; power--) {
    const up = power < 0 ? 10n ** BigInt(-power) : 1n;
    const step = power > 0 ? unit * 10n ** BigInt(power) : unit;
    const below = (exact * up) / step;
    const inside = [below, below + 1n].filter((n) => n * step > least * up && n * step < most * up);
    if (inside.length === 0) continue;
    const rest = 2n * (exact * up - below * step);
    const roundsUp = rest > step || (rest === step && below % 2n === 1n);
    const chosen = inside.length === 1 ? inside[0]! : roundsUp ? below + 1n : below;
    const digits = chosen.toString();
    return { digits: digits.replace(/0+$/, ""), exponent: digits.length - 1 + power };
  }
}

/**
 * The nearest float32 of a text that the server has printed. Going by the nearest double rounds twice: where that
 * double lies exactly between two floats, the text's own digits tell which of them was printed.
 */
export function parseFloat32(text: string): number {
  const double = Number(text);
  const value = Math.fround(double);
  if (value === double || !Number.isFinite(value)) return value;
  single[0] = value;
  singleBits[0] = singleBits[0]! + (Math.abs(double) > Math.abs(value) ? 1 : -1);
  const other = single[0];
  return double - value === other - double && floatText(other, 32) === text ? other : value;
}
