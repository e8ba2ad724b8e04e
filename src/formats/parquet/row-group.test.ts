import { writeFileSync } from "node:fs";
import { parquetMetadata } from "hyparquet";
import { describe, expect, it } from "vitest";
import {
  ALL_TYPES,
  columnOf,
  decimalCell,
  doubleCell,
  doubleOf,
  randomSample,
  uuidCell,
} from "../../../test/support/parquet-cells.ts";
import { ENCODE_OPTIONS, encoderWork, parquetFile } from "../../../test/support/parquet-file.ts";
import { openReaders } from "../../../test/support/parquet-readers.ts";
import { Random } from "../../../test/support/random.ts";
import { type LogicalType, typeLabel } from "../../core/logical-type.ts";
import type { ColumnSet, FileSchema, FileType } from "../file-schema.ts";
import type { ChunkStatistics } from "./column-chunk.ts";
import type { EncodedRowGroup, EncodeOptions } from "./encoding.ts";
import { PhysicalType, physicalType } from "./physical-type.ts";
import { encodeRowGroup, encoderBytes } from "./row-group.ts";

function encoded(
  schema: FileSchema,
  sets: readonly ColumnSet[],
  options: Partial<EncodeOptions> = {},
): EncodedRowGroup {
  return encodeRowGroup(encoderWork({ schema, sets, options: { ...ENCODE_OPTIONS, ...options } }));
}

function oneColumn(type: FileType, required = false): FileSchema {
  return [{ name: "c", fieldId: 1, type, required }];
}

function statisticsOf(type: LogicalType, cells: readonly (string | null)[]): ChunkStatistics {
  const { chunks } = encoded(oneColumn(type), [{ length: cells.length, columns: [columnOf(type, cells)] }]);
  return chunks[0]!.statistics!;
}

/** A bound, plain encoded, as a cell. */
function boundCell(type: LogicalType, bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes);
  if (type.kind === "bool") return String(bytes[0] === 1);
  if (type.kind === "float") return doubleCell(type.bits === 32 ? buffer.readFloatLE() : buffer.readDoubleLE());
  if (type.kind === "uuid") return uuidCell(buffer.toString("hex"));
  if (type.kind === "text" || type.kind === "json") return buffer.toString("utf8");
  if (type.kind === "bytes") return buffer.toString("hex");
  const physical = physicalType(type);
  if (physical === PhysicalType.fixedLengthByteArray) {
    const unscaled = BigInt.asIntN(8 * bytes.length, BigInt(`0x${buffer.toString("hex")}`));
    return decimalCell(unscaled, (type as { readonly scale: number }).scale);
  }
  const value = physical === PhysicalType.int32 ? BigInt(buffer.readInt32LE()) : buffer.readBigInt64LE();
  return type.kind === "decimal" ? decimalCell(value, type.scale) : String(value);
}

/** Less than 0 where the one is before the other by the order that Parquet gives the type. */
function order(type: LogicalType, one: string, other: string): number {
  if (type.kind === "float") return doubleOf(one) - doubleOf(other);
  if (type.kind === "text" || type.kind === "json") return Buffer.from(one).compare(Buffer.from(other));
  if (type.kind === "bytes" || type.kind === "uuid" || type.kind === "bool") return one < other ? -1 : 1;
  return BigInt(one.replace(".", "")) < BigInt(other.replace(".", "")) ? -1 : 1;
}

