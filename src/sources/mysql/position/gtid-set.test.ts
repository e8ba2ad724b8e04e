import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GtidSet } from "./gtid-set.ts";

const SOURCES = [
  "3e11fa47-71ca-11e1-9e33-c80aa9429562",
  "3e11fa47-71ca-11e1-9e33-c80aa9429562:a_tag",
  "00000000-0000-0000-0000-000000000001",
];

/** GTIDs of three sources, as `source number`. */
const gtids = fc.uniqueArray(fc.tuple(fc.constantFrom(...SOURCES), fc.integer({ min: 1, max: 12 })), {
  maxLength: 20,
  selector: ([source, gno]) => `${source} ${gno}`,
});
type Gtids = readonly (readonly [source: string, gno: number])[];

function setOf(all: Gtids): GtidSet {
  return all.reduce((set, [source, gno]) => set.with(source, BigInt(gno)), GtidSet.empty);
}

/** What the set has, asked one by one. */
function contents(set: GtidSet): string[] {
  return SOURCES.flatMap((source) =>
    Array.from({ length: 14 }, (_, gno) => gno).flatMap((gno) =>
      set.has(source, BigInt(gno)) ? [`${source} ${gno}`] : [],
    ),
  );
}

/** The same of a naive set, in the same order. */
function expected(all: ReadonlySet<string>): string[] {
  const order = (text: string): number => SOURCES.indexOf(text.split(" ")[0]!) * 100 + Number(text.split(" ")[1]);
  return [...all].toSorted((a, b) => order(a) - order(b));
}

function naive(all: Gtids): ReadonlySet<string> {
  return new Set(all.map(([source, gno]) => `${source} ${gno}`));
}

describe("GtidSet", () => {
  it("is what a set of its GTIDs is", () => {
    fc.assert(
      fc.property(gtids, gtids, (some, others) => {
        const [a, b] = [setOf(some), setOf(others)];
        const [x, y] = [naive(some), naive(others)];
        expect(contents(a)).toEqual(expected(x));
        expect(contents(a.union(b))).toEqual(expected(new Set([...x, ...y])));
        expect(contents(a.intersection(b))).toEqual(expected(new Set([...x].filter((each) => y.has(each)))));
        expect(contents(a.without(b))).toEqual(expected(new Set([...x].filter((each) => !y.has(each)))));
        expect(a.covers(b)).toBe([...y].every((each) => x.has(each)));
        expect(a.isEmpty).toBe(x.size === 0);
      }),
    );
  });

  it("has one text, whatever it was made of and in whatever order", () => {
    fc.assert(
      fc.property(gtids, fc.integer(), (all, seed) => {
        const text = setOf(all).toString();
        const shuffled = all.toSorted((a, b) => ((a[1] * 7919 + seed) % 13) - ((b[1] * 7919 + seed) % 13));
        expect(setOf(shuffled).toString()).toBe(text);
        expect(GtidSet.parse(text).toString()).toBe(text);
        expect(setOf(all).union(setOf(shuffled)).toString()).toBe(text);
      }),
    );
  });

  it("reads what servers and people write", () => {
    const [uuid] = SOURCES;
    const text = ` ${uuid!.toUpperCase()}:1-3:5:4 : tag:7 ,\n${uuid}:6,`;
    expect(GtidSet.parse(text).toString()).toBe(`${uuid}:1-6,${uuid}:tag:7`);
    expect(GtidSet.parse("").isEmpty).toBe(true);
    expect(GtidSet.parse(`${uuid}:9223372036854775806`).has(uuid!, 9_223_372_036_854_775_806n)).toBe(true);
  });

  it("reads what a server says is owned, whatever threads own it", () => {
    fc.assert(
      fc.property(gtids, fc.integer({ min: 1, max: 2 ** 32 - 1 }), (all, thread) => {
        const owned = SOURCES.map((source) => {
          const numbers = all.filter(([of]) => of === source).map(([, gno], nth) => `:${gno}#${thread + nth}`);
          return numbers.length === 0 ? "" : source + numbers.join("");
        });
        expect(GtidSet.parseOwned(owned.join("")).toString()).toBe(setOf(all).toString());
      }),
    );
  });

  it.each([
    "x",
    `${SOURCES[0]}`,
    `${SOURCES[0]}:0`,
    `${SOURCES[0]}:3-1`,
    `${SOURCES[0]}:1-2-3`,
    `${SOURCES[0]}:9223372036854775807`,
  ])("refuses %s", (text) => {
    expect(() => GtidSet.parse(text)).toThrow("not a set of GTIDs");
  });
});
