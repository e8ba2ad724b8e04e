import fc from "fast-check";
import { expect, test } from "vitest";
import { MillraceError } from "../core/errors.ts";
import { parsePipeline } from "./parse.ts";

const GOOD = `source: &s
  type: postgres
  hostname: "db.\${ZONE:-eu}"
  username: app
  password: \${PASSWORD}
  tables: [shop.public.\\.*, 'shop.sales.{a,b}']
sink: {type: duckdb, path: ./w.duckdb, memory.limit: 1GiB}
pipeline:
  name: shop
  checkpoint.interval: 200ms
`;

/** Whatever the text is: a spec, or the one error with a place that exists. */
function expectAnswer(text: string): void {
  try {
    parsePipeline(text, { file: "p.yaml", folder: "/tmp", environment: { PASSWORD: "swordfish" } });
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    const { code, message, place } = error as MillraceError;
    expect(code).toBe("CONFIG_INVALID");
    expect(message).not.toContain("swordfish");
    const places = [...message.matchAll(/^ {2}p\.yaml:(\d+):(\d+): /gm)].map(([, line]) => Number(line));
    if (place.line !== undefined) places.push(place.line);
    expect(places.length).toBeGreaterThan(0);
    for (const line of places) expect(line).toBeLessThanOrEqual(text.split("\n").length);
  }
}

test("a good file with pieces of it cut out, doubled, moved or replaced", () => {
  const piece = fc.tuple(
    fc.nat(GOOD.length),
    fc.nat(40),
    fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom("\n", "\t", "${", "}", "*s", "- ", ": ", "[", "{", "&s ", "|\n", "---\n", "'", '"', "<<: "),
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), (pieces) => {
      const text = pieces.reduce((text, [at, length, put]) => text.slice(0, at) + put + text.slice(at + length), GOOD);
      expectAnswer(text);
    }),
    { numRuns: 500 },
  );
});

test("any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), expectAnswer), { numRuns: 500 });
});

test.each(["[", "{a: ", "- ", "? ", "a:\n ", "${", "!", "&a *a "])("very much of %j", (text) => {
  expectAnswer(text.repeat(5000));
});