describe("the statistics of a column chunk", () => {
  it.each(ALL_TYPES.map((type) => [typeLabel(type), type] as const))(
    "bound its cells by the order of its type: %s",
    (_label, type) => {
      for (let seed = 0; seed < 20; seed++) {
        const { columns, sets, schema } = randomSample(oneColumn(type, true), [1 + (seed % 5) * 7], new Random(seed));
        const cells = (columns[0] as readonly string[]).filter((cell) => cell !== "NaN");
        const { nulls, min, max } = encoded(schema, sets).chunks[0]!.statistics!;
        expect(nulls).toBe(0);
        if (cells.length < columns[0]!.length || cells.length === 0) continue;
        const sorted = cells.toSorted((one, other) => order(type, one, other));
        const [least, largest] = [sorted[0]!, sorted.at(-1)!];
        const [lower, upper] = [boundCell(type, min!), boundCell(type, max ?? Buffer.alloc(0))];
        if (type.kind === "text" || type.kind === "json" || type.kind === "bytes") {
          expect(least.startsWith(lower)).toBe(true);
          if (max !== null) expect(upper === largest || order(type, largest, upper) < 0).toBe(true);
        } else {
          expect(order(type, lower, least) === 0 || lower === least).toBe(true);
          expect(order(type, upper, largest) === 0 || upper === largest).toBe(true);
        }
      }
    },
  );

  it("count nulls, and have no bounds where there is nothing else", () => {
    const type = { kind: "int", bits: 32 } as const;
    expect(statisticsOf(type, ["3", null, "-1", null])).toMatchObject({ nulls: 2, isMaxExact: true, isMinExact: true });
    expect(statisticsOf(type, [null, null])).toMatchObject({ nulls: 2, min: null, max: null });
  });

  it("are cut off where texts are long, at whole characters, and say so", () => {
    const { min, max, isMinExact, isMaxExact } = statisticsOf({ kind: "text" }, ["é".repeat(1000), "漢".repeat(1000)]);
    expect([min!.length < 70, max!.length < 70, isMinExact, isMaxExact]).toEqual([true, true, false, false]);
    const strict = new TextDecoder("utf8", { fatal: true });
    expect("é".repeat(1000).startsWith(strict.decode(min))).toBe(true);
    expect(strict.decode(max) > "漢".repeat(1000)).toBe(true);
  });

  it("have zeros of both signs within their bounds", () => {
    const { min, max } = statisticsOf({ kind: "float", bits: 64 }, [doubleCell(0), doubleCell(0)]);
    expect(boundCell({ kind: "float", bits: 64 }, min!)).toBe(doubleCell(-0));
    expect(boundCell({ kind: "float", bits: 64 }, max!)).toBe(doubleCell(0));
  });

  it.each([32, 64] as const)(
    "have no bounds where a float of %i bits is NaN, so that no reader loses it",
    async (bits) => {
      const type = { kind: "float", bits } as const;
      const cells = [1, Number.NaN, 2].map(doubleCell);
      expect(statisticsOf(type, cells)).toMatchObject({ nulls: 0, min: null, max: null });
      await using readers = await openReaders();
      const schema: FileSchema = [
        { name: "f", fieldId: 1, type, required: true },
        { name: "r", fieldId: 2, type: { kind: "row", fields: oneColumn(type) }, required: true },
      ];
      const column = columnOf(type, cells);
      const columns = [column, { children: [column], validity: null }];
      const path = readers.folder.file("nan.parquet");
      writeFileSync(path, parquetFile(schema, [[{ length: 3, columns }]]));
      const found = await readers.ask(
        `SELECT count(*) FILTER (f > 5), count(*) FILTER (r.c > 5), max(f)::VARCHAR FROM read_parquet('${path}')
       WHERE f > 5 OR r.c > 5`,
      );
      expect(found).toEqual([["1", "1", "nan"]]);
    },
  );

  it("let DuckDB find every uuid and text, and skip the row groups that have it not", async () => {
    await using readers = await openReaders();
    const schema: FileSchema = [
      { name: "u", fieldId: 1, type: { kind: "uuid" }, required: true },
      { name: "t", fieldId: 2, type: { kind: "text" }, required: true },
    ];
    const uuids = ["00", "7f", "80", "ff"].map((start) => uuidCell(start.padEnd(32, "5")));
    const texts = ["", "a", "\u{7f}", "é"];
    const rowGroups = uuids.map((uuid, i) => {
      const columns = [columnOf({ kind: "uuid" }, [uuid]), columnOf({ kind: "text" }, [texts[i]!])];
      return [{ length: 1, columns }];
    });
    const path = readers.folder.file("found.parquet");
    writeFileSync(path, parquetFile(schema, rowGroups));
    for (const [i, uuid] of uuids.entries()) {
      const sql = (where: string): string => `SELECT count(*) FROM read_parquet('${path}') WHERE ${where}`;
      expect(await readers.ask(sql(`u = '${uuid}'`))).toEqual([["1"]]);
      expect(await readers.ask(sql(`u >= '${uuid}'`))).toEqual([[String(uuids.length - i)]]);
      expect(await readers.ask(sql(`t >= '${texts[i]}'`))).toEqual([[String(texts.length - i)]]);
    }
    const kept = await readers.ask(
      `SELECT count(stats_min_value), count(stats_max_value) FROM parquet_metadata('${path}')`,
    );
    expect(kept).toEqual([["8", "8"]]);
  });
});

