/** Numbers for people. */

/** `1,234,567` */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

const SCALES: readonly (readonly [number, string])[] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** At most five characters: `987`, `12.3k`, `1.05M`. */
export function compact(value: number): string {
  const rounded = Math.round(value);
  for (const [scale, unit] of SCALES) {
    // What would round to 1000 of a unit is 1 of the next.
    if (rounded < scale * 0.9995) continue;
    const scaled = rounded / scale;
    return `${scaled.toFixed(scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2)}${unit}`;
  }
  return String(rounded);
}

/** `512 B`, `16.2 MB` */
export function bytes(value: number): string {
  if (value < 1000) return `${Math.round(value)} B`;
  const text = compact(value);
  const unit = text.at(-1)!;
  return `${text.slice(0, -1)} ${unit === "k" ? "kB" : `${unit}B`}`;
}

/** `340 ms`, `4.2 s`, `2 min 5 s`, `3 h 10 min`, `5 d 2 h` */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return twoUnits(seconds, 60, "min", "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return twoUnits(minutes, 60, "h", "min");
  return twoUnits(Math.round(minutes / 60), 24, "d", "h");
}

function twoUnits(value: number, base: number, large: string, small: string): string {
  const rest = value % base;
  return `${Math.floor(value / base)} ${large}${rest === 0 ? "" : ` ${rest} ${small}`}`;
}

/** `0:42`, `12:05`, `3:00:07`: time that is left, of constant width in a column. */
export function remaining(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours >= 100) return ">99 h";
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** `1 table`, `3 tables` */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}
