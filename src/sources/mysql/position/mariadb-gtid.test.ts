import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatMariadbGtid, GtidPosition, type MariadbGtid, parseMariadbGtid } from "./mariadb-gtid.ts";

const gtid: fc.Arbitrary<MariadbGtid> = fc.record({
  domain: fc.nat(3),
  server: fc.integer({ min: 1, max: 3 }),
  sequence: fc.bigInt(1n, 12n),
});
const gtids = fc.array(gtid, { maxLength: 12 });
const DOMAINS = [0, 1, 2, 3];

function positionOf(all: readonly MariadbGtid[]): GtidPosition {
  return all.reduce((position, each) => position.with(each), GtidPosition.empty);
}

/** How far the position is in each domain, asked one by one. */
function reached(position: GtidPosition): number[] {
  return DOMAINS.map((domain) => {
    let sequence = 0n;
    while (position.has({ domain, server: 9, sequence: sequence + 1n })) sequence++;
    return Number(sequence);
  });
}

function naive(all: readonly MariadbGtid[]): number[] {
  return DOMAINS.map((domain) =>
    Math.max(0, ...all.filter((each) => each.domain === domain).map((each) => Number(each.sequence))),
  );
}

describe("GtidPosition", () => {
  it("is the last sequence number of each domain", () => {
    fc.assert(
      fc.property(gtids, gtids, (some, others) => {
        const [a, b] = [positionOf(some), positionOf(others)];
        const [x, y] = [naive(some), naive(others)];
        expect(reached(a)).toEqual(x);
        expect(reached(a.union(b))).toEqual(x.map((each, i) => Math.max(each, y[i]!)));
        expect(reached(a.intersection(b))).toEqual(x.map((each, i) => Math.min(each, y[i]!)));
        expect(a.covers(b)).toBe(x.every((each, i) => each >= y[i]!));
      }),
    );
  });

  it("is read as it was written", () => {
    fc.assert(
      fc.property(gtids, (all) => {
        const text = positionOf(all).toString();
        expect(GtidPosition.parse(text).toString()).toBe(text);
      }),
    );
    expect(GtidPosition.parse(" 5-2-7, 0-1-100,5-1-3").toString()).toBe("0-1-100,5-2-7");
    expect(GtidPosition.parse("").toString()).toBe("");
  });

  it.each(["x", "1-2", "1-2-3-4", "-1-2-3"])("refuses %s", (text) => {
    expect(() => GtidPosition.parse(text)).toThrow("not a GTID of MariaDB");
  });
});

it("a GTID is read as it was written", () => {
  fc.assert(
    fc.property(gtid, (each) => {
      expect(parseMariadbGtid(formatMariadbGtid(each))).toEqual(each);
    }),
  );
});
