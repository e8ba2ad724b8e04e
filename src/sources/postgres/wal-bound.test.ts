import { describe, expect, it } from "vitest";
import { insertPosition } from "./wal-bound.ts";

describe("the insert position as a bound", () => {
  it.each([
    ["behind a short page header", "0/1002018", "0/1002000"],
    ["behind the long header of a segment", "0/2000028", "0/2000000"],
    ["within a page", "0/1002020", "0/1002020"],
    ["40 bytes into a page that begins no segment", "0/1002028", "0/1002028"],
    ["at a page's beginning", "0/1002000", "0/1002000"],
  ])("%s", (_, lsn, bound) => {
    expect(insertPosition({ lsn, page: "8192", segment: "16777216" }).toString()).toBe(bound);
  });
});
