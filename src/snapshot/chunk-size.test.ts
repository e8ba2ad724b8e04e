import { describe, expect, test } from "vitest";
import { ChunkSize } from "./chunk-size.ts";

/** As it is behind the first chunks, when nothing has been read that was wider than estimated. */
function grown(limits: { rowsMax: number; bytesMax: number }, bytesPerRow: number): ChunkSize {
  const size = new ChunkSize(limits, bytesPerRow);
  for (let i = 0; i < 2; i++) size.read(1, bytesPerRow);
  return size;
}

describe("ChunkSize", () => {
  test("is bounded by rows, and by bytes with some room left", () => {
    expect(grown({ rowsMax: 100, bytesMax: 1e6 }, 10).rows).toBe(100);
    expect(grown({ rowsMax: 1e6, bytesMax: 1000 }, 10).rows).toBe(80);
    expect(grown({ rowsMax: 1e6, bytesMax: 1000 }, 1e9).rows).toBe(1);
  });

  test("begins with a quarter, and says what most chunks will have", () => {
    const size = new ChunkSize({ rowsMax: 100, bytesMax: 1e6 }, 10);
    expect([size.rows, size.fullRows]).toEqual([25, 100]);
    size.read(25, 250);
    expect([size.rows, size.fullRows]).toEqual([50, 100]);
    size.read(50, 500);
    expect([size.rows, size.fullRows]).toEqual([100, 100]);
  });

  test("follows the width of what was read", () => {
    const size = new ChunkSize({ rowsMax: 1e6, bytesMax: 1000 }, 10);
    for (let i = 0; i < 20; i++) size.read(1, 100);
    expect(size.rows).toBe(8);
    size.read(0, 0);
    expect(size.rows).toBe(8);
  });

  test("halves when a chunk was abandoned, and grows again when chunks come through", () => {
    const size = grown({ rowsMax: 100, bytesMax: 1e6 }, 10);
    size.abandoned();
    size.abandoned();
    expect(size.rows).toBe(25);
    for (let i = 0; i < 20; i++) size.abandoned();
    expect(size.rows).toBe(1);
    for (let i = 0; i < 30; i++) size.read(1, 10);
    expect(size.rows).toBe(100);
  });
});
