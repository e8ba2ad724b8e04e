import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { optionsPage } from "../../scripts/options-page.ts";
import { pipelineJsonSchema, pipelineSchemaFile } from "./json-schema.ts";
import { parsePipeline } from "./parse.ts";

const config = (name: string): Promise<string> => readFile(new URL(`../../config/${name}`, import.meta.url), "utf8");

test("config/pipeline.schema.json is the schema of the code (`npm run docs` writes it)", async () => {
  expect(await config("pipeline.schema.json")).toBe(pipelineSchemaFile());
});

test("docs/pipeline-options.md is the page of that schema (`npm run docs` writes it)", async () => {
  expect(await readFile(new URL("../../docs/pipeline-options.md", import.meta.url), "utf8")).toBe(optionsPage());
});

test("every option in the schema has a description", () => {
  const bare: string[] = [];
  const visit = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null) return;
    const { properties, oneOf } = schema as { properties?: object; oneOf?: object[] };
    for (const inner of oneOf ?? []) visit(inner, path);
    for (const [name, property] of Object.entries(properties ?? {})) {
      if (!("description" in property) && name !== "type") bare.push(`${path}/${name}`);
      visit(property, `${path}/${name}`);
    }
  };
  visit(pipelineJsonSchema(), "");
  expect(bare).toEqual([]);
});

test("the example file is valid, and names the schema for editors", async () => {
  const text = await config("postgres-to-duckdb.yaml");
  expect(text.split("\n")[0]).toBe("# yaml-language-server: $schema=./pipeline.schema.json");
  expect(Object.keys(parse(text) as object)).toEqual(["source", "sink", "pipeline"]);
  const spec = parsePipeline(text, {
    file: "x.yaml",
    folder: "/etc/millrace",
    environment: { PGPASSWORD: "swordfish" },
  });
  expect(spec).toMatchObject({
    name: "shop",
    source: { hostname: "localhost", port: 5432, database: "shop", slotName: "millrace_shop" },
    sink: { type: "duckdb", path: "/etc/millrace/warehouse.duckdb" },
    checkpoint: { kind: "files" },
    folder: "/etc/millrace/.millrace/shop",
  });
});

test("so is the one for MySQL", async () => {
  const text = await config("mysql-to-duckdb.yaml");
  expect(text.split("\n")[0]).toBe("# yaml-language-server: $schema=./pipeline.schema.json");
  const environment = { MYSQL_PWD: "swordfish" };
  const spec = parsePipeline(text, { file: "x.yaml", folder: "/etc/millrace", environment });
  expect(spec).toMatchObject({
    name: "shop",
    source: { type: "mysql", hostname: "localhost", port: 3306, tinyint1AsBoolean: true },
    sink: { type: "duckdb", path: "/etc/millrace/warehouse.duckdb" },
  });
});

test.each([
  ["postgres-to-parquet.yaml", { kind: "folder", path: "/etc/millrace/lake" }, { PGPASSWORD: "swordfish" }],
  [
    "mysql-to-parquet-s3.yaml",
    { kind: "s3", bucket: "lake", prefix: "shop/", endpoint: "http://localhost:9000" },
    { MYSQL_PWD: "swordfish", S3_BUCKET: "lake" },
  ],
])("so is %s, whose files each interval of a minute ends", async (name, place, environment) => {
  const text = await config(name);
  expect(text.split("\n")[0]).toBe("# yaml-language-server: $schema=./pipeline.schema.json");
  const spec = parsePipeline(text, { file: "x.yaml", folder: "/etc/millrace", environment });
  expect(spec).toMatchObject({ name: "shop", checkpointIntervalMs: 60_000, sink: { type: "parquet", place } });
});
