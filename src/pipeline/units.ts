const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE_UNITS_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

const QUANTITY = /^(\d{1,12}(?:\.\d{1,6})?)\s*([a-zA-Z]+)$/;

function quantity(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = QUANTITY.exec(text.trim());
  const unit = match?.[2]?.toLowerCase();
  if (match === null || unit === undefined || !Object.hasOwn(units, unit)) return null;
  const value = Math.round(Number(match[1]) * units[unit]!);
  return Number.isSafeInteger(value) ? value : null;
}

/** `200ms`, `1s`, `5 min`, `1.5h`; null for anything else. A number without a unit is no duration: nobody knows which. */
export function parseDurationMs(text: string): number | null {
  return quantity(text, DURATION_UNITS_MS);
}

/** `64MB`, `1 GiB`; null for anything else. */
export function parseSizeBytes(text: string): number | null {
  return quantity(text, SIZE_UNITS_BYTES);
}
