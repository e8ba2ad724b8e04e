import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { columnOf, randomSample, randomSchema } from "../../../test/support/parquet-cells.ts";
import { ENCODE_OPTIONS, encoderWork, fileOf as parquetFileOf } from "../../../test/support/parquet-file.ts";
import { hyparquetColumns, openReaders, type ParquetReaders } from "../../../test/support/parquet-readers.ts";
import { Random } from "../../../test/support/random.ts";
import type { FileSchema } from "../file-schema.ts";
import type { EncodedRowGroup, RowGroup } from "./encoding.ts";
import { encodeRowGroup } from "./row-group.ts";
import { wideColumns, withWideColumns } from "./wide-cells.ts";

const ID = { name: "id", fieldId: 1, type: { kind: "int", bits: 32 }, required: true } as const;

let readers: ParquetReaders;

beforeAll(async () => {
  readers = await openReaders();
});

afterAll(async () => {
  await readers[Symbol.asyncDispose]();
});

/** A file of that row group, with cells above `cellBytesMax` written by ourselves. */
function fileOf(rowGroup: RowGroup, cellBytesMax: number): Buffer {
  const wide = wideColumns(rowGroup, cellBytesMax);
  const theirs = encoded(wide?.narrow ?? rowGroup);
  const whole = wide === null ? theirs : withWideColumns(theirs, wide.places, rowGroup);
  return parquetFileOf(rowGroup.schema, [whole]);
}

function encoded(rowGroup: RowGroup): EncodedRowGroup {
  return encodeRowGroup(encoderWork(rowGroup));
}

test("cells that are too large for the encoder are read alike by every reader, among others of any type", async () => {
  const property = fc.asyncProperty(fc.integer(), async (seed) => {
    const random = new Random(seed);
    const schema = [ID, ...randomSchema(random, 1 + random.below(6))];
    const { columns, sets } = randomSample(schema, [1 + random.below(40), random.below(20)], random);
    const options = { ...ENCODE_OPTIONS, pageBytes: random.pick([20, 1 << 20]) };
    const file = fileOf({ schema, sets, options }, random.pick([0, 3, 10]));
    const path = readers.folder.file("wide.parquet");
    writeFileSync(path, file);
    const said = await readers.python.read(path);
    expect(said.pyarrow).toEqual(columns);
    expect(said.duckdb).toEqual(columns);
    expect(await readers.duckdb(schema, path)).toEqual(columns);
    expect(await hyparquetColumns(schema, new Uint8Array(file).buffer, columns)).toEqual(columns);
  });
  await fc.assert(property, { numRuns: 40 });
});

test("they stay where they are, and everything else goes to the encoder", () => {
  const schema: FileSchema = [ID, { name: "b", fieldId: 2, type: { kind: "bytes" }, required: false }];
  const ids = columnOf(ID.type, ["1", "2", "3"]);
  const column = columnOf({ kind: "bytes" }, ["00", null, "ff".repeat(5 << 20)]);
  const sets = [{ length: 3, columns: [ids, column] }];
  const rowGroup = { schema, sets, options: ENCODE_OPTIONS };
  const wide = wideColumns(rowGroup)!;
  expect(wide).toMatchObject({ places: [1], narrow: { schema: [ID] } });
  const { wide: pieces, bytes } = withWideColumns(encoded(wide.narrow), wide.places, rowGroup);
  expect(bytes.length).toBeLessThan(1000);
  expect(pieces.at(-1)!.buffer).toBe(column.values.buffer);
  const small = columnOf({ kind: "bytes" }, ["00", null, "ff"]);
  expect(wideColumns({ ...rowGroup, sets: [{ length: 3, columns: [ids, small] }] })).toBeNull();
});
