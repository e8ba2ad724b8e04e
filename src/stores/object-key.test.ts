import fc from "fast-check";
import { expect, test } from "vitest";
import { checkKey, compareKeys, isKey } from "./object-key.ts";

const anyText = fc.string({
  unit: fc.oneof(fc.constantFrom("/", "a", "", "￿", "𐀀", "\ud7ff"), fc.string({ unit: "binary", maxLength: 1 })),
});

test("the order of keys is that of their UTF-8 bytes", () => {
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test.each(["a", "orders/day=2024-01-01/part-1.parquet", "...", "a/.hidden", "é/漢/🙂", " /+&?#%2F\\", "staged"])(
  "%j is a key",
  (key) => {
    expect(() => checkKey(key)).not.toThrow();
    expect(isKey(key)).toBe(true);
  },
);

test.each([
  "",
  "/a",
  "a/",
  "a//b",
  ".",
  "..",
  "a/../b",
  "./a",
  "a\u0000b",
  "a\n",
  "\ud800",
  ".staged/a",
  "a.staged/b",
  "a.staged",
])("%j is none", (key) => {
  expect(() => checkKey(key)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  expect(isKey(key)).toBe(false);
});
