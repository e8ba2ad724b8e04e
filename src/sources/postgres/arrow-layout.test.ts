import * as arrow from "apache-arrow";
import { expect, it } from "vitest";
import { decodeLog, logDecoder } from "../../../test/support/postgres-decoding.ts";
import {
  beginMessage,
  changeMessage,
  commitMessage,
  relationMessage,
  tableOf,
  tuple,
} from "../../../test/support/postgres-wire.ts";
import type { Column } from "../../core/column.ts";
import type { LogicalType } from "../../core/logical-type.ts";

/** The type that Arrow has for ours, and the array that its vectors read from. */
function arrowType(type: LogicalType): { type: arrow.DataType; view: (bytes: Uint8Array) => unknown } {
  const bytesOf = (bytes: Uint8Array): Uint8Array => bytes;
  const longs = (bytes: Uint8Array): BigInt64Array => new BigInt64Array(bytes.buffer, 0, bytes.byteLength >> 3);
  switch (type.kind) {
    case "bool":
      return { type: new arrow.Bool(), view: bytesOf };
    case "int":
      if (type.bits === 64) return { type: new arrow.Int64(), view: longs };
      return type.bits === 32
        ? { type: new arrow.Int32(), view: (bytes) => new Int32Array(bytes.buffer) }
        : { type: new arrow.Int16(), view: (bytes) => new Int16Array(bytes.buffer) };
    case "float":
      return type.bits === 64
        ? { type: new arrow.Float64(), view: (bytes) => new Float64Array(bytes.buffer) }
        : { type: new arrow.Float32(), view: (bytes) => new Float32Array(bytes.buffer) };
    case "decimal":
      return {
        type: new arrow.Decimal(type.scale, type.precision, 128),
        view: (bytes) => new Uint32Array(bytes.buffer),
      };
    case "text":
    case "json":
      return { type: new arrow.Utf8(), view: bytesOf };
    case "bytes":
      return { type: new arrow.Binary(), view: bytesOf };
    case "uuid":
      return { type: new arrow.FixedSizeBinary(16), view: bytesOf };
    case "date":
      return { type: new arrow.DateDay(), view: (bytes) => new Int32Array(bytes.buffer) };
    case "time":
      return { type: new arrow.TimeMicrosecond(), view: longs };
    case "timestamp":
      return { type: new arrow.TimestampMicrosecond(type.zone ? "UTC" : null), view: longs };
  }
}

/** An Arrow vector over the column's own buffers. */
function vector(column: Column): arrow.Vector {
  const { type, view } = arrowType(column.type);
  const data = arrow.makeData({
    type,
    length: column.length,
    nullBitmap: column.validity ?? undefined,
    data: view(column.values),
    ...(column.offsets === null ? {} : { valueOffsets: column.offsets }),
  } as never) as arrow.Data;
  expect((data.values as Uint8Array).buffer).toBe(column.values.buffer);
  return new arrow.Vector([data]);
}

/** Each type with one text of it, and what Arrow reads. */
const CASES: readonly (readonly [LogicalType, string, unknown])[] = [
  [{ kind: "int", bits: 64 }, "-9223372036854775807", -9223372036854775807n],
  [{ kind: "int", bits: 32 }, "-7", -7],
  [{ kind: "int", bits: 16 }, "300", 300],
  [{ kind: "bool" }, "t", true],
  [{ kind: "float", bits: 64 }, "0.1", 0.1],
  [{ kind: "float", bits: 32 }, "0.5", 0.5],
  [{ kind: "decimal", precision: 20, scale: 2 }, "-12.50", -1250n],
  [{ kind: "text" }, "é🙂", "é🙂"],
  [{ kind: "json" }, "{}", "{}"],
  [{ kind: "bytes" }, "\\x00ff", Uint8Array.of(0, 255)],
  [
    { kind: "uuid" },
    "00010203-0405-0607-0809-0a0b0c0d0eff",
    Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255),
  ],
  [{ kind: "date" }, "1969-12-31", Date.UTC(1969, 11, 31)],
  [{ kind: "time" }, "00:00:01.000001", 1_000_001n],
  [{ kind: "timestamp", zone: false }, "2024-01-02 03:04:05.5", Date.UTC(2024, 0, 2, 3, 4, 5, 500)],
  [{ kind: "timestamp", zone: true }, "1969-12-31 23:59:59+00", -1000],
];

it("a batch is Arrow's memory layout: its vectors read the buffers as they are", async () => {
  const table = tableOf(...CASES.map(([type]) => type));
  const texts = CASES.map(([, text]) => text);
  const nulls = texts.map((text, i) => (i === 0 ? text : null));
  const rows = [texts, nulls, texts];
  const messages = [
    beginMessage(1n, 1),
    relationMessage(
      1,
      "t",
      table.columns.map((column) => column.name),
    ),
    ...rows.map((cells) => changeMessage("I", 1, tuple("N", cells))),
    commitMessage(1n),
  ];
  const items = await decodeLog(logDecoder([table]), messages);
  const batch = items[0]?.kind === "rows" ? items[0].batch : null;
  for (const [i, [type, , expected]] of CASES.entries()) {
    const read = vector(batch!.columns[i]!);
    const values = [read.get(0), read.get(1), read.get(2)].map((value) => comparable(type, value));
    expect(values, type.kind).toEqual([expected, i === 0 ? expected : null, expected]);
  }
});

function comparable(type: LogicalType, value: unknown): unknown {
  if (value === null || type.kind !== "decimal") return value;
  const words = Array.from(value as Uint32Array, BigInt);
  return BigInt.asIntN(
    128,
    words.reduceRight((sum, word) => (sum << 32n) | word, 0n),
  );
}
