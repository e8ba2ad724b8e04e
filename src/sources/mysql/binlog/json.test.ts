import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binaryJsonText } from "./json.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const text = (b: Uint8Array): string | null => binaryJsonText(b, 0, b.length);

/** What MySQL 9.7 stores for `{"a": 1, "bc": [true, "x", 70000]}`. */
const DOCUMENT = bytes(
  "00 0200 2b00 1200 0100 1300 0200 05 0100 02 1500 61 6263 0300 1600 04 0100 0c 0d00 07 0f00 01 78 70110100 0000",
);

describe("binaryJsonText", () => {
  it.each([
    ["", "null"],
    ["04 00", "null"],
    ["04 01", "true"],
    ["04 02", "false"],
    ["05 ffff", "-1"],
    ["06 ffff", "65535"],
    ["07 ffffffff", "-1"],
    ["08 ffffffff", "4294967295"],
    ["09 ffffffffffffffff", "-1"],
    ["0a ffffffffffffffff", "18446744073709551615"],
    ["0b 000000000000f03f", "1.0"],
    ["0b 0000000000000080", "-0.0"],
    ["0c 04 22 0a c3a9", '"\\"\\né"'],
    ["02 0000 0400", "[]"],
    ["00 0000 0400", "{}"],
    ["0f f6 04 03 02 81 32", "1.50"],
    ["0f f6 04 03 04 81 32", null],
    ["0f fc 02 00ff", '"base64:type252:AP8="'],
  ])("%s is %s", (hex, expected) => {
    expect(text(bytes(hex))).toBe(expected);
  });

  it("reads documents within documents", () => {
    expect(text(DOCUMENT)).toBe('{"a": 1, "bc": [true, "x", 70000]}');
  });

  it.each([
    ["an unknown kind", "0d 00"],
    ["an unknown literal", "04 03"],
    ["a number that is cut", "09 0000"],
    ["a text that is cut", "0c 05 61"],
    ["an array that is cut", "02 0100 0800 0c"],
    ["a value outside", "02 0100 0800 0c ff00"],
    ["a length without an end", "0c ffffffffffff"],
  ])("refuses %s", (_, hex) => {
    expect(text(bytes(hex))).toBeNull();
  });

  it("ends with arrays that contain themselves, and with those that contain one thing many times", () => {
    expect(text(bytes("02 0200 0a00 02 0000 02 0000"))).toBeNull();
    const many = Buffer.alloc(5 + 3 * 1000 + 201);
    many[0] = 2;
    many.writeUInt16LE(1000, 1);
    for (let i = 0; i < 1000; i++) many.set([0x0c, (4 + 3000) & 0xff, (4 + 3000) >> 8], 5 + i * 3);
    many[5 + 3000] = 0x7f;
    expect(text(many)).toBeNull();
  });

  it("is text or null, whatever the bytes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(DOCUMENT.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (edits) => {
          const mutated = Buffer.from(DOCUMENT);
          for (const [at, value] of edits) mutated[at] = value;
          const found = text(mutated);
          if (found !== null) expect(found.length).toBeLessThan(16 * DOCUMENT.length + 200);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
