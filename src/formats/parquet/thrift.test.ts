import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ThriftReader } from "./thrift-reader.ts";
import { ThriftType } from "./thrift-type.ts";
import { ThriftWriter } from "./thrift-writer.ts";

const int = fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), fc.constantFrom(0, -1, 63, 64, -64));
const record = fc.record({
  int: fc.option(fc.integer()),
  long: fc.option(int),
  isSet: fc.option(fc.boolean()),
  bytes: fc.option(fc.uint8Array({ maxLength: 300 })),
  ints: fc.array(int, { maxLength: 40 }),
  texts: fc.array(fc.string({ unit: "grapheme" }), { maxLength: 20 }),
  /** As far as the id of a field can be written within its header, and further. */
  gap: fc.integer({ min: 1, max: 40 }),
});
type Written = typeof record extends fc.Arbitrary<infer T> ? T : never;

function write(writer: ThriftWriter, { int, long, isSet, bytes, ints, texts, gap }: Written): void {
  writer.int(1, int);
  writer.long(2, long);
  writer.bool(3, isSet);
  writer.binary(4, bytes);
  writer.listField(5, ThriftType.i64, ints, (value) => writer.intElement(value));
  writer.structField(5 + gap, () =>
    writer.listField(gap, ThriftType.binary, texts, (text) => writer.textElement(text)),
  );
  writer.short(100, gap);
}

/** Fields that are not asked for are passed over. */
function read(bytes: Uint8Array, gap: number, isAsked: (field: number) => boolean): Partial<Written> {
  const found: { -readonly [Key in keyof Written]: Written[Key] } = {
    ...{ int: null, long: null, isSet: null, bytes: null, ints: [], texts: [], gap: -1 },
  };
  const reader = new ThriftReader(bytes);
  const text = (type: number): unknown => found.texts.push(new TextDecoder().decode(reader.binary(type)));
  const fields: Readonly<Record<number, (type: number) => void>> = {
    1: (type) => (found.int = reader.int(type)),
    2: (type) => (found.long = reader.int(type)),
    3: (type) => (found.isSet = reader.bool(type)),
    4: (type) => (found.bytes = reader.binary(type) as Uint8Array<ArrayBuffer>),
    5: (type) => reader.list(type, (element) => found.ints.push(reader.int(element))),
    [5 + gap]: (type) => reader.struct(type, { [gap]: (type) => reader.list(type, text) }),
    100: (type) => (found.gap = reader.int(type)),
  };
  reader.struct(ThriftType.struct, Object.fromEntries(Object.entries(fields).filter(([id]) => isAsked(Number(id)))));
  return found;
}

describe("Thrift's compact protocol", () => {
  it("is read as it was written, and what is not asked for is passed over", () => {
    const property = fc.property(record, fc.array(fc.boolean(), { minLength: 101, maxLength: 101 }), (given, asked) => {
      const writer = new ThriftWriter();
      writer.struct(() => write(writer, given));
      const bytes = writer.finish();
      expect(read(bytes, given.gap, () => true)).toEqual(given);
      const some = read(bytes, given.gap, (field) => field === 100 || asked[field]!);
      expect(some.gap).toBe(given.gap);
    });
    fc.assert(property);
  });

  it("is written as its specification has it", () => {
    const writer = new ThriftWriter();
    writer.struct(() => {
      writer.int(1, -1);
      writer.bool(2, true);
      writer.text(20, "é");
      writer.listField(21, ThriftType.i32, Array.from({ length: 15 }), () => writer.intElement(300));
    });
    const list = `19 f5 0f ${"d804 ".repeat(15)}`;
    expect(Buffer.from(writer.finish()).toString("hex")).toBe(`15 01 11 08 28 02 c3a9 ${list} 00`.replaceAll(" ", ""));
  });

  it.each([
    ["nothing", ""],
    ["a struct without an end", "15 02"],
    ["text beyond the end", "48 7f 61"],
    ["a list beyond the end", "59 f5 ff ff ff 7f"],
    ["a number without an end", "25 ff ff ff ff ff ff ff ff ff ff ff"],
    ["structs within each other", "cc".repeat(40)],
    ["lists within each other", "e9" + "19".repeat(40)],
    ["a map", "eb 01 88 01 61 01 61"],
    ["a text where a number is due", "18 01 61 00"],
  ])("is refused where it is %s", (_name, hex) => {
    const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
    expect(() => read(bytes, 7, () => true)).toThrow(
      expect.objectContaining({
        code: "PARQUET_ENCODE_FAILED",
        message: expect.stringMatching(/not understood at byte \d+/),
      }),
    );
  });
});
