import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ALL_TYPES,
  type Cell,
  columnOf,
  edgeValues,
  randomSample,
  randomSchema,
  type Sample,
} from "../../../test/support/parquet-cells.ts";
import { ENCODE_OPTIONS, parquetFile } from "../../../test/support/parquet-file.ts";
import { hyparquetColumns, openReaders, type ParquetReaders } from "../../../test/support/parquet-readers.ts";
import { Random } from "../../../test/support/random.ts";
import { typeLabel } from "../../core/logical-type.ts";
import type { ColumnSet, FileSchema } from "../file-schema.ts";
import type { EncodeOptions } from "./encoding.ts";

const COMPRESSIONS = ["zstd", "snappy", "none"] as const;

let readers: ParquetReaders;

beforeAll(async () => {
  readers = await openReaders();
});

afterAll(async () => {
  await readers[Symbol.asyncDispose]();
});

/** Has every reader find these cells in a file of these row groups. */
async function expectCells(
  schema: FileSchema,
  rowGroups: readonly (readonly ColumnSet[])[],
  cells: readonly (readonly Cell[])[],
  options: Partial<EncodeOptions> = {},
): Promise<void> {
  const path = readers.folder.file("read.parquet");
  const file = parquetFile(schema, rowGroups, { ...ENCODE_OPTIONS, ...options });
  writeFileSync(path, file);
  const said = await readers.python.read(path);
  expect(said.pyarrow).toEqual(cells);
  expect(said.duckdb).toEqual(cells);
  expect(await readers.duckdb(schema, path)).toEqual(cells);
  expect(await hyparquetColumns(schema, new Uint8Array(file).buffer, cells)).toEqual(cells);
  expect(said.rowGroups).toBe(rowGroups.length);
}

/** The cells of each column, over the row groups. */
function cellsOf(rowGroups: readonly Sample[]): readonly (readonly Cell[])[] {
  return rowGroups[0]!.schema.map((_, i) => rowGroups.flatMap(({ columns }) => columns[i]!));
}

describe("a file", () => {
  it("is read alike by pyarrow, by two versions of DuckDB and by hyparquet, whatever is in it", async () => {
    const property = fc.asyncProperty(fc.integer(), async (seed) => {
      const random = new Random(seed);
      const schema = randomSchema(random, 1 + random.below(12));
      const lengths = (): readonly number[] => Array.from({ length: 1 + random.below(3) }, () => random.below(60));
      const rowGroups = Array.from({ length: 1 + random.below(3) }, () =>
        randomSample(schema, [...lengths(), 1], random),
      );
      const options = {
        compression: random.pick(COMPRESSIONS),
        pageBytes: random.pick([100, 1 << 20]),
        dictionaryPageBytes: random.pick([100, 1 << 20]),
      };
      const sets = rowGroups.map((rowGroup) => rowGroup.sets);
      await expectCells(schema, sets, cellsOf(rowGroups), options);
    });
    await fc.assert(property, { numRuns: 40 });
  }, 120_000);

  it.each(COMPRESSIONS)("has the least and the largest values of every type: %s", async (compression) => {
    const schema = ALL_TYPES.map((type, i) => ({ name: `c${i}`, fieldId: i, type, required: false }));
    const length = Math.max(...ALL_TYPES.map((type) => edgeValues(type).length)) + 1;
    const cells = ALL_TYPES.map((type) => Array.from({ length }, (_, row) => edgeValues(type)[row] ?? null));
    const columns = cells.map((column, i) => columnOf(ALL_TYPES[i]!, column));
    await expectCells(schema, [[{ length, columns }]], cells, { compression });
  });

  it.each(ALL_TYPES.map((type) => [typeLabel(type), type] as const))(
    "may have nothing but nulls in a column: %s",
    async (_label, type) => {
      const schema = [{ name: "c", fieldId: 1, type, required: false }];
      const nulls = Array.from({ length: 20 }, () => null);
      const sets = [
        { length: 20, columns: [columnOf(type, nulls)] },
        { length: 20, columns: [null] },
      ];
      await expectCells(schema, [sets], [[...nulls, ...nulls]]);
    },
  );

  it("tells empty texts, bytes, lists and rows from nulls", async () => {
    const schema: FileSchema = [
      { name: "t", fieldId: 1, type: { kind: "text" }, required: false },
      { name: "b", fieldId: 2, type: { kind: "bytes" }, required: true },
      { name: "l", fieldId: 3, type: { kind: "texts" }, required: false },
      {
        name: "r",
        fieldId: 4,
        type: { kind: "row", fields: [{ name: "f", fieldId: 5, type: { kind: "text" }, required: false }] },
        required: false,
      },
    ];
    const text = columnOf({ kind: "text" }, ["", null, "", null]);
    const validity = Uint8Array.of(0b0101);
    const columns = [
      text,
      columnOf({ kind: "bytes" }, ["", "", "", ""]),
      { offsets: Int32Array.of(0, 0, 0, 1, 1), items: columnOf({ kind: "text" }, [""]), validity },
      { children: [text], validity: Uint8Array.of(0b0111) },
    ];
    await expectCells(
      schema,
      [[{ length: 4, columns }]],
      [
        ["", null, "", null],
        ["", "", "", ""],
        [[], null, [""], null],
        [{ f: "" }, { f: null }, { f: "" }, null],
      ],
    );
  });

  it("may have no rows", async () => {
    const schema: FileSchema = [{ name: "c", fieldId: 1, type: { kind: "uuid" }, required: false }];
    await expectCells(schema, [], [[]]);
  });

  it("may have a thousand columns, and the same buffers in more than one of them", async () => {
    const types = Array.from({ length: 1000 }, (_, i) => ALL_TYPES[i % ALL_TYPES.length]!);
    const schema = types.map((type, i) => ({ name: `c${i}`, fieldId: i, type, required: false }));
    const made = new Map(ALL_TYPES.map((type) => [type, columnOf(type, [edgeValues(type)[0]!, null])]));
    const set = { length: 2, columns: types.map((type) => made.get(type)!) };
    const cells = types.map((type) => [edgeValues(type)[0]!, null, edgeValues(type)[0]!, null]);
    await expectCells(schema, [[set, set]], cells);
  });

  it("may have cells of 64 MB", async () => {
    const schema: FileSchema = [
      { name: "t", fieldId: 1, type: { kind: "text" }, required: false },
      { name: "b", fieldId: 2, type: { kind: "bytes" }, required: false },
    ];
    const values = Buffer.alloc(64 << 20, "a long text that comes again and again; ");
    const large = { length: 1, offsets: Int32Array.of(0, values.length), values, validity: null, absent: null };
    const columns = [
      { ...large, type: { kind: "text" } as const },
      { ...large, type: { kind: "bytes" } as const },
    ];
    const path = readers.folder.file("large.parquet");
    writeFileSync(path, parquetFile(schema, [[{ length: 1, columns }], [{ length: 1, columns }]]));
    const [rows] = await readers.ask(
      `SELECT count(*), min(length(t)), min(octet_length(b)), min(md5(t)), min(md5(b)) FROM read_parquet('${path}')`,
    );
    const md5 = createHash("md5").update(values).digest("hex");
    expect(rows).toEqual(["2", String(values.length), String(values.length), md5, md5]);
  });
});
