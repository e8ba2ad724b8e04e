import { expect, test } from "vitest";
import { bytes, compact, count, duration, plural, remaining } from "./quantity.ts";

test("numbers", () => {
  expect([0, 999, 1000, 1_234_567].map(count)).toEqual(["0", "999", "1,000", "1,234,567"]);
  expect(
    [0, 999, 999.6, 1000, 9994, 9995, 99_949, 99_950, 999_499, 999_500, 1_050_000, 2e9, 3e12, 4.5e15].map(compact),
  ).toEqual([
    "0",
    "999",
    "1.00k",
    "1.00k",
    "9.99k",
    "10.0k",
    "99.9k",
    "100k",
    "999k",
    "1.00M",
    "1.05M",
    "2.00G",
    "3.00T",
    "4500T",
  ]);
  expect([0, 999, 1000, 16_200_000, 1.5e9].map(bytes)).toEqual(["0 B", "999 B", "1.00 kB", "16.2 MB", "1.50 GB"]);
  expect([plural(1, "table"), plural(2000, "row")]).toEqual(["1 table", "2,000 rows"]);
});

test("durations", () => {
  const times = [
    0, 999, 999.7, 4200, 59_949, 59_950, 60_000, 125_000, 3_599_400, 3_600_000, 11_400_000, 86_400_000, 450_000_000,
  ];
  expect(times.map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "1.0 s",
    "4.2 s",
    "59.9 s",
    "1 min",
    "1 min",
    "2 min 5 s",
    "59 min 59 s",
    "1 h",
    "3 h 10 min",
    "1 d",
    "5 d 5 h",
  ]);
  expect([0, 400, 41_000, 725_000, 10_807_000, 1e12].map(remaining)).toEqual([
    "0:00",
    "0:01",
    "0:41",
    "12:05",
    "3:00:07",
    ">99 h",
  ]);
});
