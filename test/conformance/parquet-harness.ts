import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { FailpointHook } from "../../src/core/ambient.ts";
import type { Sink } from "../../src/core/sink.ts";
import { quoteIdentifier, type TableSchema } from "../../src/core/table-schema.ts";
import type { ParquetOptions, ParquetTuning } from "../../src/sinks/parquet/config.ts";
import { createParquetSink } from "../../src/sinks/parquet/sink.ts";
import { createStore, type StoreLocation } from "../../src/stores/open-store.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { testAmbient } from "../support/test-ambient.ts";
import { encoderUrl, parquetOptions, presentSql, SMALL_TUNING } from "../support/lake.ts";
import { byText } from "./sink-model.ts";
import { killedAt, signal, type Kill, type SinkHarness } from "./sink-harness.ts";

/** The entry of the pipeline's own log decides: killed behind it, the epoch is there when the sink is opened again. */
export const DEATHS: readonly Kill[] = [
  ["sink.table-begun", 1, 0],
  ["sink.files-staged", 1, 0],
  ["sink.changes-applied", 1, 0],
  ["sink.record-written", 1, 1],
  ["sink.file-completed", 1, 1],
  ["sink.schema-applied", 1, 1],
  ["sink.files-staged", 2, 1],
  ["sink.changes-applied", 2, 1],
  ["sink.record-written", 2, 2],
  ["sink.file-completed", 2, 2],
];

export interface ParquetVariant {
  readonly options?: Partial<ParquetOptions>;
  readonly tuning?: ParquetTuning;
}

/** A Parquet sink over a folder of its own. */
export function folderHarness(variant: ParquetVariant = {}): SinkHarness {
  const folder = tempFolder();
  const path = folder.file("lake");
  return harnessOver({ kind: "folder", path }, variant, {
    files: async () => path,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  });
}

/** Where its files can be read by their paths. */
interface Readable extends AsyncDisposable {
  files(): Promise<string>;
}

export function harnessOver(location: StoreLocation, variant: ParquetVariant, target: Readable): SinkHarness {
  const make = (failpoint?: FailpointHook): Sink =>
    createParquetSink(
      { ...parquetOptions(location), ...variant.options },
      {
        ambient: testAmbient(failpoint === undefined ? {} : { failpoint }),
        workerUrl: encoderUrl,
        tuning: variant.tuning ?? SMALL_TUNING,
      },
    );
  return {
    make,
    staged: { lose: () => discardStaged(location) },
    changes: async (schema) => everyChange(await target.files(), schema),
    rows: async (schema) => presentRows(await target.files(), placeOf(location), schema),
    killedAt: (failpoint, nth) => killedAt({ kind: "parquet", location }, failpoint, nth),
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  };
}

function placeOf(location: StoreLocation): string {
  return createStore(location, testAmbient().clock).place;
}

async function discardStaged(location: StoreLocation): Promise<void> {
  await using store = createStore(location, testAmbient().clock);
  await store.open(signal);
  for await (const leftover of store.leftovers("", signal)) await store.discard(leftover, signal);
}

async function everyChange(folder: string, schema: TableSchema): Promise<(string | null)[][]> {
  const cells = schema.columns.map(({ name }) => `CAST(${quoteIdentifier(name)} AS VARCHAR)`);
  const files = `'${folder}/${schema.namespace}/${schema.name}/**/*.parquet'`;
  return await query(
    `SELECT _op, ${cells.join(", ")} FROM read_parquet(${files}, union_by_name = true, hive_partitioning = false) ORDER BY _seq`,
  );
}

/** By the query that lies beside the table's files. */
async function presentRows(folder: string, place: string, schema: TableSchema): Promise<(string | null)[][]> {
  const sql = await presentSql(folder, place, `${schema.namespace}/${schema.name}`);
  return sql === null ? [] : (await query(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${sql})`)).sort(byText);
}

async function query(sql: string): Promise<(string | null)[][]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowsJS() as (string | null)[][];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** A copy of what is in the store, for readers that take paths. */
export async function downloaded(location: StoreLocation, folder: string): Promise<string> {
  await using store = createStore(location, testAmbient().clock);
  await store.open(signal);
  for await (const { key } of store.list("", signal)) {
    const path = join(folder, key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, (await store.get(key, null, signal))!);
  }
  return folder;
}
