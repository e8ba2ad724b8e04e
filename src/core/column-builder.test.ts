import { expect, test } from "vitest";
import { BufferPool } from "./buffer-pool.ts";
import { ColumnBuilder } from "./column-builder.ts";

/** A pool of buffers that somebody else has filled. */
function usedPool(): BufferPool {
  const pool = new BufferPool(1 << 20);
  for (let bytes = 4096; bytes <= 65_536; bytes *= 2)
    for (let i = 0; i < 4; i++) pool.give(new Uint8Array(bytes).fill(0xaa).buffer);
  return pool;
}

const ROOM = { rows: 2000, dataBytes: 8000 };
const text = new TextEncoder().encode("some text");

test("a column in used memory is the same as in fresh memory, while it grows too", () => {
  const fill = (pool: BufferPool | null): unknown[] => {
    const ints = new ColumnBuilder({ kind: "int", bits: 64 }, ROOM, pool);
    const texts = new ColumnBuilder({ kind: "text" }, ROOM, pool);
    const bools = new ColumnBuilder({ kind: "bool" }, ROOM, pool);
    for (let row = 0; row < 3000; row++) {
      if (row % 3 === 0) for (const builder of [ints, texts, bools]) builder.appendNull();
      else {
        ints.reserve();
        ints.int32[ints.row * 2] = row;
        ints.int32[ints.row * 2 + 1] = -1;
        ints.next();
        texts.appendBytes(text, 0, row % text.length);
        bools.appendBool(row % 2 === 0);
      }
    }
    const columns = [ints, texts, bools].map((builder) => builder.finish());
    return columns.map(({ type, length, values, offsets, validity }) => {
      const used = type.kind === "int" ? length * 8 : type.kind === "text" ? offsets![length]! : 376;
      return [values.slice(0, used), offsets?.slice(0, length + 1), validity?.slice(0, 375)];
    });
  };
  expect(fill(usedPool())).toEqual(fill(null));
});

test("what a column has outgrown, or leaves mostly unused, goes back to the pool", () => {
  const pool = new BufferPool(1 << 20);
  const grown = new ColumnBuilder({ kind: "bytes" }, { rows: 1200, dataBytes: 4096 }, pool);
  grown.appendBytes(new Uint8Array(10_000), 0, 10_000);
  expect(pool.bytes).toBe(4096);
  const { offsets } = grown.finish();
  expect(offsets).toEqual(Int32Array.of(0, 10_000));
  expect(pool.bytes).toBe(4096 + 1201 * 4 + 4);
});

test("a column whose used buffer was larger than it had asked for grows all the same", () => {
  const rows = 1001;
  const pool = new BufferPool(1 << 20);
  // Twice what 1,001 integers take, rounded up before it is doubled.
  pool.give(new ArrayBuffer(2 * (rows * 4 + 4)));
  const builder = new ColumnBuilder({ kind: "int", bits: 32 }, { rows, dataBytes: 0 }, pool);
  expect(pool.bytes).toBe(0);
  for (let row = 0; row <= rows; row++) {
    builder.reserve();
    builder.int32[builder.row] = row;
    builder.next();
  }
  const { values, length } = builder.finish();
  expect(new Int32Array(values.buffer, 0, length)).toEqual(Int32Array.from({ length: rows + 1 }, (_, row) => row));
});
