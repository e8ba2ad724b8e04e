import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBValue,
} from "@duckdb/node-api";
import { decompress } from "fzstd";
import { type Compressors, parquetMetadata, parquetRead, type ParquetParsers } from "hyparquet";
import type { FileColumn, FileSchema } from "../../src/formats/file-schema.ts";
import { fileDuckdb } from "./file-duckdb.ts";
import { type Cell, decimalCell, doubleCell } from "./parquet-cells.ts";
import { PythonReader } from "./python-reader.ts";
import { tempFolder, type TempFolder } from "./temp-folder.ts";

/** DuckDB, and Python with its readers, for the files of a test. */
export interface ParquetReaders extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly python: PythonReader;
  /** The rows of a query. */
  ask(sql: string): Promise<readonly (readonly string[])[]>;
  /** What DuckDB reads in a file: the cells of each column. */
  duckdb(schema: FileSchema, path: string): Promise<readonly (readonly Cell[])[]>;
}

export async function openReaders(): Promise<ParquetReaders> {
  const [folder, python] = [tempFolder(), new PythonReader()];
  const instance = await fileDuckdb();
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  return {
    folder,
    python,
    duckdb: (schema, path) => duckdbColumns(connection, schema, path),
    ask: async (sql) => (await connection.runAndReadAll(sql)).getRows().map((row) => row.map(String)),
    [Symbol.asyncDispose]: async () => {
      connection.closeSync();
      instance.closeSync();
      await python[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function duckdbColumns(
  connection: DuckDBConnection,
  schema: FileSchema,
  path: string,
): Promise<readonly (readonly Cell[])[]> {
  const reader = await connection.runAndReadAll(`SELECT * FROM read_parquet('${path.replaceAll("'", "''")}')`);
  const columns = reader.getColumns();
  // Of no rows there are no columns either.
  return schema.map((column, i) => (columns[i] ?? []).map((value) => duckdbCell(column, value)));
}

function duckdbCell({ type }: FileColumn, value: DuckDBValue): Cell {
  if (value === null) return null;
  if (value instanceof DuckDBListValue) return value.items.map(String);
  if (value instanceof DuckDBStructValue) {
    const { entries } = value;
    const fields = type.kind === "row" ? type.fields : [];
    return Object.fromEntries(fields.map((field) => [field.name, duckdbCell(field, entries[field.name]!)]));
  }
  if (value instanceof DuckDBDecimalValue) return decimalCell(value.value, value.scale);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("hex");
  if (value instanceof DuckDBDateValue) return String(value.days);
  if (value instanceof DuckDBTimeValue) return String(value.micros);
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) return String(value.micros);
  return type.kind === "float" ? doubleCell(value as number) : String(value);
}

const utf8 = new TextDecoder();
const PARSERS: Partial<ParquetParsers> = {
  timestampFromMicroseconds: String,
  dateFromDays: (days: number | undefined) => days && String(days),
  jsonFromBytes: (bytes: Uint8Array | undefined) => bytes && utf8.decode(bytes),
};
const HYPARQUET_COMPRESSORS: Compressors = {
  ZSTD: (input, outputLength) => decompress(input, new Uint8Array(outputLength)),
};

type Found = string | number | bigint | boolean | null | undefined | Uint8Array | readonly string[] | FoundRow;
interface FoundRow {
  readonly [name: string]: Found;
}

/**
 * What hyparquet reads. It makes doubles of decimals, whose last digits are lost: where they are the only difference it is
 * `expected` that is given.
 */
export async function hyparquetColumns(
  schema: FileSchema,
  file: ArrayBuffer,
  expected: readonly (readonly Cell[])[],
): Promise<readonly (readonly Cell[])[]> {
  const rows = await new Promise<readonly (readonly Found[])[]>((resolve, reject) => {
    parquetRead({
      file,
      metadata: parquetMetadata(file),
      compressors: HYPARQUET_COMPRESSORS,
      parsers: PARSERS,
      utf8: false,
      onComplete: resolve,
    }).catch(reject);
  });
  return schema.map((column, i) => rows.map((row, at) => hyparquetCell(column, row[i], expected[i]![at]!)));
}

function hyparquetCell({ type }: FileColumn, value: Found, expected: Cell): Cell {
  if (value === null || value === undefined) return null;
  switch (type.kind) {
    case "texts":
      return value as readonly string[];
    case "row": {
      const read = value as FoundRow;
      const due = (expected ?? {}) as Readonly<Record<string, Cell>>;
      const cellOf = (field: FileColumn): Cell => hyparquetCell(field, read[field.name], due[field.name] ?? null);
      return Object.fromEntries(type.fields.map((field) => [field.name, cellOf(field)]));
    }
    case "float":
      return doubleCell(value as number);
    case "decimal": {
      const difference = Math.abs((value as number) - Number(expected));
      return difference <= Math.abs(value as number) * 1e-12 ? expected : (value as number).toString();
    }
    case "bytes":
      return Buffer.from(value as Uint8Array).toString("hex");
    default:
      if (typeof value === "object") throw new Error(`hyparquet gave an object where a ${type.kind} is due`);
      return String(value);
  }
}
