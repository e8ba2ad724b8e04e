import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CodeTable } from "./code-table.ts";
import { type TextCodes, Utf16Codes, Utf32Codes, UTF8_PER_BYTE } from "./text-codes.ts";

/** As text; null: it is not of the character set. */
function written(codes: TextCodes, bytes: Uint8Array): string | null {
  const target = new Uint8Array(4 + bytes.length * UTF8_PER_BYTE);
  const end = codes.write(target, 2, bytes, 0, bytes.length);
  return end < 0 ? null : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(target.subarray(2, end));
}

function utf32(text: string): Uint8Array {
  const bytes = Buffer.alloc(Array.from(text).length * 4);
  for (const [i, character] of Array.from(text).entries()) bytes.writeUInt32BE(character.codePointAt(0)!, i * 4);
  return bytes;
}

/** As GB 18030: some codes of each length. */
function table(): CodeTable {
  const one = CodeTable.noPoints(256);
  const two = CodeTable.noPoints(65_536);
  const four = CodeTable.noPoints(50_400);
  for (let byte = 0; byte < 0x80; byte++) one[byte] = byte;
  two[0x81_40] = 0x4e02;
  four[0] = 0x80;
  four[1] = 0x81;
  return new CodeTable(one, two, null, four);
}

describe("codes", () => {
  it("of UTF-16 and UTF-32 are those of their text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const little = Buffer.from(text, "utf16le");
        expect(written(new Utf16Codes("little", true), little)).toBe(text);
        expect(written(new Utf16Codes("big", true), Buffer.from(little).swap16())).toBe(text);
        expect(written(new Utf32Codes(), utf32(text))).toBe(text);
      }),
    );
  });

  it("of a surrogate by itself, or of half a character, are none", () => {
    const utf16 = new Utf16Codes("big", true);
    for (const hex of ["d800", "d8000041", "dc00d800", "004100", "d83d"])
      expect(written(utf16, Buffer.from(hex, "hex"))).toBeNull();
    expect(written(new Utf16Codes("big", false), Buffer.from("d83dde00", "hex"))).toBeNull();
    for (const hex of ["0000d800", "00110000", "ffffffff", "000041"])
      expect(written(new Utf32Codes(), Buffer.from(hex, "hex"))).toBeNull();
  });

  it("of a table are found whatever their length, and beyond it by their number", () => {
    const codes = table();
    const shown = (hex: string): string | null => written(codes, Buffer.from(hex, "hex"));
    expect(shown("41814042")).toBe("A丂B");
    expect(shown("8130813081308131")).toBe("\u0080\u0081");
    expect(shown("90308130e3329a35")).toBe("\u{10000}\u{10ffff}");
    // Well formed, and without a code point: the servers print a question mark.
    expect(shown("85308130")).toBe("?");
    expect(shown("e3329a36")).toBe("?");
    for (const hex of ["81", "8141", "813081", "8130813a", "8130ff30", "80"]) expect(shown(hex)).toBeNull();
  });

  it("write UTF-8 within their room, or nothing, for any bytes", () => {
    const all: readonly TextCodes[] = [
      table(),
      new Utf16Codes("big", true),
      new Utf16Codes("little", false),
      new Utf32Codes(),
    ];
    const bytes = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x81, 0x30, 0x90, 0xd8, 0)));
    fc.assert(
      fc.property(bytes, (list) => {
        for (const codes of all) expect(() => written(codes, Uint8Array.from(list))).not.toThrow();
      }),
    );
  });
});
