import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, test } from "vitest";
import { createParquetSink } from "../../src/sinks/parquet/sink.ts";
import { encoderUrl, parquetOptions } from "../support/lake.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { testAmbient } from "../support/test-ambient.ts";
import { signal } from "./sink-harness.ts";
import { PIPELINE, runScript } from "./sink-script.ts";

test("a file's footer says whose it is, of which epoch and version, and its columns keep their ids over versions", async () => {
  await using folder = tempFolder();
  const path = folder.file("lake");
  const options = { ...parquetOptions({ kind: "folder", path }), beforeImages: true };
  const sink = createParquetSink(options, { ambient: testAmbient(), workerUrl: encoderUrl });
  await runScript(sink, await sink.open(PIPELINE, signal));
  await sink.close();

  const table = join(path, "shop", "scripted");
  const names = (await readdir(table)).filter((name) => name.endsWith(".parquet")).toSorted();
  expect(names.map((name) => name.replace(/-[0-9a-f]{8}-/, "-RUN-"))).toEqual([
    "conformance-i1-v1-0000000001-RUN-0.parquet",
    "conformance-i1-v1-0000000002-RUN-0.parquet",
    "conformance-i1-v2-0000000002-RUN-1.parquet",
  ]);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const read = async (sql: string): Promise<unknown[][]> => (await connection.runAndReadAll(sql)).getRowsJS();
  const last = `'${join(table, names[2]!)}'`;
  const said = await read(
    `SELECT decode(key) || '=' || decode(value) FROM parquet_kv_metadata(${last}) ORDER BY decode(key)`,
  );
  expect(said.flat()).toEqual([
    "millrace.epoch=2",
    "millrace.incarnation=1",
    "millrace.pipeline=conformance",
    "millrace.schema-version=2",
    "millrace.table=shop.scripted",
  ]);
  const ids = `SELECT name, field_id FROM parquet_schema('${join(table, "*.parquet")}') WHERE field_id IS NOT NULL`;
  const twice = await read(`SELECT name FROM (${ids}) GROUP BY name HAVING count(DISTINCT field_id) > 2`);
  expect(twice).toEqual([]);
  const own = await read(`SELECT DISTINCT name, field_id::int FROM (${ids}) WHERE field_id < 1000 ORDER BY ALL`);
  expect(own).toEqual([
    ["grade", 3],
    ["id", 1],
    ["name", 2],
  ]);
  connection.closeSync();
  instance.closeSync();
});
