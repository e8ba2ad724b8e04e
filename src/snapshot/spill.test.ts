import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { batchBytes, Op, type ChangeBatch } from "../core/change-batch.ts";
import { ColumnBuilder } from "../core/column-builder.ts";
import { tableId, type TableSchema } from "../core/table-schema.ts";
import type { Transaction } from "../core/position.ts";
import { FileSpill } from "./spill.ts";

/** As sources have them: plain fields, and methods that a copy of the fields would lose. */
class WideTransaction implements Transaction {
  readonly xid: bigint;
  readonly commitTimeMs = 17;

  constructor(xid: bigint) {
    this.xid = xid;
  }

  get id(): string {
    return this.xid.toString();
  }

  get place(): string {
    return `0/${this.xid.toString(16)}`;
  }
}

const folder = mkdtempSync(join(tmpdir(), "millrace-spill-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const schema: TableSchema = {
  id: tableId("s", "odd name"),
  namespace: "s",
  name: "odd name",
  version: 1,
  columns: [],
  key: [],
};

function batch(n: number): ChangeBatch {
  const ints = new ColumnBuilder({ kind: "int", bits: 64 });
  const texts = new ColumnBuilder({ kind: "text" });
  for (let i = 0; i < 3; i++) {
    ints.reserve();
    ints.int32[ints.row * 2] = n * 10 + i;
    ints.next();
    const bytes = new TextEncoder().encode(`row ${n}.${i}`);
    if (i === 1) texts.appendNull();
    else texts.appendBytes(bytes, 0, bytes.length);
  }
  const columns = [ints.finish(), texts.finish()];
  const before = n % 2 === 0 ? null : [columns[0]!, { ...columns[1]!, absent: new Uint8Array(8).fill(2) }];
  const ops = Uint8Array.of(Op.insert, Op.update, Op.delete);
  const transaction = new WideTransaction(BigInt(n));
  return {
    schema,
    origin: "log",
    length: 3,
    columns,
    before,
    ops,
    runs: [{ firstRow: 0, transaction }],
    bytes: batchBytes(columns, ops, before),
  };
}

describe("FileSpill", () => {
  test("gives back what it was given, in order, from memory and from the file", () => {
    const spill = new FileSpill({ folder: join(folder, "made"), table: schema.id, bytesMax: batch(0).bytes * 2 });
    const batches = [0, 1, 2, 3, 4].map(batch);
    for (const one of batches) spill.append(one);
    expect(readdirSync(join(folder, "made"))).toHaveLength(1);
    const drained = [...spill.drain()];
    expect(drained).toEqual(batches);
    const { transaction } = drained[4]!.runs[0]!;
    expect(transaction).toBeInstanceOf(WideTransaction);
    expect([transaction.id, transaction.place]).toEqual(["4", "0/4"]);
    for (const { columns, before } of drained)
      for (const column of [...columns, ...(before ?? [])]) expect(column.values.byteOffset % 8).toBe(0);
    expect(readdirSync(join(folder, "made"))).toHaveLength(0);
    expect([...spill.drain()]).toEqual([]);
  });

  test("makes no file where memory is enough", () => {
    const spill = new FileSpill({ folder: join(folder, "none"), table: schema.id, bytesMax: 1e6 });
    spill.append(batch(1));
    expect([...spill.drain()]).toHaveLength(1);
    expect(existsSync(join(folder, "none"))).toBe(false);
  });

  test("forgets everything when it is cleared, and can be used again", () => {
    const spill = new FileSpill({ folder, table: schema.id, bytesMax: 0 });
    spill.append(batch(1));
    spill.clear();
    spill.append(batch(2));
    expect([...spill.drain()].map((one) => one.runs[0]!.transaction.id)).toEqual(["2"]);
  });

  test("names its table where it cannot be written", () => {
    // A file stands where the folder should be: nobody can write below it, not even root.
    const spill = new FileSpill({ folder: join(import.meta.filename, "below"), table: schema.id, bytesMax: 0 });
    expect(() => spill.append(batch(1))).toThrow(
      expect.objectContaining({ code: "SPILL_UNWRITABLE", place: { table: schema.id } }),
    );
  });
});
