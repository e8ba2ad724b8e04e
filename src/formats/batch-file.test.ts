import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batch as changes, column, table } from "../../test/conformance/batch.ts";
import { Random } from "../../test/support/random.ts";
import { randomBatch, shownCells } from "../../test/support/random-batch.ts";
import type { ChangeBatch } from "../core/change-batch.ts";
import { MillraceError } from "../core/errors.ts";
import { decodeBatch, encodeBatch } from "./batch-file.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

function encoded(batch: ChangeBatch): Uint8Array {
  return Buffer.concat(encodeBatch(batch));
}

/** How `decodeBatch` refuses it; null: it does not. */
function refusal(bytes: Uint8Array): string | null {
  try {
    decodeBatch(bytes);
    return null;
  } catch (error) {
    return error instanceof MillraceError ? error.code : String(error);
  }
}

describe("a batch as a file", () => {
  it("comes back with the same schema and cells", () => {
    fc.assert(
      fc.property(seeds, fc.nat(70), (seed, rows) => {
        const batch = randomBatch(new Random(seed), rows);
        const back = decodeBatch(encoded(batch));
        expect({ ...back, columns: [], bytes: 0 }).toEqual({ ...batch, columns: [], bytes: 0 });
        expect(shownCells(back)).toEqual(shownCells(batch));
      }),
    );
  });

  it("is read in place, wherever its bytes lie, and its buffers begin at multiples of eight", () => {
    fc.assert(
      fc.property(seeds, fc.nat(7), (seed, shift) => {
        const batch = randomBatch(new Random(seed), 9);
        const file = encoded(batch);
        const larger = new Uint8Array(file.byteLength + shift);
        larger.set(file, shift);
        const back = decodeBatch(larger.subarray(shift));
        expect(shownCells(back)).toEqual(shownCells(batch));
        for (const { values, validity, offsets } of back.columns)
          for (const view of [values, validity, offsets]) expect((view?.byteOffset ?? 0) % 8).toBe(0);
      }),
    );
  });

  it("has no more than the cells: what lies beside them in a buffer of a pool stays out", () => {
    const batch = randomBatch(new Random(1), 20);
    const wide = batch.columns.map((of) => {
      const values = new Uint8Array(of.values.byteLength + 100_000);
      values.set(of.values);
      return { ...of, values };
    });
    expect(encoded({ ...batch, columns: wide }).byteLength).toBeLessThan(10_000);
  });

  it("is refused with any byte changed", () => {
    const file = encoded(randomBatch(new Random(2), 5));
    for (let at = 0; at < file.byteLength; at++) {
      const damaged = file.slice();
      damaged[at]! ^= 1 << (at % 8);
      expect(refusal(damaged)).toBe("STAGED_CHUNK_UNREADABLE");
    }
  });

  it("is refused cut off anywhere, and with something behind it", () => {
    const file = encoded(randomBatch(new Random(3), 5));
    for (let end = 0; end < file.byteLength; end++)
      expect(refusal(file.subarray(0, end))).toBe("STAGED_CHUNK_UNREADABLE");
    const longer = new Uint8Array(file.byteLength + 8);
    longer.set(file);
    expect(refusal(longer)).toBe("STAGED_CHUNK_UNREADABLE");
  });

  it("is of a snapshot: changes of the log do not become one", () => {
    const orders = table("orders", [column("id", { kind: "int", bits: 32 })], [0]);
    expect(() => encoded(changes(orders, [{ op: "insert", cells: [1] }]))).toThrow(/snapshot/);
  });
});
