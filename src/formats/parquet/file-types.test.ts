import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomSample } from "../../../test/support/parquet-cells.ts";
import { ENCODE_OPTIONS, parquetFile } from "../../../test/support/parquet-file.ts";
import { openReaders, type ParquetReaders } from "../../../test/support/parquet-readers.ts";
import type { PythonFile } from "../../../test/support/python-reader.ts";
import { projectRoot } from "../../../test/support/project-root.ts";
import { Random } from "../../../test/support/random.ts";
import type { FileSchema, FileType } from "../file-schema.ts";

const MICROS = { timeUnit: "microseconds", is_from_converted_type: false, force_set_converted_type: false };

/** A column of every type, and how readers are to see it: physical type, logical type, the annotation of old. */
const CASES: readonly (readonly [FileType, physical: string, logical: object, converted: string, duckdb: string])[] = [
  [{ kind: "bool" }, "BOOLEAN", { Type: "None" }, "NONE", "BOOLEAN"],
  [{ kind: "int", bits: 16 }, "INT32", { Type: "Int", bitWidth: 16, isSigned: true }, "INT_16", "SMALLINT"],
  [{ kind: "int", bits: 32 }, "INT32", { Type: "None" }, "NONE", "INTEGER"],
  [{ kind: "int", bits: 64 }, "INT64", { Type: "None" }, "NONE", "BIGINT"],
  [{ kind: "float", bits: 32 }, "FLOAT", { Type: "None" }, "NONE", "FLOAT"],
  [{ kind: "float", bits: 64 }, "DOUBLE", { Type: "None" }, "NONE", "DOUBLE"],
  [{ kind: "decimal", precision: 1, scale: 1 }, "INT32", decimal(1, 1), "DECIMAL", "DECIMAL(1,1)"],
  [{ kind: "decimal", precision: 9, scale: 2 }, "INT32", decimal(9, 2), "DECIMAL", "DECIMAL(9,2)"],
  [{ kind: "decimal", precision: 18, scale: 0 }, "INT64", decimal(18, 0), "DECIMAL", "DECIMAL(18,0)"],
  [{ kind: "decimal", precision: 19, scale: 4 }, "FIXED_LEN_BYTE_ARRAY", decimal(19, 4), "DECIMAL", "DECIMAL(19,4)"],
  [{ kind: "decimal", precision: 38, scale: 38 }, "FIXED_LEN_BYTE_ARRAY", decimal(38, 38), "DECIMAL", "DECIMAL(38,38)"],
  [{ kind: "text" }, "BYTE_ARRAY", { Type: "String" }, "UTF8", "VARCHAR"],
  [{ kind: "json" }, "BYTE_ARRAY", { Type: "JSON" }, "JSON", "JSON"],
  [{ kind: "bytes" }, "BYTE_ARRAY", { Type: "None" }, "NONE", "BLOB"],
  [{ kind: "uuid" }, "FIXED_LEN_BYTE_ARRAY", { Type: "UUID" }, "NONE", "UUID"],
  [{ kind: "date" }, "INT32", { Type: "Date" }, "DATE", "DATE"],
  [
    { kind: "time" },
    "INT64",
    { Type: "Time", isAdjustedToUTC: false, timeUnit: "microseconds" },
    "TIME_MICROS",
    "TIME",
  ],
  [
    { kind: "timestamp", zone: true },
    "INT64",
    { Type: "Timestamp", isAdjustedToUTC: true, ...MICROS },
    "TIMESTAMP_MICROS",
    "TIMESTAMP WITH TIME ZONE",
  ],
  [
    { kind: "timestamp", zone: false },
    "INT64",
    { Type: "Timestamp", isAdjustedToUTC: false, ...MICROS },
    "TIMESTAMP_MICROS",
    "TIMESTAMP",
  ],
  [{ kind: "texts" }, "BYTE_ARRAY", { Type: "String" }, "UTF8", "VARCHAR[]"],
];

function decimal(precision: number, scale: number): object {
  return { Type: "Decimal", precision, scale };
}

