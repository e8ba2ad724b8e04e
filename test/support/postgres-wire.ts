import type { LogicalType } from "../../src/core/logical-type.ts";
import { tableId, type TableSchema } from "../../src/core/table-schema.ts";

/** What a server would send, put together by hand: for tests that need exact or broken bytes. */

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

const name = (text: string): Buffer => Buffer.from(`${text}\0`);

export const COPY_HEADER: Buffer = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), int32(0), int32(0)]);
export const COPY_TRAILER: Buffer = int16(-1);

export function copyRow(cells: readonly (Buffer | null)[]): Buffer {
  const parts = cells.map((cell) => (cell === null ? int32(-1) : Buffer.concat([int32(cell.length), cell])));
  return Buffer.concat([int16(cells.length), ...parts]);
}

/** One CopyData message, as it goes over the connection. */
export function copyFrame(contents: Buffer): Buffer {
  return Buffer.concat([Buffer.from("d"), int32(contents.length + 4), contents]);
}

/** `numeric_send` of a decimal text, with base-10000 digits stripped as the server strips them. */
export function numericBinary(text: string): Buffer {
  const negative = text.startsWith("-");
  const [whole = "0", fraction = ""] = text.replace("-", "").split(".");
  const left = whole.replace(/^0+/, "");
  const padded =
    left.padStart(Math.ceil(left.length / 4) * 4, "0") + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, "0");
  const digits = (padded.match(/.{4}/g) ?? []).map(Number);
  let weight = Math.ceil(left.length / 4) - 1;
  while (digits.length > 0 && digits[0] === 0) {
    digits.shift();
    weight--;
  }
  while (digits.at(-1) === 0) digits.pop();
  if (digits.length === 0) weight = 0;
  const sign = negative && digits.length > 0 ? 0x4000 : 0;
  return Buffer.concat([digits.length, weight, sign, fraction.length, ...digits].map(int16));
}

export function beginMessage(commitLsn: bigint, xid: number): Buffer {
  return Buffer.concat([Buffer.from("B"), int64(commitLsn), int64(0n), int32(xid)]);
}

export function commitMessage(commitLsn: bigint): Buffer {
  return Buffer.concat([Buffer.from("C\0"), int64(commitLsn), int64(commitLsn + 0x30n), int64(0n)]);
}

/** The first column is the key. */
export function relationMessage(
  oid: number,
  table: string,
  columns: readonly string[],
  identity: "d" | "f" = "d",
): Buffer {
  const isKey = (i: number): boolean => i === 0 || identity === "f";
  const parts = columns.flatMap((column, i) => [Buffer.from([isKey(i) ? 1 : 0]), name(column), int32(25), int32(-1)]);
  return Buffer.concat([
    Buffer.from("R"),
    int32(oid),
    name("public"),
    name(table),
    Buffer.from(identity),
    int16(columns.length),
    ...parts,
  ]);
}

export const UNCHANGED: unique symbol = Symbol("unchanged");

export function tuple(kind: "N" | "K" | "O", cells: readonly (string | null | typeof UNCHANGED)[]): Buffer {
  const parts = cells.map((cell) => {
    if (cell === null) return Buffer.from("n");
    if (cell === UNCHANGED) return Buffer.from("u");
    const text = Buffer.from(cell);
    return Buffer.concat([Buffer.from("t"), int32(text.length), text]);
  });
  return Buffer.concat([Buffer.from(kind), int16(cells.length), ...parts]);
}

export function changeMessage(kind: "I" | "U" | "D", oid: number, ...tuples: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(kind), int32(oid), ...tuples]);
}

export function truncateMessage(...oids: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from("T"), int32(oids.length), Buffer.from([0]), ...oids.map(int32)]);
}

/** A table `public.t` with columns c0, c1 … of these types; the first is the key. */
export function tableOf(...types: readonly LogicalType[]): TableSchema {
  return {
    id: tableId("public", "t"),
    namespace: "public",
    name: "t",
    version: 1,
    key: [0],
    columns: types.map((type, i) => ({
      name: `c${i}`,
      type,
      nullable: i > 0,
      sourceType: type.kind,
      collation: null,
      existingRowsDefault: null,
    })),
  };
}
