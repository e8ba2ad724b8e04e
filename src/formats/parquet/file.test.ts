import { writeFileSync } from "node:fs";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cell, randomSample, randomSchema, type Sample } from "../../../test/support/parquet-cells.ts";
import { parquetFile } from "../../../test/support/parquet-file.ts";
import { duckdbColumns, hyparquetColumns } from "../../../test/support/parquet-readers.ts";
import { PythonReader } from "../../../test/support/python-reader.ts";
import { Random } from "../../../test/support/random.ts";
import { tempFolder, type TempFolder } from "../../../test/support/temp-folder.ts";

let folder: TempFolder;
let python: PythonReader;
let duckdb: DuckDBConnection;

beforeAll(async () => {
  folder = tempFolder();
  python = new PythonReader();
  duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  await duckdb.run("SET TimeZone = 'UTC'");
});

afterAll(async () => {
  duckdb.closeSync();
  await python[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** The cells of each column, over the row groups. */
function cellsOf(rowGroups: readonly Sample[]): readonly (readonly Cell[])[] {
  return rowGroups[0]!.schema.map((_, i) => rowGroups.flatMap(({ columns }) => columns[i]!));
}

it("is read alike by pyarrow, by two versions of DuckDB and by hyparquet, whatever is in it", async () => {
  const path = folder.file("any.parquet");
  const property = fc.asyncProperty(fc.integer(), async (seed) => {
    const random = new Random(seed);
    const schema = randomSchema(random, 1 + random.below(12));
    const lengths = (): readonly number[] => Array.from({ length: 1 + random.below(3) }, () => 1 + random.below(60));
    const rowGroups = Array.from({ length: 1 + random.below(3) }, () => randomSample(schema, lengths(), random));
    const file = parquetFile(
      schema,
      rowGroups.map(({ sets }) => sets),
      {
        compression: random.pick(["zstd", "snappy", "none"] as const),
        pageBytes: random.pick([100, 1 << 20]),
        dictionaryPageBytes: random.pick([100, 1 << 20]),
      },
    );
    writeFileSync(path, file);
    const cells = cellsOf(rowGroups);
    const said = await python.read(path);
    expect(said.pyarrow).toEqual(cells);
    expect(said.duckdb).toEqual(cells);
    expect(await duckdbColumns(duckdb, schema, path)).toEqual(cells);
    expect(await hyparquetColumns(schema, new Uint8Array(file).buffer, cells)).toEqual(cells);
  });
  await fc.assert(property, { numRuns: 60 });
});