const FLAT: FileSchema = CASES.map(([type], i) => ({
  name: `c${i}`,
  fieldId: 100 + i,
  type,
  required: i % 2 === 0,
}));
const ROW: FileType = {
  kind: "row",
  fields: [
    { name: "id", fieldId: 201, type: { kind: "uuid" }, required: true },
    { name: "doc", fieldId: 202, type: { kind: "json" }, required: false },
  ],
};
const SCHEMA: FileSchema = [...FLAT, { name: "before", fieldId: 200, type: ROW, required: false }];
const METADATA = new Map([
  ["millrace.table", "shop.größe"],
  ["empty", ""],
]);

let readers: ParquetReaders;
let said: PythonFile;
let path: string;

beforeAll(async () => {
  readers = await openReaders();
  path = readers.folder.file("types.parquet");
  const { sets } = randomSample(SCHEMA, [30], new Random(7));
  writeFileSync(path, parquetFile(SCHEMA, [sets, sets], ENCODE_OPTIONS, METADATA));
  said = await readers.python.read(path);
});

afterAll(async () => {
  await readers[Symbol.asyncDispose]();
});

describe("a file says", () => {
  it("of each column its type", () => {
    const leaves = CASES.map(([type, physical, logical], i) => ({
      path: type.kind === "texts" ? `c${i}.list.element` : `c${i}`,
      physical,
      logical,
    }));
    const row = [
      { path: "before.id", physical: "FIXED_LEN_BYTE_ARRAY", logical: { Type: "UUID" } },
      { path: "before.doc", physical: "BYTE_ARRAY", logical: { Type: "JSON" } },
    ];
    expect(said.leaves).toEqual([...leaves, ...row]);
  });

  it("its type in the words of old as well", async () => {
    const sql = `SELECT coalesce(converted_type, 'NONE') FROM parquet_schema('${path}') WHERE type IS NOT NULL`;
    const converted = (await readers.ask(sql)).flat();
    expect(converted).toEqual([...CASES.map(([, , , type]) => type), "NONE", "JSON"]);
  });

  it("what DuckDB takes for the same types", async () => {
    const described = await readers.ask(`DESCRIBE SELECT * FROM read_parquet('${path}')`);
    const expected = CASES.map(([, , , , type], i) => [`c${i}`, type]);
    const row = ["before", "STRUCT(id UUID, doc JSON)"];
    expect(described.map(([name, type]) => [name, type])).toEqual([...expected, row]);
  });

  it("which columns have no nulls", () => {
    expect(said.required).toEqual(SCHEMA.map(({ required }) => required));
  });

  it("the columns' field ids, within rows too", async () => {
    const ids = [...SCHEMA, ...ROW.fields.map((field) => ({ ...field, name: `before.${field.name}` }))];
    expect(said.fieldIds).toEqual(Object.fromEntries(ids.map(({ name, fieldId }) => [name, String(fieldId)])));
    const found = await readers.ask(`SELECT field_id FROM parquet_schema('${path}') WHERE field_id IS NOT NULL`);
    expect(found.flat().map(Number)).toEqual([...FLAT.map(({ fieldId }) => fieldId), 200, 201, 202]);
  });

  it("what it was given to say", () => {
    expect(said.metadata).toEqual(Object.fromEntries(METADATA));
  });

  it("who wrote it: this version", () => {
    const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
      readonly version: string;
    };
    expect(said.createdBy).toBe(`millrace version ${manifest.version}`);
  });

  it("how lists are nested, by the three levels of the specification", async () => {
    const levels = await readers.ask(
      `SELECT name, repetition_type, converted_type, num_children FROM parquet_schema('${path}')
       WHERE name IN ('c${CASES.length - 1}', 'list', 'element')`,
    );
    expect(levels).toEqual([
      [`c${CASES.length - 1}`, "OPTIONAL", "LIST", "1"],
      ["list", "REPEATED", "null", "1"],
      ["element", "REQUIRED", "UTF8", "null"],
    ]);
  });
});