describe("a row group", () => {
  it("takes no more of the encoder's memory where it has a thousand columns", () => {
    const type = { kind: "int", bits: 64 } as const;
    const schema = Array.from({ length: 1000 }, (_, i) => ({ name: `c${i}`, fieldId: i, type, required: true }));
    const column = columnOf(
      type,
      Array.from({ length: 100 }, (_, row) => String(row)),
    );
    encoded(schema.slice(0, 1), [{ length: 100, columns: [column] }]);
    const before = encoderBytes();
    expect(encoded(schema, [{ length: 100, columns: schema.map(() => column) }]).chunks).toHaveLength(1000);
    expect(encoderBytes() - before).toBeLessThan(1 << 20);
  });

  it("has no page indexes and no filters, and says of its encodings what they are", () => {
    const length = 5000;
    const types: readonly LogicalType[] = [{ kind: "int", bits: 64 }, { kind: "text" }, { kind: "int", bits: 32 }];
    const schema = types.map((type, i) => ({ name: `c${i}`, fieldId: i, type, required: true }));
    const columns = types.map((type, i) =>
      columnOf(
        type,
        Array.from({ length }, (_, row) => String(i === 2 ? row % 7 : row * 3)),
      ),
    );
    const file = parquetFile(schema, [[{ length, columns }]]);
    const { row_groups: rowGroups } = parquetMetadata(new Uint8Array(file).buffer);
    const chunks = rowGroups[0]!.columns;
    expect(chunks.map(({ meta_data: metadata }) => metadata!.encodings.filter((name) => name !== "RLE"))).toEqual([
      ["DELTA_BINARY_PACKED"],
      ["PLAIN"],
      ["PLAIN", "RLE_DICTIONARY"],
    ]);
    for (const { meta_data: metadata, ...chunk } of chunks) {
      expect(chunk.offset_index_offset ?? chunk.column_index_offset).toBeUndefined();
      expect(metadata!.bloom_filter_offset).toBeUndefined();
    }
  });

  it("of many pages, and of dictionaries that are given up, has every cell", async () => {
    await using readers = await openReaders();
    const schema = ALL_TYPES.map((type, i) => ({ name: `c${i}`, fieldId: i, type, required: i % 2 === 0 }));
    const { sets, columns } = randomSample(schema, [3000, 2000], new Random(11));
    const path = readers.folder.file("pages.parquet");
    const options = { compression: "snappy", pageBytes: 1000, dictionaryPageBytes: 300 } as const;
    writeFileSync(path, parquetFile(schema, [sets], options));
    const said = await readers.python.read(path);
    expect(said.pyarrow).toEqual(columns);
    expect(said.duckdb).toEqual(columns);
  });

  it("that the encoder refuses is an error that says which column, and why", () => {
    const text = { ...columnOf({ kind: "bytes" }, ["ff"]), type: { kind: "text" } as const };
    const row: FileType = { kind: "row", fields: oneColumn({ kind: "text" }) };
    const columns = [{ children: [text], validity: null }];
    expect(() => encoded(oneColumn(row), [{ length: 1, columns }])).toThrow(
      expect.objectContaining({
        code: "PARQUET_ENCODE_FAILED",
        message: expect.stringMatching(/^the cells of column c\.c could not be made into Parquet: .*UTF/),
      }),
    );
  });
});
