import { describe, expect, test } from "vitest";
import { ChunkSize } from "./chunk-size.ts";

describe("ChunkSize", () => {
  test("is bounded by rows, and by bytes with some room left", () => {
    expect(new ChunkSize({ rowsMax: 100, bytesMax: 1e6 }, 10).rows).toBe(100);
    expect(new ChunkSize({ rowsMax: 1e6, bytesMax: 1000 }, 10).rows).toBe(80);
    expect(new ChunkSize({ rowsMax: 1e6, bytesMax: 1000 }, 1e9).rows).toBe(1);
  });

  test("follows the width of what was read", () => {
    const size = new ChunkSize({ rowsMax: 1e6, bytesMax: 1000 }, 10);
    for (let i = 0; i < 20; i++) size.read(1, 100);
    expect(size.rows).toBe(8);
    size.read(0, 0);
    expect(size.rows).toBe(8);
  });

  test("halves when a chunk was abandoned, and grows again when chunks come through", () => {
    const size = new ChunkSize({ rowsMax: 100, bytesMax: 1e6 }, 10);
    size.abandoned();
    size.abandoned();
    expect(size.rows).toBe(25);
    for (let i = 0; i < 20; i++) size.abandoned();
    expect(size.rows).toBe(1);
    for (let i = 0; i < 30; i++) size.read(1, 10);
    expect(size.rows).toBe(100);
  });
});
